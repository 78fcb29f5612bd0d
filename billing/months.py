"""Which months of a community a run can bill or correct now (I2).

Months are issued in their order, without a gap, and one run at a time is open: what is not issued
yet would open the next month with other registers and another year to date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.store import registry, runs
from billing.store.runs import PeriodTakenError
from meters.interval import Period
from meters.told import text_of, told

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

UTC = ZoneInfo("UTC")


class PeriodError(ValueError):
    """A period cannot be billed or corrected now: the message says why."""


def through(first: str, last: str) -> list[str]:
    """Return the keys of the months from `first` to `last`, which is not before it."""
    found = [Period.month(first, UTC)]
    while found[-1].key < last:
        found.append(found[-1].later(1))
    return [each.key for each in found]


def assert_next(
    connection: Connection, code: str, community_id: int, key: str, now: datetime
) -> None:
    """Raise unless `key` has ended, follows the last issued month, and nothing else is open.

    Raises `PeriodError`, or `PeriodTakenError` where a run has the month already.
    """
    period = _ended(connection, community_id, key, now)
    _assert_nothing_else(connection, code, community_id, key)
    last = runs.last_issued_period(connection, community_id)
    if last is not None and key < last:
        raise PeriodError(
            told(
                "{community} was billed up to {last}; nothing before it can be billed now, "
                "but corrected",
                community=code,
                last=last,
            )
        )
    if last is not None and last < period.previous.key:
        raise PeriodError(
            told(
                "{community} was billed up to {last}; {next} comes first",
                community=code,
                last=last,
                next=through(last, key)[1],
            )
        )
    taken = runs.taken(connection, community_id, key)
    if taken is not None:
        raise PeriodTakenError(
            told(
                "{month} has run {run} already; open that one instead of a second",
                month=key,
                run=taken,
            )
        )


def to_correct(connection: Connection, code: str, community_id: int, first: str) -> list[str]:
    """Return the issued months from `first` to the last one; raise `PeriodError`."""
    last = runs.last_issued_period(connection, community_id)
    try:
        Period.month(first, UTC)
    except ValueError as error:
        raise PeriodError(text_of(error)) from error
    if last is None or runs.taken(connection, community_id, first) is None or first > last:
        raise PeriodError(
            told("{community} has issued nothing, so there is nothing to correct", community=code)
            if last is None
            else told(
                "{community} has issued nothing of {month}, so there is nothing to correct",
                community=code,
                month=first,
            )
        )
    return through(first, last)


def assert_free(connection: Connection, code: str, community_id: int) -> None:
    """Raise `PeriodError` where a run of the community is open."""
    _assert_nothing_else(connection, code, community_id, None)


def _ended(connection: Connection, community_id: int, key: str, now: datetime) -> Period:
    try:
        period = registry.period_of(connection, community_id, key)
    except ValueError as error:
        raise PeriodError(text_of(error)) from error
    if now < period.interval.end:
        raise PeriodError(
            told("{month} ends at {end}; bill it after that", month=key, end=period.interval.end)
        )
    return period


def _assert_nothing_else(
    connection: Connection, code: str, community_id: int, key: str | None
) -> None:
    for run_id, period in runs.not_issued(connection, community_id):
        if period != key:
            raise PeriodError(
                told(
                    "{community} has run {run} for {month}, which is not issued yet; finish "
                    "it or withdraw it first",
                    community=code,
                    run=run_id,
                    month=period,
                )
            )
