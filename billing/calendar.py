"""Calendars of time-of-use bands: which band holds at which local hour of which day.

A band holds by the local clock, as in a tariff meter: where clocks go back, the hour that comes
twice is read twice; where they skip an hour, nothing of it is. Bands are said by when they begin,
so a day has no gap and no overlap, and every kind of day of every season must have a plan.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, model_validator

from billing.fields import Day, Name, NotEmpty
from meters.definition import Definition
from meters.interval import utc
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from meters.interval import Interval

DayKind = Literal["workday", "weekend", "holiday"]
DAY_KINDS: tuple[DayKind, ...] = ("workday", "weekend", "holiday")
DAY_MINUTES = 24 * 60
LEAP_YEAR = 2024
Weekday = Literal[1, 2, 3, 4, 5, 6, 7]
WEEKEND: tuple[Weekday, ...] = (6, 7)
ONE_DAY = timedelta(days=1)


class CalendarError(ValueError):
    """A calendar does not say what holds on a day."""


@dataclass(frozen=True, slots=True)
class BandRun:
    """`band` holds from `start` until `end`, both in UTC."""

    start: datetime
    end: datetime
    band: str


def _minute(value: object) -> int:
    """Return the minute of the day that `07:30` says."""
    if isinstance(value, str) and re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        return int(value[:2]) * 60 + int(value[3:])
    raise ValueError(f'must be a time of day such as "07:30", got {value!r}')


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _month_day(value: object) -> tuple[int, int]:
    """Return month and day that `07-01` says."""
    try:
        day = date.fromisoformat(f"{LEAP_YEAR}-{value}")
    except ValueError:
        raise ValueError(f'must be a day of the year such as "07-01", got {value!r}') from None
    return day.month, day.day


Minute = Annotated[int, BeforeValidator(_minute), PlainSerializer(_clock)]
MonthDay = Annotated[
    tuple[int, int],
    BeforeValidator(_month_day),
    PlainSerializer(lambda day: f"{day[0]:02}-{day[1]:02}"),
]


def _from_midnight_on(bands: tuple[tuple[int, str], ...]) -> tuple[tuple[int, str], ...]:
    if bands[0][0] != 0:
        raise ValueError(f"the first band begins at {_clock(bands[0][0])}; let it begin at 00:00")
    for (before, _), (start, _) in pairwise(bands):
        if start <= before:
            raise ValueError(f"{_clock(start)} does not come after {_clock(before)}")
    return bands


class DayPlan(Definition):
    """The bands of a day: `[start, band]`, each until the next begins, from 00:00 to midnight.

    `season`: the first and last day of the year that it is for, all unless said, over New Year
    where the last comes before the first; `on`: for which kinds of day, all unless said.
    """

    season: tuple[MonthDay, MonthDay] | None = None
    on: Annotated[tuple[DayKind, ...], NotEmpty] | None = None
    bands: Annotated[tuple[tuple[Minute, Name], ...], NotEmpty, AfterValidator(_from_midnight_on)]

    def holds_on(self, day: date, kind: DayKind) -> bool:
        if self.on is not None and kind not in self.on:
            return False
        if self.season is None:
            return True
        first, last = self.season
        here = (day.month, day.day)
        return first <= here <= last if first <= last else here >= first or here <= last


class Calendar(Definition):
    """Which band holds when: the first of `days` that is for a day is its plan.

    `holidays` are of kind holiday, whatever the weekday; `workdays` are weekend days that are
    worked (调休); `weekend`: ISO weekdays, Saturday and Sunday unless said.
    """

    days: Annotated[tuple[DayPlan, ...], NotEmpty]
    holidays: tuple[Day, ...] = ()
    workdays: tuple[Day, ...] = ()
    weekend: tuple[Weekday, ...] = WEEKEND

    @model_validator(mode="after")
    def _every_day_has_a_plan(self) -> Self:
        for offset in range(366):
            day = date(LEAP_YEAR, 1, 1) + timedelta(days=offset)
            for kind in DAY_KINDS:
                if not any(plan.holds_on(day, kind) for plan in self.days):
                    raise ValueError(
                        f"no plan for {day:%m-%d} where it is a {kind}; let the last of the days "
                        "be for all others: leave out season and on"
                    )
        if both := sorted(set(self.holidays) & set(self.workdays)):
            raise ValueError(f"{both[0]} is both a holiday and a workday")
        return self

    @property
    def bands(self) -> frozenset[str]:
        """The names of all bands."""
        return frozenset(band for plan in self.days for _, band in plan.bands)

    def runs(self, interval: Interval, zone: ZoneInfo) -> tuple[BandRun, ...]:
        """Return the bands of `interval` in the order of time; neighbours differ.

        Raises `CalendarError` for a year of which no holiday is known though holidays count.
        """
        found: list[BandRun] = []
        for run in self._pieces(interval, zone):
            if found and found[-1].band == run.band:
                found[-1] = BandRun(found[-1].start, run.end, run.band)
            else:
                found.append(run)
        return tuple(found)

    def _pieces(self, interval: Interval, zone: ZoneInfo) -> Iterator[BandRun]:
        for start, end in _between_clock_changes(interval, zone):
            shift = _shift(start, zone)
            wall, wall_end = (moment.replace(tzinfo=None) + shift for moment in (start, end))
            while wall < wall_end:
                until, band = self._at(wall)
                until = min(until, wall_end)
                yield BandRun(
                    (wall - shift).replace(tzinfo=start.tzinfo),
                    (until - shift).replace(tzinfo=start.tzinfo),
                    band,
                )
                wall = until

    def _at(self, wall: datetime) -> tuple[datetime, str]:
        """Return the band at a reading of the local clock, and until when it holds that day."""
        plan = self._plan(wall.date()).bands
        midnight = datetime.combine(wall.date(), time.min)
        minute = (wall - midnight) // timedelta(minutes=1)
        starts = [*(start for start, _ in plan[1:]), DAY_MINUTES]
        place = next(place for place, start in enumerate(starts) if minute < start)
        return midnight + timedelta(minutes=starts[place]), plan[place][1]

    def _plan(self, day: date) -> DayPlan:
        kind = self._kind(day)
        return next(plan for plan in self.days if plan.holds_on(day, kind))

    def _kind(self, day: date) -> DayKind:
        reads_holidays = any(plan.on is not None and "holiday" in plan.on for plan in self.days)
        if reads_holidays and all(holiday.year != day.year for holiday in self.holidays):
            raise CalendarError(
                told(
                    "the calendar lists no holidays of {year}; add a version of the tariff with "
                    "them",
                    year=day.year,
                )
            )
        if day in self.holidays:
            return "holiday"
        rests = day.isoweekday() in self.weekend and day not in self.workdays
        return "weekend" if rests else "workday"


def _shift(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _between_clock_changes(
    interval: Interval, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the parts of `interval` in which the local clock runs evenly."""
    start = moment = utc(interval.start)
    while moment < interval.end:
        after = min(moment + ONE_DAY, interval.end)
        if _shift(moment, zone) != _shift(after, zone):
            change = _change(moment, after, zone)
            yield start, change
            start = change
        moment = after
    if start < interval.end:
        yield start, interval.end


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second after `before` at which the clocks are as they are at `after`."""
    old = _shift(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if _shift(middle, zone) == old:
            before = middle
        else:
            after = middle
    return after
