"""Area at one price per m² and month (物业费)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from billing.fields import NotNegative, UnitPrice
from billing.money import to_price
from billing.rating.charge import Charge, Counts, Parts
from billing.rating.subjects import Needs

if TYPE_CHECKING:
    from billing.rating.charge import Inputs


class PerArea(Charge):
    """`price` for each m² and month."""

    counts: ClassVar[Counts] = Counts.AREA

    kind: Literal["per-area"]
    price: Annotated[UnitPrice, NotNegative]

    @property
    def needs(self) -> Needs:
        return Needs(area=True)

    def parts(self, inputs: Inputs) -> Parts:
        return Parts.of([inputs.subjects.areas()], [to_price(self.price)])
