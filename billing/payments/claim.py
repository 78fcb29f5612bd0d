"""What an account owes by one bill, by its opening balance, or again after a payment has bounced.

A claim is an entry of the journal that debits the account; it consists of parts, one for each
category that it earns for. All amounts are fen. A claim below zero (a correction that gives back)
is one part below zero, and is turned into credit as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

BILL = "bill:"
OWED = "owed:"
"""What the reference of a claim begins with that is no opening balance: a bill, owed after all."""

WHOLE = "whole"
"""The only part of a claim that is below zero, or that earns for no category."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a claim is of one revenue category, and how much of that is settled."""

    category: str
    amount: int
    applied: int

    @property
    def due(self) -> int:
        return self.amount - self.applied


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim with its parts in the order of their categories. `day`: since when; `due_on`: until.

    What has no due day (an opening balance) is due since its `day`.
    """

    reference: str
    account_id: int
    day: date
    due_on: date
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        return sum(part.amount for part in self.parts)

    @property
    def applied(self) -> int:
        return sum(part.applied for part in self.parts)

    @property
    def due(self) -> int:
        """What is not settled yet; below zero, what is owed to the account."""
        return self.total - self.applied


def parts_of(total: int, earned: Mapping[str, int], applied: Mapping[str, int]) -> tuple[Part, ...]:
    """Return the parts of a claim over `total` that earns `earned` by category.

    Categories below zero (rebates) are set against the largest others, so that no part is below
    zero unless the claim is; which is so whatever has been applied to it, and however.
    """
    parts = _netted(earned) if total > 0 and earned else {WHOLE: total}
    return tuple(
        Part(category, amount, applied.get(category, 0))
        for category, amount in sorted(parts.items())
    )


def _netted(earned: Mapping[str, int]) -> dict[str, int]:
    rebate = -sum(amount for amount in earned.values() if amount < 0)
    left = {}
    for category, amount in sorted(earned.items(), key=lambda entry: (-entry[1], entry[0])):
        if amount > 0:
            taken = min(amount, rebate)
            rebate -= taken
            left[category] = amount - taken
    return {category: amount for category, amount in left.items() if amount}
