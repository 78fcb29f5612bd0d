"""What validation finds, in precise types that say what to do. A community says which block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from meters.finding import Finding
from meters.quantity import plain
from meters.told import told

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class HighUse(Finding):
    """Far more was used a day than in the months before."""

    daily: Decimal
    average: Decimal

    def __str__(self) -> str:
        return told(
            "{daily} a day, {average} in the months before: a leak, another use, or "
            "a wrong reading?",
            daily=plain(self.daily),
            average=plain(self.average),
        )


@dataclass(frozen=True, slots=True)
class LowUse(Finding):
    """Far less was used a day than in the months before."""

    daily: Decimal
    average: Decimal

    def __str__(self) -> str:
        return told(
            "{daily} a day, {average} in the months before: nobody there, a bypass, "
            "or a meter that slips?",
            daily=plain(self.daily),
            average=plain(self.average),
        )


@dataclass(frozen=True, slots=True)
class Spike(Finding):
    """One day's use stands out: it is held against the third highest."""

    day: date
    quantity: Decimal
    third: Decimal

    def __str__(self) -> str:
        return told(
            "{quantity} on {day}, {third} on the third highest day: look at the "
            "readings of that day",
            quantity=plain(self.quantity),
            day=self.day,
            third=plain(self.third),
        )


@dataclass(frozen=True, slots=True)
class ZeroTooLong(Finding):
    """Nothing was used for many days on end."""

    first: date
    days: int

    def __str__(self) -> str:
        return told(
            "nothing was used for {days} days from {first} on: is the unit vacant, "
            "or the meter dead?",
            days=self.days,
            first=self.first,
        )


@dataclass(frozen=True, slots=True)
class Stuck(Finding):
    """A counter that moved every day stands still to the end of the period."""

    first: date
    days: int

    def __str__(self) -> str:
        return told(
            "the counter moved every day and has stood still for {days} days from "
            "{first} on: look at the meter",
            days=self.days,
            first=self.first,
        )


@dataclass(frozen=True, slots=True)
class SumMismatch(Finding):
    """Two ways of counting the same use disagree: bands or days, and the total."""

    parts: str
    quantity: Decimal
    total: Decimal

    def __str__(self) -> str:
        return told(
            "{parts} sum to {quantity}, the register counted {total}: one of them was read wrong",
            parts=self.parts,
            quantity=plain(self.quantity),
            total=plain(self.total),
        )


@dataclass(frozen=True, slots=True)
class MasterMismatch(Finding):
    """A master meter and those behind it differ by more than a loss explains."""

    master: Decimal
    subs: Decimal

    def __str__(self) -> str:
        return told(
            "the master counted {master}, the meters behind it {subs}: a leak, a "
            "theft, a wrong ratio, or a meter that nobody knows?",
            master=plain(self.master),
            subs=plain(self.subs),
        )


@dataclass(frozen=True, slots=True)
class NoEstimate(Finding):
    """The register cannot be estimated by the method that was asked for."""

    blocks: ClassVar[bool] = True
    method: str
    why: str

    def __str__(self) -> str:
        return told(
            "no estimate by {method}: {why}; take another method, or state a register",
            method=self.method,
            why=self.why,
        )


@dataclass(frozen=True, slots=True)
class SplitByDays(Finding):
    """The meter was not read where its use is divided, so it is divided by days."""

    meter: str
    day: date

    def __str__(self) -> str:
        return f"meter {self.meter} was not read on {self.day}; what it counted is divided by days"
