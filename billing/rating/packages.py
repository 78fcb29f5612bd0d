"""Packages: a price for every block of use that was started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from billing.fields import Name, NotNegative, Quantity, UnitPrice
from billing.money import Direction, multiply, round_quotient, to_price
from billing.rating.charge import Charge, Parts
from billing.rating.subjects import Needs
from meters.quantity import PER_UNIT, to_scaled

if TYPE_CHECKING:
    from decimal import Decimal

    from billing.rating.charge import Inputs, Units


def _above_nothing(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError(f"must be above 0, got {value}")
    return value


class Packages(Charge):
    """`price` for each started `size` of the use. Use of 0 starts none; a credit mirrors a use."""

    kind: Literal["packages"]
    register_name: Annotated[Name, Field(alias="register")]
    size: Annotated[Quantity, AfterValidator(_above_nothing)]
    price: Annotated[UnitPrice, NotNegative]

    @property
    def needs(self) -> Needs:
        return Needs(registers=frozenset({self.register_name}))

    def unit(self, units: Units) -> str:  # noqa: ARG002 - it counts packages of any medium
        return "package"

    def parts(self, inputs: Inputs) -> Parts:
        use = inputs.subjects.use_of(self.register_name)
        started = round_quotient(use, to_scaled(self.size), Direction.UP)
        return Parts.of([multiply(started, PER_UNIT)], [to_price(self.price)])
