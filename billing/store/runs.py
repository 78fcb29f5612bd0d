"""Bill runs in the database: their states, and the results of each community."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.problem import Problem
from billing.store.ids import insert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class UnknownRunError(LookupError):
    """No bill run has this id."""


class StateError(ValueError):
    """A run is not in the state that a step starts from."""


class PeriodTakenError(ValueError):
    """A community has a run for this period already."""


@dataclass(frozen=True, slots=True)
class CommunityRun:
    """What a run made of one community. `total` in fen."""

    id: int
    community_id: int
    community: str
    state: str
    problems: tuple[Problem, ...]
    bills: int
    total: int
    digest: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """A bill run: one period, one or more communities, and who did what to it when."""

    id: int
    period: str
    state: str
    digest: str | None
    created_by: str
    created_at: datetime
    computed_by: str | None
    computed_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    issued_by: str | None
    issued_at: datetime | None
    communities: tuple[CommunityRun, ...]


def create(
    connection: Connection, *, period: str, communities: Sequence[int], actor: str, now: datetime
) -> int:
    """Store a draft run of `communities` for `period` and return its id."""
    for community_id in communities:
        taken = connection.scalar(
            select(tables.community_run.c.bill_run_id).where(
                tables.community_run.c.community_id == community_id,
                tables.community_run.c.period == period,
            )
        )
        if taken is not None:
            raise PeriodTakenError(
                f"{period} has run {taken} already; open that one instead of a second"
            )
    run_id = insert(
        connection,
        tables.bill_run,
        period=period,
        state="draft",
        created_by=actor,
        created_at=now,
    )
    for community_id in communities:
        insert(
            connection,
            tables.community_run,
            bill_run_id=run_id,
            community_id=community_id,
            period=period,
            state="draft",
            problems="[]",
            bills=0,
            total=0,
        )
    return run_id


def read(connection: Connection, run_id: int, *, lock: bool = False) -> Run:
    """Return run `run_id`; with `lock`, nobody else changes it until the transaction ends."""
    query = select(tables.bill_run).where(tables.bill_run.c.id == run_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownRunError(f"there is no bill run {run_id}")
    community, part = tables.community, tables.community_run
    parts = connection.execute(
        select(part, community.c.code.label("community"))
        .join(community, community.c.id == part.c.community_id)
        .where(part.c.bill_run_id == run_id)
    )
    communities = tuple(
        CommunityRun(
            id=each.id,
            community_id=each.community_id,
            community=each.community,
            state=each.state,
            problems=tuple(Problem(**problem) for problem in read_json(each.problems)),
            bills=each.bills,
            total=each.total,
            digest=each.digest,
        )
        for each in sorted(parts, key=lambda row: str(row.community))
    )
    return Run(**row._asdict(), communities=communities)


def lock_part(connection: Connection, run_id: int, part_id: int) -> tuple[str, str | None]:
    """Keep a run from going on, and others from its part, until the transaction ends.

    Return the state of the run, and the digest of the part if it is computed. Parts of one run can
    be written side by side.
    """
    run, part = tables.bill_run, tables.community_run
    query = select(run.c.state).where(run.c.id == run_id).with_for_update(read=True)
    state = connection.scalar(query)
    if state is None:
        raise UnknownRunError(f"there is no bill run {run_id}")
    mine = select(part.c.digest).where(part.c.id == part_id).with_for_update()
    return str(state), connection.execute(mine).scalar_one()


def assert_state(run_id: int, state: str, step: str, *states: str) -> None:
    """Raise `StateError` unless `state` is one of those in which `step` may be taken."""
    if state not in states:
        raise StateError(f"run {run_id} is {state}; to {step} it must be {' or '.join(states)}")


def last_issued_period(connection: Connection, community_id: int) -> str | None:
    """Return the last period that was issued for a community, or None."""
    run, part = tables.bill_run, tables.community_run
    last: str | None = connection.scalar(
        select(func.max(part.c.period))
        .join(run, run.c.id == part.c.bill_run_id)
        .where(part.c.community_id == community_id, run.c.state == "issued")
    )
    return last


def not_issued(connection: Connection, community_id: int) -> list[tuple[int, str]]:
    """Return id and period of the runs of a community that are not issued yet."""
    run, part = tables.bill_run, tables.community_run
    rows = connection.execute(
        select(run.c.id, run.c.period)
        .join(part, part.c.bill_run_id == run.c.id)
        .where(part.c.community_id == community_id, run.c.state != "issued")
        .order_by(run.c.id)
    )
    return [(run_id, period) for run_id, period in rows]


def record_result(
    connection: Connection,
    community_run_id: int,
    *,
    problems: Sequence[Problem] = (),
    bills: int = 0,
    total: int = 0,
    digest: str | None = None,
) -> None:
    """Store what the computation of one community came to; problems park it."""
    part = tables.community_run
    connection.execute(
        part.update()
        .where(part.c.id == community_run_id)
        .values(
            state="blocked" if problems else "computed",
            problems=canonical_json([asdict(each) for each in problems]),
            bills=bills,
            total=total,
            digest=digest,
        )
    )


def advance(
    connection: Connection,
    run_id: int,
    state: str,
    *,
    actor: str,
    now: datetime,
    digest: str | None,
) -> None:
    """Set the state that `actor` brought the run to, and who and when."""
    verb = "computed" if state in ("computed", "blocked") else state
    run = tables.bill_run
    connection.execute(
        run.update()
        .where(run.c.id == run_id)
        .values({"state": state, "digest": digest, f"{verb}_by": actor, f"{verb}_at": now})
    )
