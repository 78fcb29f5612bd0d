"""The least and the most that named lines cost together (最低消费, 封顶)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from billing.fields import Money, NotNegative
from billing.money import subtract
from billing.rating.of_lines import OfLines
from billing.rating.proration import Months, Proration
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from billing.money import Column
    from billing.rating.charge import Inputs
    from billing.rating.of_lines import SoFar


class Bound(OfLines):
    """A bound of `amount` on the charges in `of`."""

    amount: Annotated[Money, NotNegative]

    @property
    def scaled_amount(self) -> int:
        return to_scaled(self.amount)


class Minimum(Bound):
    """What is missing to `amount` where the charges in `of` come to less."""

    kind: Literal["minimum"]

    def moved(self, so_far: SoFar) -> Column:
        missing: Column = np.maximum(subtract(so_far.limit, so_far.billed), 0) * so_far.owed
        return missing


class Cap(Bound):
    """What is over `amount` where the charges in `of` come to more, taken off.

    A cap that is not prorated is a whole one for everybody who pays in the month: who comes later
    has his own, for nobody else's use.
    """

    kind: Literal["cap"]

    def owed(self, inputs: Inputs) -> Months:
        if self.per != "period" and (
            self.per is not None or inputs.proration is not Proration.WHOLE
        ):
            return super().owed(inputs)
        once = np.ones(inputs.subjects.count, dtype=np.int64)
        for row, each in enumerate(self.carried(inputs) or ()):
            once[row] = not each.limit
        return Months(once, None)

    def moved(self, so_far: SoFar) -> Column:
        excess: Column = np.minimum(subtract(so_far.limit, so_far.billed), 0)
        return excess
