"""The life of a bill run: draft → computed or blocked → approved → issued.

Each step is a transaction with its entry in the audit log. Whoever created or computed a run cannot
approve it; the database holds that too. An issued run never changes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing import ledger
from billing.digest import community_digest, run_digest
from billing.run import Computed, compute
from billing.store import audit, registry, results, runs
from billing.store import ledger as journal
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.store.runs import CommunityRun, Run
    from meters.archive.protocol import Archive
    from meters.meter_type import MeterType

_COMPUTABLE = ("draft", "computed", "blocked")


class PeriodError(ValueError):
    """A period cannot be billed now: it has not ended, or an earlier one comes first."""


class StateError(ValueError):
    """A run is not in the state that a step starts from."""


class FourEyesError(PermissionError):
    """Who made a run cannot approve it."""


def create_run(
    database: Database, *, period: str, communities: Sequence[str], actor: str, now: datetime
) -> int:
    """Make a draft run of `communities` for the month `period` and return its id.

    Raises `PeriodError`, `PeriodTakenError` or `UnknownCommunityError`.
    """
    with database.transaction() as connection:
        known = registry.community_ids(connection)
        if unknown := [code for code in communities if code not in known]:
            raise registry.UnknownCommunityError(f"there is no community {unknown[0]!r}")
        ids = [known[code] for code in communities]
        for code, community_id in zip(communities, ids, strict=True):
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
) -> Run:
    """Compute every community of a run, again if need be, and return the run.

    A community with problems is parked and the others go on; then the run is blocked.
    """
    with database.snapshot() as connection:
        run = runs.read(connection, run_id)
    _assert_state(run, "compute", *_COMPUTABLE)
    for part in run.communities:
        _compute_community(database, archive, types, run, part)
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        _assert_state(run, "compute", *_COMPUTABLE)
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
        runs.advance(connection, run_id, "approved", actor=actor, now=now, digest=run.digest)
        _log(connection, "run.approve", run_id, actor, now, digest=run.digest)
        return runs.read(connection, run_id)


def issue_run(database: Database, *, run_id: int, actor: str, now: datetime) -> Run:
    """Issue an approved run: date its bills, post what they claim, and freeze all of it."""
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        _assert_state(run, "issue", "approved")
        for part in run.communities:
            _issue_community(connection, part, run.period, now)
        runs.advance(connection, run_id, "issued", actor=actor, now=now, digest=run.digest)
        _log(connection, "run.issue", run_id, actor, now, digest=run.digest)
        return runs.read(connection, run_id)


def _compute_community(
    database: Database,
    archive: Archive,
    types: Mapping[str, MeterType],
    run: Run,
    part: CommunityRun,
) -> None:
    with database.snapshot() as connection:
        seen = registry.read(connection, part.community_id, run.period)
    result = compute(seen, archive, types)
    with database.transaction() as connection:
        _assert_state(runs.read(connection, run.id, lock=True), "compute", *_COMPUTABLE)
        if isinstance(result, Computed):
            results.replace(connection, part.id, result)
            runs.record_result(
                connection,
                part.id,
                bills=len(result.bills),
                total=sum(bill.total for bill in result.bills),
                digest=community_digest(result),
            )
        else:
            results.replace(connection, part.id, None)
            runs.record_result(connection, part.id, problems=result.problems)


def _issue_community(
    connection: Connection, part: CommunityRun, period: str, now: datetime
) -> None:
    seen = registry.read(connection, part.community_id, period)
    today = now.astimezone(seen.period.zone).date()
    results.date_bills(
        connection, part.id, issued_on=today, due_on=today + timedelta(days=seen.due_days)
    )
    entries = (
        ledger.receivable(number, account_id, revenue)
        for number, account_id, revenue in results.revenue_of_bills(connection, part.id)
    )
    journal.post(connection, part.community_id, entries, at=now)


def _assert_next(
    connection: Connection, code: str, community_id: int, key: str, now: datetime
) -> None:
    """Raise unless `key` has ended and follows the last issued period without a gap (I2)."""
    try:
        period = registry.period_of(connection, community_id, key)
    except ValueError as error:
        raise PeriodError(str(error)) from error
    if now < period.interval.end:
        raise PeriodError(f"{key} ends at {period.interval.end}; bill it after that")
    last = runs.last_issued_period(connection, community_id)
    if last is not None and last < period.previous.key:
        following = Period.month(last, ZoneInfo("UTC")).after.strftime("%Y-%m")
        raise PeriodError(f"{code} was billed up to {last}; {following} comes first")


def _assert_state(run: Run, step: str, *states: str) -> None:
    if run.state not in states:
        raise StateError(f"run {run.id} is {run.state}; to {step} it must be {' or '.join(states)}")


def _log(
    connection: Connection, action: str, run_id: int, actor: str, now: datetime, **detail: object
) -> None:
    audit.append(
        connection, at=now, actor=actor, action=action, subject=f"run:{run_id}", detail=detail
    )
