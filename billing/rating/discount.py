"""A discount as a line of its own: a percentage or an amount, never more than what it discounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, model_validator

from billing.fields import Money, Percent  # noqa: TC001 - pydantic reads it at run time
from billing.money import multiply, to_factor
from billing.rating.charge import Parts
from billing.rating.of_lines import QUANTITY_PER_FEN, OfLines
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from decimal import Decimal

    from billing.money import Column
    from billing.rating.charge import Inputs
    from billing.rating.of_lines import SoFar

WHOLE = 100


def _above_nothing(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError(f"must be above 0, got {value}; a discount is taken off by itself")
    return value


def _at_most_all(value: Decimal) -> Decimal:
    if value > WHOLE:
        raise ValueError(f"must be at most {WHOLE}, got {value}: more than all cannot be taken off")
    return value


class Discount(OfLines):
    """`percent` of the charges in `of`, or `amount` a month, taken off as a negative line."""

    kind: Literal["discount"]
    percent: (
        Annotated[Percent, AfterValidator(_above_nothing), AfterValidator(_at_most_all)] | None
    ) = None
    amount: Annotated[Money, AfterValidator(_above_nothing)] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("says what is taken off: either percent or amount")
        if self.percent is not None and self.per is not None:
            raise ValueError("a percentage is of the lines as they are; leave out per")
        return self

    @property
    def scaled_amount(self) -> int | None:
        return None if self.amount is None else to_scaled(self.amount)

    def parts(self, inputs: Inputs) -> Parts:
        if self.percent is None:
            return super().parts(inputs)
        billed = multiply(inputs.sum_of(self.of), QUANTITY_PER_FEN)
        return Parts.of([billed], [-to_factor(self.percent)])

    def moved(self, so_far: SoFar) -> Column:
        return -np.minimum(so_far.limit, np.maximum(so_far.billed, 0))
