"""Half-open intervals of time, and billing periods cut at a community's local midnights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Self

from meters.told import told

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; raise `ValueError` if it has no zone.

    Raises `OverflowError` for one that no year of UTC holds.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(UTC)


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of `day` in `zone`, in UTC.

    Where the clocks skip midnight itself (some zones start summer time at 00:00) this is the first
    instant after the gap.
    """
    wall = datetime.combine(day, time.min, tzinfo=zone)
    return wall.astimezone(UTC)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """The instants `start <= t < end`, both in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "end", utc(self.end))
        if self.start >= self.end:
            raise ValueError(f"the interval from {self.start} to {self.end} holds no instant")

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def overlaps(self, other: Interval) -> bool:
        return self.start < other.end and other.start < self.end

    def intersection(self, other: Interval) -> Interval | None:
        """Return the instants that both hold, or None where there are none."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A billing period: the local days `first <= day < after` of a community's zone."""

    first: date
    after: date
    zone: ZoneInfo

    @classmethod
    def month(cls, key: str, zone: ZoneInfo) -> Self:
        """Return the calendar month named `key` (`2026-10`) in `zone`."""
        match = re.fullmatch(r"([12][0-9]{3})-(0[1-9]|1[0-2])", key)
        if match is None:
            raise ValueError(told("'{text}' is not a month; write it as 2026-10", text=key))
        first = date(int(match[1]), int(match[2]), 1)
        return cls(first, _month(first, 1), zone)

    @classmethod
    def last_full_month(cls, now: datetime, zone: ZoneInfo) -> Self:
        """Return the last calendar month that has ended in `zone` at `now`."""
        today = utc(now).astimezone(zone).date()
        return cls(_month(today, -1), _month(today, 0), zone)

    @property
    def key(self) -> str:
        """The month's name, `2026-10`."""
        return f"{self.first:%Y-%m}"

    @property
    def days(self) -> int:
        return (self.after - self.first).days

    @property
    def interval(self) -> Interval:
        """The period as instants: 23- and 25-hour days are as long as they are."""
        return Interval(
            local_midnight(self.first, self.zone), local_midnight(self.after, self.zone)
        )

    def later(self, months: int) -> Period:
        """Return the calendar month so many `months` after this one, before it if below zero."""
        return Period(_month(self.first, months), _month(self.first, months + 1), self.zone)

    @property
    def previous(self) -> Period:
        """The calendar month before this one."""
        return self.later(-1)

    def months_before(self, count: int) -> frozenset[str]:
        """Return the keys of the `count` months before this one."""
        return frozenset(self.later(-back).key for back in range(1, count + 1))

    def earlier_months(self, of: int) -> frozenset[str]:
        """Return the keys of the months before this one in its quarter (`of` 3) or year (12)."""
        begun = (self.first.month - 1) // of * of + 1
        return frozenset(
            f"{self.first.year}-{month:02}" for month in range(begun, self.first.month)
        )


def _month(day: date, later: int) -> date:
    """Return the first day of the month so many months `later` than that of `day`."""
    years, months = divmod(day.month - 1 + later, 12)
    return date(day.year + years, months + 1, 1)
