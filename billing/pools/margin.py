"""The margin check: what is bought for people is passed on at cost, never for more (转供不加价)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.money import Direction, round_quotient
from billing.pools.policy import Payer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from billing.pools.apportionment import Statement
    from billing.pools.papers import Cost


@dataclass(frozen=True, slots=True)
class Margin:
    """What a pool's owners are charged in a period, and what was paid for it, both in fen.

    `documented`: whether documents say what was paid; else it is the supply at its tariff.
    """

    charged: int
    paid: int
    documented: bool

    @property
    def exceeded(self) -> bool:
        return self.charged > self.paid


def margin_of(statement: Statement, costs: Sequence[Cost], *, of_documents: Fraction) -> Margin:
    """Hold what the owners of `statement` are charged against what was paid.

    `costs` are the approved documents of the supplier, if there are any; `of_documents` is how much
    of what they bill the pool shares: all of it, or of a master's bill the part that was lost.
    """
    charged = statement.amount_of(Payer.OWNER)
    if not costs:
        return Margin(charged, statement.supply.amount, documented=False)
    paid = paid_of(sum(each.amount for each in costs), of_documents)
    return Margin(charged, paid, documented=True)


def paid_of(documents: int, part: Fraction) -> int:
    """Return what was paid for `part` of what documents bill, in fen, as a loss is rounded.

    So what is passed on at the supplier's own price is never too much by a rounded fen.
    """
    paid = part * documents
    return round_quotient(paid.numerator, paid.denominator, Direction.HALF_UP)
