"""Checking how a pool was shared: what changed for each unit, outliers first, and what adds up."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.store.views.statements import StatementView


MOST_SHOWN = 50
"""Of how many units the odd cents are listed."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a unit, or the company (None), bears now and bore before, in fen; None: nothing."""

    unit: str | None
    before: int | None
    now: int | None

    @property
    def amount(self) -> int:
        return (self.now or 0) - (self.before or 0)


@dataclass(frozen=True, slots=True)
class Check:
    """What is stored as a sum, and what its shares come to: fen, or 10⁻⁴ of a unit."""

    told: int
    found: int

    @property
    def holds(self) -> bool:
        return self.told == self.found


def changes(view: StatementView) -> Sequence[Change]:
    """Return how the shares differ from the period before, the largest difference first."""
    if view.earlier is None:
        return ()
    now: dict[str | None, int] = defaultdict(int)
    for share in view.shares:
        now[share.unit] += share.amount
    before = view.earlier.amounts
    found = [Change(unit, before.get(unit), now.get(unit)) for unit in before.keys() | now.keys()]
    return sorted(found, key=lambda each: (-abs(each.amount), each.unit or ""))


def amount_check(view: StatementView) -> Check:
    """Return the cost of the supply and the sum of the shares."""
    return Check(view.head.amount, view.amount_sum)


def quantity_check(view: StatementView) -> Check:
    """Return the quantity of the supply and the sum of the shares."""
    return Check(view.head.quantity, view.quantity_sum)


def key_checks(view: StatementView) -> Sequence[Check]:
    """Return each stored sum of keys, and the sum of the keys that the shares hold."""
    sums = (
        sum(share.key or 0 for share in view.shares),
        sum(share.rest_key or 0 for share in view.shares),
    )
    return [Check(key.total, found) for key, found in zip(view.keys, sums, strict=False)]


def odd_amount(view: StatementView) -> int:
    """Return what the shares got of odd cents in all, in fen."""
    return sum(share.odd_amount for share in view.shares)


def odd_cents(
    view: StatementView, most: int | None = MOST_SHOWN
) -> Sequence[tuple[str | None, int]]:
    """Return who got the most odd cents in the year up to the statement, and how many.

    At most `most` of them; None: everybody.
    """
    received = view.odd_cents.received.items()
    return sorted(received, key=lambda each: (-each[1], each[0] or ""))[:most]


def used_by_sub(use: str | Mapping[str, str]) -> Decimal:
    """Return what a meter below a master counted in all its registers, as the evidence has it."""
    return Decimal(use) if isinstance(use, str) else sum(map(Decimal, use.values()), Decimal(0))
