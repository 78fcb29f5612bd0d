"""A fixed amount a month, whatever the use; part of it for part of a month."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from billing.fields import UnitPrice  # noqa: TC001 - pydantic reads it at run time
from billing.money import multiply, to_price
from billing.rating.charge import Charge, Counts, Parts
from meters.quantity import PER_UNIT

if TYPE_CHECKING:
    from billing.rating.charge import Inputs


class Fixed(Charge):
    """`amount` for each month; a negative one is a rebate."""

    counts: ClassVar[Counts] = Counts.MONTHS

    kind: Literal["fixed"]
    amount: UnitPrice

    def parts(self, inputs: Inputs) -> Parts:
        months = inputs.months()
        return Parts.of(
            [multiply(months.numerator, PER_UNIT)], [to_price(self.amount)], months.divisor
        )
