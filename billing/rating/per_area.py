"""Area at one price per m² and month (物业费)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from billing.fields import NotNegative, UnitPrice
from billing.money import multiply, to_price
from billing.rating.charge import Charge, Counts, Parts
from billing.rating.subjects import AREA, Needs

if TYPE_CHECKING:
    from billing.rating.charge import Inputs


class PerArea(Charge):
    """`price` for each m² and month."""

    counts: ClassVar[Counts] = Counts.AREA

    kind: Literal["per-area"]
    price: Annotated[UnitPrice, NotNegative]

    @property
    def needs(self) -> Needs:
        return Needs(attributes=frozenset({AREA}))

    def parts(self, inputs: Inputs) -> Parts:
        months = inputs.months()
        area = multiply(inputs.subjects.attribute(AREA), months.numerator)
        return Parts.of([area], [to_price(self.price)], months.divisor)
