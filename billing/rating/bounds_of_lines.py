"""The least and the most that named lines cost together (最低消费, 封顶)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from billing.fields import Money, NotNegative
from billing.money import multiply, subtract
from billing.rating.of_lines import OfLines, of_money
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from billing.money import Column
    from billing.rating.charge import Inputs, Parts
    from billing.rating.proration import Months


class Minimum(OfLines):
    """What is missing to `amount` where the charges in `of` come to less."""

    kind: Literal["minimum"]
    amount: Annotated[Money, NotNegative]

    def parts(self, inputs: Inputs) -> Parts:
        owed = self.owed(inputs)
        missing = np.maximum(_short_of(self, inputs, owed), 0)
        return of_money(missing, owed.divisor)


class Cap(OfLines):
    """What is over `amount` where the charges in `of` come to more, taken off."""

    kind: Literal["cap"]
    amount: Annotated[Money, NotNegative]

    def parts(self, inputs: Inputs) -> Parts:
        owed = self.owed(inputs)
        over = np.minimum(_short_of(self, inputs, owed), 0)
        return of_money(over, owed.divisor)


def _short_of(charge: Minimum | Cap, inputs: Inputs, owed: Months) -> Column:
    """Return how far the lines are below the amount, 10⁻⁴ of the currency over the divisor."""
    bound = multiply(owed.numerator, to_scaled(charge.amount))
    return subtract(bound, charge.summed(inputs, owed.divisor))
