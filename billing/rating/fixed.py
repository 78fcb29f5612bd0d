"""A fixed amount a month, a day or a period, whatever the use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from billing.fields import UnitPrice  # noqa: TC001 - pydantic reads it at run time
from billing.money import multiply, to_price
from billing.rating.charge import Charge, Parts
from billing.rating.per import Per, times
from meters.quantity import PER_UNIT

if TYPE_CHECKING:
    from billing.rating.charge import Inputs, Units


class Fixed(Charge):
    """`amount` for each month, `per` day or period where it says so; a negative one is a rebate."""

    kind: Literal["fixed"]
    amount: UnitPrice
    per: Per = None

    def unit(self, units: Units) -> str:  # noqa: ARG002 - it counts time, whatever the tariff
        return self.per or "month"

    def parts(self, inputs: Inputs) -> Parts:
        owed = times(self.per, inputs)
        return Parts.of([multiply(owed.numerator, PER_UNIT)], [to_price(self.amount)], owed.divisor)
