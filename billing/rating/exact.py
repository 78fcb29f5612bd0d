"""Exact amounts: what a line costs before it is rounded, once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from billing.money import (
    UNROUNDED_PER_UNIT,
    Column,
    add,
    multiply,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from billing.money import Rounding


class Carried(NamedTuple):
    """What earlier spans came to: exactly, in the currency, and as billed, in fen.

    `limit`: of a minimum, a cap or a discount, what its amount came to in them, in the currency.
    """

    exact: Fraction
    billed: int
    limit: Fraction = Fraction(0)


NOTHING = Carried(Fraction(0), 0)


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """`numerator` ÷ `divisor`, both int64[n], in 10⁻¹⁰ of the currency; a divisor of None is 1.

    `carried`: what the spans before came to, a row each. They and this one are rounded together,
    and what was billed of them is taken off: so that, whatever the rounding, it is one rounding.
    """

    numerator: Column
    divisor: Column | None = None
    carried: Sequence[Carried] | None = None

    def row(self, row: int) -> Fraction:
        """Return the amount of one row in the currency, with that of the spans before."""
        divisor = 1 if self.divisor is None else int(self.divisor[row])
        amount = Fraction(int(self.numerator[row]), divisor * UNROUNDED_PER_UNIT)
        return amount if self.carried is None else amount + self.carried[row].exact

    def only(self, rows: npt.NDArray[np.bool_]) -> Exact:
        """Return the amounts with nothing in all other rows but what they carry."""
        return Exact(self.numerator * rows, self.divisor, self.carried)

    def rounded(self, rounding: Rounding) -> Column:
        """Return int64[n], the amounts in fen as `rounding` makes them."""
        amount = rounding.amount(self.numerator, self.divisor)
        if self.carried is not None:
            amount = amount.copy()
            for row, before in enumerate(self.carried):
                if before != NOTHING:
                    exact = self.row(row) * UNROUNDED_PER_UNIT
                    together = rounding.amount(exact.numerator, exact.denominator)
                    amount[row] = together - before.billed
        return amount

    def carry(self, row: int, billed: int, limit: Fraction) -> Carried:
        """Return what the next span carries, after `billed` fen of this one."""
        before = NOTHING if self.carried is None else self.carried[row]
        return Carried(self.row(row), before.billed + billed, limit)

    def __add__(self, other: Exact) -> Exact:
        """Return the sum of two amounts; what they carry is left behind."""
        if self.divisor is None and other.divisor is None:
            return Exact(add(self.numerator, other.numerator))
        common = _common(self.divisor, other.divisor)
        return Exact(add(self._over(common), other._over(common)), common)

    def _over(self, common: Column) -> Column:
        factor = common if self.divisor is None else common // self.divisor
        return multiply(self.numerator, factor)


def _common(left: Column | None, right: Column | None) -> Column:
    if left is None or right is None:
        return next(each for each in (left, right) if each is not None)
    multiply(left, right)  # raises where the least common multiple may not fit
    return np.lcm(left, right)
