"""A part of a month: how much of a monthly price who holds a unit for some of its days owes.

Each rule says how much of the month is owed after d days, M(d), from M(0) = 0 to M(all) = 1. Days
that follow on others owe M(before + days) − M(before), so that the parts of a month are one month.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from billing.money import Column

NOMINAL_DAYS = 30
"""The days of a month by the 30-day convention."""


@dataclass(frozen=True, slots=True, eq=False)
class Months:
    """Parts of a month: `numerator` int64[n] ÷ `divisor` int64[n]; None where all are whole."""

    numerator: Column
    divisor: Column | None


class Proration(StrEnum):
    """How a tariff counts a part of a month."""

    DAYS = "days"
    """Days of the days that the month has."""
    THIRTY = "thirty"
    """Days of 30, whatever the month; its last day makes it whole."""
    WHOLE = "whole"
    """Whoever comes first in the month owes all of it."""

    def months(self, before: Column, days: Column, period_days: int) -> Months:
        """Return how much of a month of `period_days` each row's days are, after those `before`."""
        if self is Proration.WHOLE:
            return Months(((before == 0) & (days > 0)).astype(np.int64), None)
        if bool((days == period_days).all()):
            return Months(np.ones_like(days), None)
        if self is Proration.DAYS:
            return Months(days, np.full_like(days, period_days))
        owed = _of_thirty(before + days, period_days) - _of_thirty(before, period_days)
        return Months(owed, np.full_like(days, NOMINAL_DAYS))


def _of_thirty(days: Column, period_days: int) -> Column:
    return np.where(days >= period_days, NOMINAL_DAYS, np.minimum(days, NOMINAL_DAYS))
