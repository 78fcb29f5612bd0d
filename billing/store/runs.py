"""Bill runs in the database: their states, and the results of each community."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, and_, func, or_, select

from billing import tables
from billing.anomalies import Anomaly, AnomalyKind
from billing.canonical import canonical_json, read_json
from billing.problem import Problem
from billing.store import projects
from billing.store.ids import insert
from meters.told import StateName, joined, told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


LEFT = ("held", "withdrawn")
"""The states of a community that its run does not bill: another run may."""


class UnknownRunError(LookupError):
    """No bill run has this id."""


class StateError(ValueError):
    """A run is not in the state that a step starts from."""


class PeriodTakenError(ValueError):
    """A community has a run for this period already."""


class MixedProjectsError(ValueError):
    """A run was to bill communities of several projects."""


@dataclass(frozen=True, slots=True)
class CommunityRun:
    """What a run made of one month of one community: of its ordinary bills, or of a `revision`.

    `total` in fen.
    """

    id: int
    community_id: int
    community: str
    period: str
    revision: int
    state: str
    problems: tuple[Problem, ...]
    anomalies: tuple[Anomaly, ...]
    bills: int
    total: int
    digest: str | None

    @property
    def name(self) -> str:
        """What it goes by in the run's digest."""
        ordinary = self.community
        return f"{ordinary}/{self.period}.{self.revision}" if self.revision else ordinary


@dataclass(frozen=True, slots=True)
class Run:
    """A bill run: one period, one or more communities, and who did what to it when.

    `approved_digest` is what the approver saw; `reason` says why the run was withdrawn.
    """

    id: int
    project_id: int
    kind: str
    period: str
    state: str
    digest: str | None
    created_by: str
    created_at: datetime
    computed_by: str | None
    computed_at: datetime | None
    reviewed_by: str | None
    reviewed_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    approved_digest: str | None
    issued_by: str | None
    issued_at: datetime | None
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    reason: str | None
    communities: tuple[CommunityRun, ...]


@dataclass(frozen=True, slots=True)
class Counting:
    """Of what run and revision a month counts that is issued: the newest one."""

    id: int
    run_id: int
    revision: int


def create(
    connection: Connection,
    *,
    kind: str,
    period: str,
    months: Sequence[tuple[int, str]],
    actor: str,
    now: datetime,
) -> int:
    """Store a draft run of `months`, each of a community by its id, and return its id.

    What is issued gets its next revision. Raises `PeriodTakenError` where another run has a month,
    and `MixedProjectsError`.
    """
    whose = projects.of_communities(connection, [community_id for community_id, _ in months])
    if len(whose) > 1:
        raise MixedProjectsError("a run bills communities of one project; make one for each")
    run_id = insert(
        connection,
        tables.bill_run,
        project_id=whose.pop(),
        kind=kind,
        period=period,
        state="draft",
        created_by=actor,
        created_at=now,
    )
    for community_id, month in months:
        insert(
            connection,
            tables.community_run,
            bill_run_id=run_id,
            community_id=community_id,
            period=month,
            revision=_next_revision(connection, community_id, month),
            state="draft",
            problems="[]",
            anomalies="[]",
            bills=0,
            total=0,
        )
    return run_id


def project_of(connection: Connection, run_id: int) -> int | None:
    """Return whose a run is, None for one that is not there."""
    run = tables.bill_run
    found: int | None = connection.scalar(select(run.c.project_id).where(run.c.id == run_id))
    return found


def taken(connection: Connection, community_id: int, period: str) -> int | None:
    """Return the run that has `period` of a community, None if none has."""
    part = tables.community_run
    found: int | None = connection.scalar(
        select(part.c.bill_run_id)
        .where(
            part.c.community_id == community_id,
            part.c.period == period,
            part.c.state.not_in(LEFT),
        )
        .order_by(part.c.revision)
    )
    return found


def _next_revision(connection: Connection, community_id: int, period: str) -> int:
    part = tables.community_run
    newest = connection.scalar(
        select(func.max(part.c.revision)).where(
            part.c.community_id == community_id,
            part.c.period == period,
            part.c.state.not_in(LEFT),
        )
    )
    return 0 if newest is None else newest + 1


def counting(
    connection: Connection,
    community_id: int,
    *,
    before: str | None = None,
    seen_by: int | None = None,
) -> dict[str, Counting]:
    """Return the newest issued revision of each month of a community, of those `before` one.

    `seen_by`: as run `seen_by` sees them, with its own and without what was issued after it.
    """
    run, part = tables.bill_run, tables.community_run
    query = (
        select(part.c.period, part.c.id, run.c.id.label("run_id"), part.c.revision)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(part.c.community_id == community_id, part.c.state.not_in(LEFT))
        .order_by(part.c.revision)
    )
    if before is not None:
        query = query.where(part.c.period < before)
    if seen_by is None:
        query = query.where(run.c.state == "issued")
    else:
        query = query.where(
            or_(and_(run.c.state == "issued", run.c.id < seen_by), run.c.id == seen_by)
        )
    return {
        period: Counting(part_id, run_id, revision)
        for period, part_id, run_id, revision in connection.execute(query)
    }


def read(connection: Connection, run_id: int, *, lock: bool = False) -> Run:
    """Return run `run_id`; with `lock`, nobody else changes it until the transaction ends."""
    query = select(tables.bill_run).where(tables.bill_run.c.id == run_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownRunError(told("there is no bill run {run}", run=run_id))
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
            period=each.period,
            revision=each.revision,
            state=each.state,
            problems=tuple(Problem.of(problem) for problem in read_json(each.problems)),
            anomalies=tuple(
                Anomaly(**{**anomaly, "kind": AnomalyKind(anomaly["kind"])})
                for anomaly in read_json(each.anomalies)
            ),
            bills=each.bills,
            total=each.total,
            digest=each.digest,
        )
        for each in sorted(parts, key=lambda row: (str(row.community), str(row.period)))
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
        raise UnknownRunError(told("there is no bill run {run}", run=run_id))
    mine = select(part.c.digest).where(part.c.id == part_id).with_for_update()
    return str(state), connection.execute(mine).scalar_one()


def assert_state(run_id: int, state: str, *states: str) -> None:
    """Raise `StateError` unless `state` is one of those in which the next step may be taken."""
    if state not in states:
        raise StateError(
            told(
                "run {run} is {state}; this takes a run that is {states}",
                run=run_id,
                state=StateName(state),
                states=joined(map(StateName, states)),
            )
        )


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
        .where(
            part.c.community_id == community_id,
            part.c.state.not_in(LEFT),
            run.c.state != "issued",
        )
        .order_by(run.c.id)
    )
    return [(run_id, period) for run_id, period in rows]


def confirm(connection: Connection, part_ids: Sequence[int]) -> None:
    """Say that months were computed again, to what is stored of them."""
    part = tables.community_run
    connection.execute(part.update().where(part.c.id.in_(part_ids)).values(state="computed"))


def record_result(
    connection: Connection,
    community_run_id: int,
    *,
    state: str,
    problems: Sequence[Problem] = (),
    anomalies: Sequence[Anomaly] = (),
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
            state=state,
            problems=canonical_json([each.document() for each in problems]),
            anomalies=canonical_json([asdict(each) for each in anomalies]),
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
    values = {"state": state, "digest": digest, f"{verb}_by": actor, f"{verb}_at": now}
    if state == "approved":
        values["approved_digest"] = digest
    run = tables.bill_run
    connection.execute(run.update().where(run.c.id == run_id).values(values))


def units(connection: Connection, run_id: int) -> int:
    """Return how many units the communities of a run have, once for each month that it bills."""
    part, unit = tables.community_run, tables.unit
    query = (
        select(func.count())
        .select_from(part)
        .join(unit, unit.c.community_id == part.c.community_id)
        .where(part.c.bill_run_id == run_id, part.c.state.not_in(LEFT))
    )
    return int(connection.scalar(query) or 0)


def redraft(connection: Connection, run_id: int) -> None:
    """Set a run back to its beginning: all that it bills is to be computed, again if it was."""
    run, part = tables.bill_run, tables.community_run
    connection.execute(run.update().where(run.c.id == run_id).values(state="draft"))
    connection.execute(
        part.update()
        .where(part.c.bill_run_id == run_id, part.c.state.not_in(LEFT))
        .values(state="draft")
    )


def withdraw(
    connection: Connection, run_id: int, *, actor: str, now: datetime, reason: str
) -> None:
    """End a run without bills; its communities are free for another one."""
    run, part = tables.bill_run, tables.community_run
    connection.execute(
        run.update()
        .where(run.c.id == run_id)
        .values(state="withdrawn", withdrawn_by=actor, withdrawn_at=now, reason=reason)
    )
    connection.execute(
        part.update()
        .where(part.c.bill_run_id == run_id, part.c.state != "held")
        .values(state="withdrawn")
    )
