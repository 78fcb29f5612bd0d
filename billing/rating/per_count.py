"""A price for each of what a unit has: car spaces, persons, dwellings, kVA (停车费, 按人头)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from billing.fields import Name, NotNegative, Quantity, UnitPrice
from billing.money import multiply, subtract, to_price
from billing.rating.charge import Charge, Parts
from billing.rating.per import Per, times
from billing.rating.subjects import Needs
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from billing.rating.charge import Inputs, Units


class PerCount(Charge):
    """`price` for each of the attribute `of` and month; of those `above` a number, where stated."""

    kind: Literal["per-count"]
    of: Name
    price: Annotated[UnitPrice, NotNegative]
    above: Annotated[Quantity, NotNegative] | None = None
    per: Per = None

    @property
    def needs(self) -> Needs:
        return Needs(attributes=frozenset({self.of}))

    def unit(self, units: Units) -> str:  # noqa: ARG002 - it counts what a unit has
        return self.of

    def parts(self, inputs: Inputs) -> Parts:
        owed = times(self.per, inputs)
        count = inputs.subjects.attribute(self.of)
        if self.above is not None:
            free = np.full_like(count, to_scaled(self.above))
            count = np.maximum(subtract(count, free), 0)
        return Parts.of([multiply(count, owed.numerator)], [to_price(self.price)], owed.divisor)
