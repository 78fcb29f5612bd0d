"""The least and the most that named lines cost together (最低消费, 封顶).

What is for a whole period, or for a month that is not prorated, bounds all that one account pays in
it: of spans that follow each other, the later ones count what the earlier ones came to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from billing.fields import Money, NotNegative
from billing.money import multiply, subtract
from billing.rating.of_lines import QUANTITY_PER_FEN, OfLines, of_money
from billing.rating.proration import Proration
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from billing.money import Column
    from billing.rating.charge import Inputs, Parts
    from billing.rating.proration import Months


class Bound(OfLines):
    """A bound of `amount` on the charges in `of`."""

    amount: Annotated[Money, NotNegative]

    def is_whole(self, inputs: Inputs) -> bool:
        """Return whether the amount is never prorated."""
        return self.per == "period" or (self.per is None and inputs.proration is Proration.WHOLE)

    def short_of(self, inputs: Inputs, owed: Months) -> Column:
        """Return how far the lines are below their part of it, 10⁻⁴ over the divisor of `owed`."""
        bound = multiply(owed.numerator, to_scaled(self.amount))
        return subtract(bound, self.summed(inputs, owed.divisor))

    def short_of_whole(self, inputs: Inputs) -> Column:
        """Return how far all spans so far are below the whole of it, 10⁻⁴."""
        earlier = [self.billed_before(inputs, name) for name in self.of]
        missing = subtract(np.full_like(earlier[0], to_scaled(self.amount)), self.summed(inputs))
        for each in earlier:
            missing = subtract(missing, each)
        return missing

    @staticmethod
    def billed_before(inputs: Inputs, name: str) -> Column:
        """Return what the charge `name` came to in the spans before, 10⁻⁴ of the currency."""
        before = inputs.subjects.carried.get(name)
        if before is None:
            return np.zeros(inputs.subjects.count, dtype=np.int64)
        return multiply(np.array([each.billed for each in before], np.int64), QUANTITY_PER_FEN)


class Minimum(Bound):
    """What is missing to `amount` where the charges in `of` come to less."""

    kind: Literal["minimum"]

    def parts(self, inputs: Inputs) -> Parts:
        owed = self.owed(inputs)
        if not self.is_whole(inputs):
            return of_money(np.maximum(self.short_of(inputs, owed), 0), owed.divisor)
        filled = self.billed_before(inputs, self.name)
        missing = subtract(np.maximum(self.short_of_whole(inputs), 0), filled)
        return of_money(missing * ((owed.numerator > 0) | (filled != 0)))


class Cap(Bound):
    """What is over `amount` where the charges in `of` come to more, taken off."""

    kind: Literal["cap"]

    def parts(self, inputs: Inputs) -> Parts:
        if not self.is_whole(inputs):
            owed = self.owed(inputs)
            return of_money(np.minimum(self.short_of(inputs, owed), 0), owed.divisor)
        taken = self.billed_before(inputs, self.name)
        return of_money(subtract(np.minimum(self.short_of_whole(inputs), 0), taken))
