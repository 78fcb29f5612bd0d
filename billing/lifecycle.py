"""The life of a bill run: draft → computed or blocked → approved → issued.

Each step is a transaction with its entry in the audit log. Whoever created or computed a run cannot
approve it; the database holds that too. What is approved is what was computed, what is issued is
what was approved, and an issued run never changes. A community has one open run at a time, so that
each month opens with what the month before has issued.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing import ledger
from billing.backend import InLine
from billing.computing import COMPUTABLE, Given, Sources, Workers, compute_communities
from billing.digest import run_digest
from billing.run import UnbalancedError
from billing.store import audit, records, registry, results, runs
from billing.store import ledger as journal
from billing.store.runs import StateError
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.store.runs import CommunityRun, Run
    from meters.archive.protocol import Archive
    from meters.meter_type import MeterType


class PeriodError(ValueError):
    """A period cannot be billed now: it has not ended, or it is not the next one."""


class ChangedRunError(StateError):
    """What is stored of a run is not what was computed or approved."""


class FourEyesError(PermissionError):
    """Who made a run cannot approve it."""


def create_run(
    database: Database, *, period: str, communities: Sequence[str], actor: str, now: datetime
) -> int:
    """Make a draft run of `communities` for the month `period` and return its id.

    Raises `PeriodError`, `PeriodTakenError` or `UnknownCommunityError`.
    """
    codes = sorted(set(communities))
    if not codes:
        raise registry.UnknownCommunityError("a run bills one community or more; name them")
    with database.transaction() as connection:
        known = registry.community_ids(connection)
        if unknown := [code for code in codes if code not in known]:
            raise registry.UnknownCommunityError(f"there is no community {unknown[0]!r}")
        ids = [known[code] for code in codes]
        registry.lock(connection, ids)
        for code, community_id in zip(codes, ids, strict=True):
            _assert_next(connection, code, community_id, period, now)
        run_id = runs.create(connection, period=period, communities=ids, actor=actor, now=now)
        _log(connection, "run.create", run_id, actor, now, period=period)
        return run_id


def compute_run(
    database: Database,
    archive: Archive,
    types: Mapping[str, MeterType],
    *,
    run_id: int,
    actor: str,
    now: datetime,
    workers: Workers | None = None,
) -> Run:
    """Compute every community of a run, again if need be, and return the run.

    A community with problems is parked and the others go on; then the run is blocked. It is
    computed here, from `archive` and `types`, unless `workers` elsewhere are to do it.
    """
    with database.snapshot() as connection:
        run = runs.read(connection, run_id)
    _assert_state(run, "compute", *COMPUTABLE)
    workers = workers or Workers(InLine(), Given(Sources(database, archive, types)))
    compute_communities(run, workers)
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        _assert_state(run, "compute", *COMPUTABLE)
        blocked = any(part.state == "blocked" for part in run.communities)
        digest = run_digest((part.community, str(part.digest)) for part in run.communities)
        state = "blocked" if blocked else "computed"
        runs.advance(connection, run_id, state, actor=actor, now=now, digest=digest)
        _log(connection, "run.compute", run_id, actor, now, state=state, digest=digest)
        return runs.read(connection, run_id)


def approve_run(database: Database, *, run_id: int, actor: str, now: datetime) -> Run:
    """Approve a computed run with a second pair of eyes, and return it."""
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        _assert_state(run, "approve", "computed")
        if actor in (run.created_by, run.computed_by):
            raise FourEyesError(
                f"{actor} made run {run_id}, so somebody else has to approve it (four eyes)"
            )
        _assert_unchanged(connection, run, "computed; compute it again")
        runs.advance(connection, run_id, "approved", actor=actor, now=now, digest=run.digest)
        _log(connection, "run.approve", run_id, actor, now, digest=run.digest)
        return runs.read(connection, run_id)


def issue_run(database: Database, *, run_id: int, actor: str, now: datetime) -> Run:
    """Issue an approved run: date its bills, post what they claim, and freeze all of it."""
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        _assert_state(run, "issue", "approved")
        _assert_unchanged(connection, run, "approved; somebody has changed it in the database")
        for part in run.communities:
            _issue_community(connection, part, run.period, now)
        runs.advance(connection, run_id, "issued", actor=actor, now=now, digest=run.digest)
        _log(connection, "run.issue", run_id, actor, now, digest=run.digest)
        return runs.read(connection, run_id)


def _issue_community(
    connection: Connection, part: CommunityRun, period: str, now: datetime
) -> None:
    zone = registry.period_of(connection, part.community_id, period).zone
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


def _assert_next(
    connection: Connection, code: str, community_id: int, key: str, now: datetime
) -> None:
    """Raise unless `key` has ended and follows the last issued period without a gap (I2).

    What is not issued yet would open the next period with other registers and another year to date.
    """
    try:
        period = registry.period_of(connection, community_id, key)
    except ValueError as error:
        raise PeriodError(str(error)) from error
    if now < period.interval.end:
        raise PeriodError(f"{key} ends at {period.interval.end}; bill it after that")
    for run_id, open_period in runs.not_issued(connection, community_id):
        if open_period != key:
            raise PeriodError(
                f"{code} has run {run_id} for {open_period}, which is not issued yet; finish it "
                "first"
            )
    last = runs.last_issued_period(connection, community_id)
    if last is not None and key < last:
        raise PeriodError(f"{code} was billed up to {last}; nothing before it can be billed now")
    if last is not None and last < period.previous.key:
        following = Period.month(last, ZoneInfo("UTC")).after.strftime("%Y-%m")
        raise PeriodError(f"{code} was billed up to {last}; {following} comes first")


def _assert_state(run: Run, step: str, *states: str) -> None:
    runs.assert_state(run.id, run.state, step, *states)


def _assert_unchanged(connection: Connection, run: Run, since: str) -> None:
    """Raise `ChangedRunError` unless all that is stored of `run` gives the digest that it has."""
    stored = [
        (part.community, records.community_digest(connection, part.id)) for part in run.communities
    ]
    if run_digest(stored) != run.digest:
        raise ChangedRunError(f"run {run.id} is not what was {since}")


def _log(
    connection: Connection, action: str, run_id: int, actor: str, now: datetime, **detail: object
) -> None:
    audit.append(
        connection, at=now, actor=actor, action=action, subject=f"run:{run_id}", detail=detail
    )
