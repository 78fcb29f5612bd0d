"""Exact amounts: what a line costs before it is rounded, once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from billing.money import (
    UNROUNDED_PER_FEN,
    UNROUNDED_PER_UNIT,
    Column,
    add,
    multiply,
    subtract,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.money import Rounding


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """`numerator` ÷ `divisor`, both int64[n], in 10⁻¹⁰ of the currency; a divisor of None is 1.

    `carried` is added to it, in the currency: what rounding left over before, a number a row.
    """

    numerator: Column
    divisor: Column | None = None
    carried: Sequence[Fraction] | None = None

    def row(self, row: int) -> Fraction:
        """Return the amount of one row in the currency."""
        divisor = 1 if self.divisor is None else int(self.divisor[row])
        amount = Fraction(int(self.numerator[row]), divisor * UNROUNDED_PER_UNIT)
        return amount if self.carried is None else amount + self.carried[row]

    def rounded(self, rounding: Rounding) -> Column:
        """Return int64[n], the amounts in fen as `rounding` makes them."""
        amount = rounding.amount(self.numerator, self.divisor)
        if self.carried is not None:
            amount = amount.copy()
            for row in np.flatnonzero([part != 0 for part in self.carried]):
                exact = self.row(int(row)) * UNROUNDED_PER_UNIT
                amount[row] = rounding.amount(exact.numerator, exact.denominator)
        return amount

    def __add__(self, other: Exact) -> Exact:
        """Return the sum of two amounts; what they carry is left behind."""
        if self.divisor is None and other.divisor is None:
            return Exact(add(self.numerator, other.numerator))
        common = _common(self.divisor, other.divisor)
        return Exact(add(self._over(common), other._over(common)), common)

    def less(self, fen: Column) -> Exact:
        """Return what remains of the amounts when `fen` is taken from them."""
        taken = multiply(fen, UNROUNDED_PER_FEN)
        if self.divisor is not None:
            taken = multiply(taken, self.divisor)
        return Exact(subtract(self.numerator, taken), self.divisor, self.carried)

    def _over(self, common: Column) -> Column:
        factor = common if self.divisor is None else common // self.divisor
        return multiply(self.numerator, factor)


def _common(left: Column | None, right: Column | None) -> Column:
    if left is None or right is None:
        return next(each for each in (left, right) if each is not None)
    multiply(left, right)  # raises where the least common multiple may not fit
    return np.lcm(left, right)
