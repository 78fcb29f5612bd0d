"""Estimates: what a meter probably showed when nothing says what it did show.

Each method comes down to one formula, so that one check recomputes all: the last known register,
plus the sum of samples of use, each times a weight, rounded half-even to a step of the display. An
estimate is never silent: it is a finding, it stands in the evidence, and the next actual reading
corrects it, because the difference is taken from what was estimated.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from meters.interval import Interval, local_midnight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal
    from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)


class Method(StrEnum):
    """How a register is estimated."""

    INTERPOLATE = "interpolate"
    """Between the last reading before and the first one after, however far they are apart."""
    LIKE_DAY = "like-day"
    """Each missing day by the average of the same weekday in the weeks before."""
    PREVIOUS_AVERAGE = "previous-average"
    """By the average daily use of the last period that was billed."""
    BY_DAYS = "by-days"
    """What is known of a whole interval, in proportion to the days of its parts."""
    STATED = "stated"
    """By a use that a person states."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A use that is known: what was counted in `interval`, and how much of it is added.

    `weight` takes it to the unit of the counter, where it was used behind transformers.
    """

    interval: Interval
    quantity: Decimal
    weight: Fraction


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a counter showed last, `value` at `since`, and the use that is added to it.

    `step` is one step of its display, `modulus` where it wraps, None where nobody knows.
    """

    method: Method
    since: datetime
    value: Decimal
    samples: tuple[Sample, ...]
    step: Decimal
    modulus: Decimal | None = None

    @property
    def growth(self) -> Decimal:
        """What the counter is taken to have grown by since, in steps of its display."""
        exact = sum((Fraction(each.quantity) * each.weight for each in self.samples), Fraction(0))
        return round(exact / Fraction(self.step)) * self.step

    @property
    def register(self) -> Decimal:
        """What the counter is taken to show."""
        shown = self.value + self.growth
        return shown % self.modulus if self.modulus is not None else shown


class NoEstimateError(ValueError):
    """What a method needs is not known; the message says what."""


def interpolated(known: Interval, growth: Decimal, at: datetime) -> Sample:
    """Return the part up to `at` of what was counted in `known`, in proportion to time."""
    share = Fraction((at - known.start) // SECOND, known.length // SECOND)
    return Sample(known, growth, share)


def previous_average(last: Interval, use: Decimal, missing: Interval) -> Sample:
    """Return the `use` of the interval that was billed `last`, as much as is `missing`."""
    return Sample(last, use, Fraction(missing.length // SECOND, last.length // SECOND))


def like_days(
    days: Sequence[tuple[Interval, Decimal]], missing: Interval, zone: ZoneInfo
) -> tuple[Sample, ...]:
    """Return the known `days`, weighted so that each that is `missing` has the mean of its weekday.

    `days` are whole local days with what was counted. Raises `NoEstimateError` for a weekday that
    none of them is.
    """
    known: dict[int, list[Interval]] = defaultdict(list)
    for day, _ in days:
        known[_weekday(day.start, zone)].append(day)
    weights: dict[Interval, Fraction] = defaultdict(Fraction)
    for part, whole in _days(missing, zone):
        alike = known.get(_weekday(part.start, zone), [])
        if not alike:
            name = f"{part.start.astimezone(zone):%A}"
            raise NoEstimateError(f"no {name} of the weeks before is known")
        share = Fraction(part.length // SECOND, whole.length // SECOND) / len(alike)
        for day in alike:
            weights[day] += share
    return tuple(Sample(day, use, weights[day]) for day, use in days if day in weights)


def _weekday(moment: datetime, zone: ZoneInfo) -> int:
    return moment.astimezone(zone).weekday()


def _days(interval: Interval, zone: ZoneInfo) -> Iterator[tuple[Interval, Interval]]:
    """Yield the parts of `interval` by local days, each with its whole day."""
    start = interval.start
    while start < interval.end:
        first = start.astimezone(zone).date()
        whole = Interval(
            local_midnight(first, zone), local_midnight(first + timedelta(days=1), zone)
        )
        end = min(whole.end, interval.end)
        yield Interval(start, end), whole
        start = end
