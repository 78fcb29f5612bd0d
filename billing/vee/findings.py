"""What validation finds, in precise types that say what to do. A community says which block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from meters.finding import Finding
from meters.quantity import plain

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class HighUse(Finding):
    """Far more was used a day than in the months before."""

    daily: Decimal
    average: Decimal

    def __str__(self) -> str:
        return (
            f"{plain(self.daily)} a day, {plain(self.average)} in the months before: a leak, "
            "another use, or a wrong reading?"
        )


@dataclass(frozen=True, slots=True)
class LowUse(Finding):
    """Far less was used a day than in the months before."""

    daily: Decimal
    average: Decimal

    def __str__(self) -> str:
        return (
            f"{plain(self.daily)} a day, {plain(self.average)} in the months before: nobody there, "
            "a bypass, or a meter that slips?"
        )


@dataclass(frozen=True, slots=True)
class Spike(Finding):
    """One day's use stands out: it is held against the third highest."""

    day: date
    quantity: Decimal
    third: Decimal

    def __str__(self) -> str:
        return (
            f"{plain(self.quantity)} on {self.day}, {plain(self.third)} on the third highest day: "
            "look at the readings of that day"
        )


@dataclass(frozen=True, slots=True)
class ZeroTooLong(Finding):
    """Nothing was used for many days on end."""

    first: date
    days: int

    def __str__(self) -> str:
        return (
            f"nothing was used for {self.days} days from {self.first} on: is the unit vacant, or "
            "the meter dead?"
        )


@dataclass(frozen=True, slots=True)
class Stuck(Finding):
    """A counter that moved every day stands still to the end of the period."""

    first: date
    days: int

    def __str__(self) -> str:
        return (
            f"the counter moved every day and has stood still for {self.days} days from "
            f"{self.first} on: look at the meter"
        )


@dataclass(frozen=True, slots=True)
class SumMismatch(Finding):
    """Two ways of counting the same use disagree: bands or days, and the total."""

    parts: str
    quantity: Decimal
    total: Decimal

    def __str__(self) -> str:
        return (
            f"{self.parts} sum to {plain(self.quantity)}, the register counted "
            f"{plain(self.total)}: one of them was read wrong"
        )


@dataclass(frozen=True, slots=True)
class MasterMismatch(Finding):
    """A master meter and those behind it differ by more than a loss explains."""

    master: Decimal
    subs: Decimal

    def __str__(self) -> str:
        return (
            f"the master counted {plain(self.master)}, the meters behind it {plain(self.subs)}: a "
            "leak, a theft, a wrong ratio, or a meter that nobody knows?"
        )


@dataclass(frozen=True, slots=True)
class NoEstimate(Finding):
    """The register cannot be estimated by the method that was asked for."""

    blocks: ClassVar[bool] = True
    method: str
    why: str

    def __str__(self) -> str:
        return f"no estimate by {self.method}: {self.why}; take another method, or state a register"


@dataclass(frozen=True, slots=True)
class SplitByDays(Finding):
    """The meter was not read where its use is divided, so it is divided by days."""

    meter: str
    day: date

    def __str__(self) -> str:
        return f"meter {self.meter} was not read on {self.day}; what it counted is divided by days"
