"""Charges that move the sum of other lines: a minimum, a cap, a discount. All count money.

They read what was billed, so no rounding of theirs goes on from span to span, and a line that moves
nothing does not appear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from billing.fields import Name, NotEmpty
from billing.money import MONEY_SCALE, UNROUNDED_PER_UNIT, Column, multiply
from billing.rating.charge import Charge, Parts
from billing.rating.per import Per, times
from meters.quantity import PER_UNIT, SCALE

if TYPE_CHECKING:
    from billing.rating.charge import Inputs, Units
    from billing.rating.proration import Months

QUANTITY_PER_FEN = 10 ** (SCALE - MONEY_SCALE)
"""A fen as a quantity of money, 10⁻⁴ of the currency."""
PRICE_OF_MONEY = UNROUNDED_PER_UNIT // PER_UNIT
"""The price of one of the currency, 10⁻⁶."""


class OfLines(Charge):
    """`of`: the earlier charges whose sum is moved; the amount is `per` month unless said."""

    carries: ClassVar[bool] = False
    adjusts: ClassVar[bool] = True

    of: Annotated[tuple[Name, ...], NotEmpty]
    per: Per = None

    @property
    def of_charges(self) -> tuple[str, ...]:
        return self.of

    def unit(self, units: Units) -> str:
        return units.money

    def owed(self, inputs: Inputs) -> Months:
        """Return how often the amount applies to each subject."""
        return times(self.per, inputs)

    def summed(self, inputs: Inputs, divisor: Column | None = None) -> Column:
        """Return what was billed for `of`, 10⁻⁴ of the currency times `divisor`."""
        billed = multiply(inputs.sum_of(self.of), QUANTITY_PER_FEN)
        return billed if divisor is None else multiply(billed, divisor)


def of_money(quantity: Column, divisor: Column | None = None) -> Parts:
    """Return the parts of an amount of money, 10⁻⁴ of the currency, over `divisor`."""
    return Parts.of([quantity], [PRICE_OF_MONEY], divisor)
