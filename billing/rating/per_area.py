"""Area at one price per m² and month (物业费)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from billing.fields import NotNegative, UnitPrice
from billing.money import multiply, to_price
from billing.rating.charge import Charge, Parts
from billing.rating.per import Per, times
from billing.rating.subjects import AREA, Needs

if TYPE_CHECKING:
    from billing.rating.charge import Inputs, Units

AREA_UNIT = "m2"


class PerArea(Charge):
    """`price` for each m² and month, `per` day or period where it says so."""

    kind: Literal["per-area"]
    price: Annotated[UnitPrice, NotNegative]
    per: Per = None

    @property
    def needs(self) -> Needs:
        return Needs(attributes=frozenset({AREA}))

    def unit(self, units: Units) -> str:  # noqa: ARG002 - it counts area, whatever the tariff
        return AREA_UNIT

    def parts(self, inputs: Inputs) -> Parts:
        owed = times(self.per, inputs)
        area = multiply(inputs.subjects.attribute(AREA), owed.numerator)
        return Parts.of([area], [to_price(self.price)], owed.divisor)
