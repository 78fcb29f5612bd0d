"""Use at one price, whole or a stated share of it (sewage on 90 % of the water)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from billing.fields import Name, NotNegative, Quantity, UnitPrice
from billing.money import Direction, multiply, round_quotient, to_price
from billing.rating.charge import Charge, Parts
from billing.rating.subjects import Needs
from meters.quantity import PER_UNIT, to_scaled

if TYPE_CHECKING:
    from decimal import Decimal

    from billing.money import Column
    from billing.rating.charge import Inputs, Units


class PerUnit(Charge):
    """`price` for each unit that `register` counted; of `share` of the use, where stated."""

    kind: Literal["per-unit"]
    register_name: Annotated[Name, Field(alias="register")]
    price: Annotated[UnitPrice, NotNegative]
    share: Annotated[Quantity, NotNegative] | None = None

    @property
    def needs(self) -> Needs:
        return Needs(registers=frozenset({self.register_name}))

    def unit(self, units: Units) -> str:
        return units.use

    def parts(self, inputs: Inputs) -> Parts:
        quantity = inputs.subjects.use_of(self.register_name)
        if self.share is not None:
            quantity = share_of(quantity, self.share)
        return Parts.of([quantity], [to_price(self.price)])


def share_of(use: Column, share: Decimal) -> Column:
    """Return `share` of each use, half-up to 10⁻⁴: the quantity that the bill shows and prices."""
    return round_quotient(multiply(use, to_scaled(share)), PER_UNIT, Direction.HALF_UP)
