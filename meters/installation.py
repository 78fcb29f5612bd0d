"""Installations: which meter counted at a metering point, from when to when, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from meters.interval import Interval, utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of the transformers in front of a meter from `since` on.

    `shown` are the registers that a person recorded when they were changed, by register name in
    canonical units; `photo` refers to a picture of them.
    """

    since: datetime
    multiplier: Decimal
    shown: Mapping[str, Decimal] = field(default_factory=dict)
    photo: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "since", utc(self.since))


@dataclass(frozen=True, slots=True)
class Installation:
    """A meter at a metering point from `start` until `end` (None while it stands).

    `first` and `last` are the registers that a person recorded at installation and removal, by
    register name in canonical units; the photos refer to pictures of them. `multiplier` is the
    ratio of the current and voltage transformers in front of the meter; it belongs to the
    installation, not to the meter. `ratios` are later ones, each from its instant on.
    `verified_until` is the instant at which the meter's verification (检定) expires, None where it
    is not known.
    """

    point: str
    meter: str
    meter_type: str
    start: datetime
    end: datetime | None = None
    multiplier: Decimal = Decimal(1)
    first: Mapping[str, Decimal] = field(default_factory=dict)
    last: Mapping[str, Decimal] = field(default_factory=dict)
    ratios: tuple[Ratio, ...] = ()
    verified_until: datetime | None = None
    first_photo: str | None = None
    last_photo: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        if self.end is not None:
            object.__setattr__(self, "end", utc(self.end))
            if self.end <= self.start:
                raise ValueError(f"meter {self.meter} is removed from {self.point} before it came")
        if self.verified_until is not None:
            object.__setattr__(self, "verified_until", utc(self.verified_until))
        for multiplier in (self.multiplier, *(each.multiplier for each in self.ratios)):
            if not multiplier.is_finite() or multiplier <= 0:
                raise ValueError(f"the multiplier of meter {self.meter} must be above zero")
        if not self.ratios:
            return
        object.__setattr__(self, "ratios", tuple(sorted(self.ratios, key=lambda r: r.since)))
        changes = [self.start, *(each.since for each in self.ratios)]
        if self.end is not None:
            changes.append(self.end)
        if any(earlier >= later for earlier, later in pairwise(changes)):
            raise ValueError(
                f"the ratios of meter {self.meter} must change one after another while it stands"
            )

    def within(self, interval: Interval) -> Interval | None:
        """Return the part of `interval` in which the meter stood, or None."""
        start = max(self.start, interval.start)
        end = interval.end if self.end is None else min(self.end, interval.end)
        return Interval(start, end) if start < end else None

    def pieces(self, interval: Interval) -> Iterator[tuple[Interval, Decimal]]:
        """Yield the parts of `interval` in which the meter stood, each with its one multiplier."""
        part = self.within(interval)
        if part is None:
            return
        multiplier, start = self.multiplier, part.start
        for ratio in self.ratios:
            if start < ratio.since < part.end:
                yield Interval(start, ratio.since), multiplier
                start = ratio.since
            if ratio.since <= start:
                multiplier = ratio.multiplier
        yield Interval(start, part.end), multiplier

    def changed_at(self, moment: datetime) -> Ratio | None:
        """Return the ratio that holds from exactly `moment` on, None where it did not change."""
        for each in self.ratios:
            if each.since == moment:
                return each
        return None
