"""Installations: which meter counted at a metering point, from when to when, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from meters.interval import Interval, utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Installation:
    """A meter at a metering point from `start` until `end` (None while it stands).

    `first` and `last` are the registers that a person recorded at installation and removal, by
    register name in canonical units. `multiplier` is the ratio of the current and voltage
    transformers in front of the meter; it belongs to the installation, not to the meter.
    """

    point: str
    meter: str
    meter_type: str
    start: datetime
    end: datetime | None = None
    multiplier: Decimal = Decimal(1)
    first: Mapping[str, Decimal] = field(default_factory=dict)
    last: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        if self.end is not None:
            object.__setattr__(self, "end", utc(self.end))
            if self.end <= self.start:
                raise ValueError(f"meter {self.meter} is removed from {self.point} before it came")
        if not self.multiplier.is_finite() or self.multiplier <= 0:
            raise ValueError(f"the multiplier of meter {self.meter} must be above zero")

    def within(self, interval: Interval) -> Interval | None:
        """Return the part of `interval` in which the meter stood, or None."""
        start = max(self.start, interval.start)
        end = interval.end if self.end is None else min(self.end, interval.end)
        return Interval(start, end) if start < end else None
