"""The life of a bill run: draft → computed or blocked → reviewed → approved → issued.

Each step is a transaction with its entry in the audit log. Whoever created or computed a run cannot
approve it; the database holds that too. What is approved is what the approver saw, named by its
digest, what is issued is what was approved, and an issued run never changes. What is not issued can
be withdrawn. A community has one open run at a time, so that each month opens with what the month
before has issued.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing import ledger
from billing.backend import InLine
from billing.computing import (
    COMPUTABLE,
    Given,
    Sources,
    Workers,
    compute_communities,
    has_drafts,
)
from billing.delivery.event import Event, Kind
from billing.digest import run_digest
from billing.months import PeriodError, assert_free, assert_next, to_correct
from billing.run import UnbalancedError
from billing.store import (
    audit,
    delivery_outbox,
    holds,
    payments_credit,
    pool_checks,
    records,
    registry,
    results,
    revisions,
    runs,
)
from billing.store import ledger as journal
from billing.store.runs import StateError
from billing.uncollected import uncollected
from meters.interval import Period
from meters.told import Told, told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.store.runs import CommunityRun, Run
    from meters.archive.protocol import Archive
    from meters.meter_type import MeterType


class ChangedRunError(StateError):
    """What is stored of a run is not what was computed or approved."""


class ReasonError(ValueError):
    """A step that somebody will ask about has no reason."""


class FourEyesError(PermissionError):
    """Who made a run cannot approve it."""


def create_run(
    database: Database,
    *,
    period: str,
    communities: Sequence[str],
    actor: str,
    now: datetime,
    correct_from: str | None = None,
) -> int:
    """Make a draft run of `communities` for the month `period` and return its id.

    With `correct_from`, the issued months from that one on are computed anew, and what has changed
    stands on the same bills; that is for communities whose policy is the next bill. Units that are
    held and not billed since are held on. Raises `PeriodError`, `PeriodTakenError` or
    `UnknownCommunityError`.
    """
    with database.transaction() as connection:
        known = _known(connection, communities)
        months = []
        for code, community_id in known.items():
            assert_next(connection, code, community_id, period, now)
            if correct_from is not None:
                _assert_next_bill(connection, code, community_id)
                issued = to_correct(connection, code, community_id, correct_from)
                months += [(community_id, month) for month in issued]
            months.append((community_id, period))
        run_id = runs.create(
            connection, kind="ordinary", period=period, months=months, actor=actor, now=now
        )
        for community_id in known.values():
            before = correct_from or period
            _hold_on(connection, run_id, community_id, before=before, actor=actor, now=now)
        detail = {"period": period, "communities": list(known), "correct_from": correct_from}
        _log(connection, "run.create", run_id, actor, now, **detail)
        return run_id


def correct(database: Database, *, community: str, first: str, actor: str, now: datetime) -> int:
    """Make the draft run by which a community's policy has its issued months corrected.

    Those from `first` on are computed anew with what is known today. Return the id of a run of
    corrections, whose bills have what people then owe differently, or of the next ordinary run,
    whose bills have it beside their own. Raises `PeriodError`, `PeriodTakenError` or
    `UnknownCommunityError`.
    """
    with database.transaction() as connection:
        ((code, community_id),) = _known(connection, [community]).items()
        policy = revisions.policy(connection, community_id)
        last = runs.last_issued_period(connection, community_id)
        if policy == revisions.CORRECTION_BILL or last is None:
            assert_free(connection, code, community_id)
            months = to_correct(connection, code, community_id, first)
            run_id = runs.create(
                connection,
                kind="correction",
                period=months[-1],
                months=[(community_id, month) for month in months],
                actor=actor,
                now=now,
            )
            _log(connection, "run.create", run_id, actor, now, community=code, corrects=months)
            return run_id
    return create_run(
        database,
        period=Period.month(last, ZoneInfo("UTC")).later(1).key,
        communities=[community],
        correct_from=first,
        actor=actor,
        now=now,
    )


def compute_run(
    database: Database,
    archive: Archive,
    types: Mapping[str, MeterType],
    *,
    run_id: int,
    actor: str,
    now: datetime,
    workers: Workers | None = None,
    resume: bool = False,
) -> Run:
    """Compute every community of a run, again if need be, and return the run.

    A community with problems is parked and the others go on; then the run is blocked. It is
    computed here, from `archive` and `types`, unless `workers` elsewhere are to do it. `resume`:
    only what a computation that was cut off has left, as if nothing had changed since then.
    """
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        if resume:
            runs.assert_state(run.id, run.state, "draft")
        else:
            runs.assert_state(run.id, run.state, *COMPUTABLE)
            runs.redraft(connection, run_id)
    workers = workers or Workers(InLine(), Given(Sources(database, archive, types)))
    while True:
        with database.snapshot() as connection:
            run = runs.read(connection, run_id)
        compute_communities(run, workers)
        with database.transaction() as connection:
            run = runs.read(connection, run_id, lock=True)
            runs.assert_state(run.id, run.state, *COMPUTABLE)
            if not has_drafts(run):  # else somebody has begun it anew meanwhile
                _conclude(connection, run, actor, now)
                return runs.read(connection, run_id)


def _conclude(connection: Connection, run: Run, actor: str, now: datetime) -> None:
    """Say what a run came to that has no drafts left."""
    state = "blocked" if any(part.state == "blocked" for part in run.communities) else "computed"
    digest = _digest(run)
    runs.advance(connection, run.id, state, actor=actor, now=now, digest=digest)
    _log(connection, "run.compute", run.id, actor, now, state=state, digest=digest)
    if state == "blocked":
        delivery_outbox.tell(connection, _blocked(run, now))


def _blocked(run: Run, now: datetime) -> Event:
    blocked = [part for part in run.communities if part.state == "blocked"]
    return Event(
        kind=Kind.RUN_BLOCKED,
        subject=str(run.id),
        occasion=now.isoformat(),
        at=now,
        data={
            "run": run.id,
            "period": run.period,
            "communities": sorted({part.community for part in blocked}),
            "problems": sum(len(part.problems) for part in blocked),
        },
        community_id=blocked[0].community_id,
    )


def review_run(database: Database, *, run_id: int, actor: str, now: datetime) -> Run:
    """Say that the differences and anomalies of a computed run were looked at; return the run."""
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        runs.assert_state(run.id, run.state, "computed")
        _assert_unchanged(connection, run, _not_as_computed(run))
        runs.advance(connection, run_id, "reviewed", actor=actor, now=now, digest=run.digest)
        _log(connection, "run.review", run_id, actor, now, digest=run.digest)
        return runs.read(connection, run_id)


def approve_run(database: Database, *, run_id: int, digest: str, actor: str, now: datetime) -> Run:
    """Approve a reviewed run with a second pair of eyes, and return it.

    `digest` is that of the run which the approver saw; if it is another one now, `ChangedRunError`
    is raised. A run with a pool that is held is not approved (`PoolHeldError`).
    """
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        runs.assert_state(run.id, run.state, "reviewed")
        if digest != run.digest:
            raise ChangedRunError(
                told(
                    "run {run} was computed again since you looked at it: you saw "
                    "'{seen}', it is '{now}' now; look at it again",
                    run=run_id,
                    seen=digest,
                    now=run.digest,
                )
            )
        if actor in (run.created_by, run.computed_by):
            raise FourEyesError(
                told(
                    "{person} made run {run}, so somebody else has to approve it (four eyes)",
                    person=actor,
                    run=run_id,
                )
            )
        pool_checks.assert_none_held(connection, run_id)
        _assert_unchanged(connection, run, _not_as_computed(run))
        runs.advance(connection, run_id, "approved", actor=actor, now=now, digest=run.digest)
        _log(connection, "run.approve", run_id, actor, now, digest=run.digest)
        return runs.read(connection, run_id)


@uncollected()
def issue_run(database: Database, *, run_id: int, actor: str, now: datetime) -> Run:
    """Issue an approved run: date its bills, post what they claim, and freeze all of it."""
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        runs.assert_state(run.id, run.state, "approved")
        changed = told(
            "run {run} is not what was approved; somebody has changed it in the database",
            run=run.id,
        )
        _assert_unchanged(connection, run, changed)
        for part in _billed(run):
            _issue_part(connection, part, now)
        runs.advance(connection, run_id, "issued", actor=actor, now=now, digest=run.digest)
        _log(connection, "run.issue", run_id, actor, now, digest=run.digest)
        return runs.read(connection, run_id)


def withdraw_run(database: Database, *, run_id: int, reason: str, actor: str, now: datetime) -> Run:
    """End a run that is not issued, whatever it has come to, and return it.

    Nothing of what it made is kept; its numbers and its month are free again.
    """
    if not reason.strip():
        raise ReasonError(told("say why run {run} is withdrawn", run=run_id))
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        runs.assert_state(run_id, run.state, *COMPUTABLE, "approved")
        for part in run.communities:
            results.replace(connection, part.id, None)
        runs.withdraw(connection, run_id, actor=actor, now=now, reason=reason)
        _log(connection, "run.withdraw", run_id, actor, now, reason=reason, digest=run.digest)
        return runs.read(connection, run_id)


def _issue_part(connection: Connection, part: CommunityRun, now: datetime) -> None:
    zone = registry.period_of(connection, part.community_id, part.period).zone
    today = now.astimezone(zone).date()
    due_on = today + timedelta(days=registry.due_days(connection, part.community_id))
    results.date_bills(connection, part.id, issued_on=today, due_on=due_on)
    entries = [
        ledger.receivable(number, account_id, revenue)
        for number, account_id, revenue in results.revenue_of_bills(connection, part.id)
    ]
    claimed = sum(entry.amount_on(ledger.RECEIVABLE) for entry in entries)
    if claimed != part.total:
        raise UnbalancedError(
            f"{part.community}: the bills claim {part.total} fen, their lines {claimed}; "
            "nothing of it is issued"
        )
    journal.post(connection, part.community_id, entries, at=now)
    payments_credit.use_for_issued(connection, part.community_id, entries, at=now)
    delivery_outbox.bills_issued(connection, part.id, at=now)


def _known(connection: Connection, codes: Sequence[str]) -> dict[str, int]:
    """Return the ids of communities by code, and keep others from making runs of them."""
    if not codes:
        raise registry.UnknownCommunityError("a run bills one community or more; name them")
    known = registry.community_ids(connection)
    if unknown := [code for code in sorted(set(codes)) if code not in known]:
        raise registry.UnknownCommunityError(f"there is no community {unknown[0]!r}")
    found = {code: known[code] for code in sorted(set(codes))}
    registry.lock(connection, list(found.values()))
    return found


def _assert_next_bill(connection: Connection, code: str, community_id: int) -> None:
    policy = revisions.policy(connection, community_id)
    if policy != revisions.NEXT_BILL:
        raise PeriodError(
            told(
                "corrections of {community} are on bills of their own; make a run for them",
                community=code,
            )
        )


def _hold_on(
    connection: Connection,
    run_id: int,
    community_id: int,
    *,
    before: str,
    actor: str,
    now: datetime,
) -> None:
    for unit, (since, reason) in holds.unbilled(connection, community_id, before=before).items():
        holds.add(
            connection,
            run_id,
            community_id,
            building=None,
            unit=unit,
            reason=reason,
            actor=actor,
            now=now,
        )
        _log(connection, "run.hold", run_id, actor, now, unit=unit, reason=reason, since=since)


def _billed(run: Run) -> list[CommunityRun]:
    """Return what a run bills: all but the communities that are held."""
    return [part for part in run.communities if part.state not in runs.LEFT]


def _digest(run: Run) -> str:
    return run_digest((part.name, str(part.digest)) for part in _billed(run))


def _not_as_computed(run: Run) -> Told:
    return told("run {run} is not what was computed; compute it again", run=run.id)


def _assert_unchanged(connection: Connection, run: Run, changed: Told) -> None:
    """Raise `ChangedRunError` unless all that is stored of `run` gives the digest that it has."""
    stored = [(part.name, records.community_digest(connection, part.id)) for part in _billed(run)]
    if run_digest(stored) != run.digest:
        raise ChangedRunError(changed)


def _log(
    connection: Connection, action: str, run_id: int, actor: str, now: datetime, **detail: object
) -> None:
    audit.append(
        connection,
        at=now,
        actor=actor,
        action=action,
        subject=f"run:{run_id}",
        detail=detail,
        project=runs.project_of(connection, run_id),
    )
