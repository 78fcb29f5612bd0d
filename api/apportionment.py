"""Checking how a pool was shared: what is stated against what the shares come to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.store.views.statements import StatementView


@dataclass(frozen=True, slots=True)
class Check:
    """What is stored as a sum, and what its shares come to: fen, or 10⁻⁴ of a unit."""

    told: int
    found: int

    @property
    def holds(self) -> bool:
        return self.told == self.found


def amount_check(view: StatementView) -> Check:
    """Return the cost of the supply and the sum of the shares."""
    return Check(view.head.amount, view.sums.amount)


def quantity_check(view: StatementView) -> Check:
    """Return the quantity of the supply and the sum of the shares."""
    return Check(view.head.quantity, view.sums.quantity)


def key_checks(view: StatementView) -> Sequence[Check]:
    """Return each stored sum of keys, and the sum of the keys that the shares hold."""
    sums = (view.sums.key, view.sums.rest_key)
    return [Check(key.total, found) for key, found in zip(view.keys, sums, strict=False)]


def used_by_sub(use: str | Mapping[str, str]) -> Decimal:
    """Return what a meter below a master counted in all its registers, as the evidence has it."""
    return Decimal(use) if isinstance(use, str) else sum(map(Decimal, use.values()), Decimal(0))
