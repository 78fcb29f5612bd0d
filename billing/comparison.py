"""What a month bills differently from the month before, per unit and charge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from billing.bill import Bill

Amounts: TypeAlias = "Mapping[tuple[str, str], int]"
"""Fen by unit and charge."""


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """What a charge costs a unit now and cost it before, in fen; None where it was not billed."""

    unit: str
    charge: str
    before: int | None
    now: int | None

    @property
    def amount(self) -> int:
        return (self.now or 0) - (self.before or 0)


def amounts(bills: Iterable[Bill]) -> dict[tuple[str, str], int]:
    """Return what `bills` claim, by unit and charge."""
    found: dict[tuple[str, str], int] = {}
    for bill in bills:
        for line in bill.lines:
            key = (bill.unit.code, line.charge)
            found[key] = found.get(key, 0) + line.amount
    return found


def differences(before: Amounts, now: Amounts) -> tuple[Difference, ...]:
    """Return where two months differ, by unit and charge."""
    return tuple(
        Difference(unit, charge, before.get((unit, charge)), now.get((unit, charge)))
        for unit, charge in sorted(before.keys() | now.keys())
        if before.get((unit, charge)) != now.get((unit, charge))
    )
