"""Demand: the highest average over windows of 15 or 30 minutes, from registers at their edges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from meters.archive.rows import EPOCH, SECOND
from meters.finding import Finding
from meters.quantity import from_scaled, to_scaled
from meters.stepwise import MISSING
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meters.edges import Int64s
    from meters.interval import Interval
    from meters.stepwise import Shown
    from meters.usage import Segment, Usage

HOUR_MINUTES = 60
BESIDE = timedelta(minutes=1)
"""How far from the edge of a window a reading may be and still stand for it as it is."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest average of a usage over windows of `minutes`, in its unit per hour.

    `start`: the first window that reached it; `opening`, `closing`: what the meter showed at its
    ends. `known` of `windows` are known; what the others reached, nobody can say.
    """

    minutes: int
    start: datetime
    meter: str
    opening: Decimal
    closing: Decimal
    modulus: Decimal | None
    multiplier: Decimal
    known: int
    windows: int

    @property
    def average(self) -> Decimal:
        """(closing − opening, rollover resolved) × multiplier × 60 ÷ minutes."""
        grown = self.closing - self.opening
        if grown < 0 and self.modulus is not None:
            grown += self.modulus
        return grown * self.multiplier * HOUR_MINUTES / Decimal(self.minutes)


@dataclass(frozen=True, slots=True)
class UnknownDemand(Finding):
    """Some windows are not known, so the highest average may have been in one of them."""

    minutes: int
    known: int
    windows: int

    def __str__(self) -> str:
        return told(
            "{known} of {windows} windows of {minutes} minutes are known; the "
            "highest average may have been in another: have the meter read at least "
            "that often",
            known=self.known,
            windows=self.windows,
            minutes=self.minutes,
        )


@dataclass(frozen=True, slots=True)
class NoDemand(Finding):
    """No window is known at all."""

    blocks: ClassVar[bool] = True
    minutes: int

    def __str__(self) -> str:
        return told(
            "no window of {minutes} minutes is known, so there is no highest "
            "average; have the meter read at least that often, or bill it by another "
            "tariff",
            minutes=self.minutes,
        )


def window_edges(interval: Interval, minutes: int) -> list[datetime]:
    """Return the instants at which windows begin and end: they follow one another from the start.

    What is left at the end and shorter than a window is none.
    """
    width = timedelta(minutes=minutes)
    count = interval.length // width
    return [interval.start + n * width for n in range(count + 1)]


def peak(usage: Usage, minutes: int, shown_by: Sequence[Shown]) -> Peak | None:
    """Return the highest average over windows of `minutes`; None where no window is known.

    `shown_by`: what the meter of each segment showed at the windows' edges. A window in which a
    meter or its ratio was changed counts as one that is not known.
    """
    windows = usage.interval.length // timedelta(minutes=minutes)
    known, best = 0, Decimal(-1)
    found: tuple[Segment, Shown, int] | None = None
    for segment, seen in zip(usage.segments, shown_by, strict=True):
        grown, places = _windows(segment, seen, minutes)
        known += len(places)
        if not len(places):
            continue
        highest = int(np.argmax(grown))
        average = int(grown[highest]) * segment.multiplier
        if average > best:
            best, found = average, (segment, seen, int(places[highest]))
    if found is None:
        return None
    segment, seen, place = found
    return Peak(
        minutes=minutes,
        start=EPOCH + timedelta(seconds=int(seen.at_s[place])),
        meter=segment.opening.meter,
        opening=from_scaled(int(seen.values[place])),
        closing=from_scaled(int(seen.values[place + 1])),
        modulus=segment.modulus,
        multiplier=segment.multiplier,
        known=known,
        windows=windows,
    )


def _windows(segment: Segment, seen: Shown, minutes: int) -> tuple[Int64s, Int64s]:
    """Return what was counted in each known window inside `segment`, and the place of its start."""
    first_s = (segment.opening.at - EPOCH) // SECOND
    last_s = (segment.closing.at - EPOCH) // SECOND
    inside = (seen.at_s >= first_s) & (seen.at_s <= last_s) & (seen.sources != MISSING)
    whole = inside[:-1] & inside[1:] & (np.diff(seen.at_s) == minutes * 60)
    grown = np.diff(seen.values)
    if segment.modulus is not None:
        grown[grown < 0] += to_scaled(segment.modulus)
    places = np.flatnonzero(whole & (grown >= 0))
    return grown[places], places
