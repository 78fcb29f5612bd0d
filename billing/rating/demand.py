"""Demand (需量): the highest average power over 15, 30 or 60 minutes, per kW and month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from billing.fields import Name, NotNegative, Quantity, UnitPrice
from billing.money import multiply, to_price
from billing.rating.charge import Charge, Parts
from billing.rating.per_unit import share_of
from billing.rating.subjects import DemandNeed, Needs
from meters.definition import Definition

if TYPE_CHECKING:
    from decimal import Decimal

    from billing.rating.charge import Inputs, Units


def _at_most_one(value: Decimal) -> Decimal:
    if value > 1:
        raise ValueError(f"is a share, such as 0.8, and at most 1; got {value}")
    return value


Share = Annotated[Quantity, NotNegative, AfterValidator(_at_most_one)]


class Ratchet(Definition):
    """At least `share` of the highest demand of the `months` before the period."""

    months: Annotated[int, Field(strict=True, ge=1, le=24)]
    share: Share


class Contracted(Definition):
    """At least `share` of what was contracted: an attribute such as `subscribed_kva`."""

    attribute: Name
    share: Share


class Demand(Charge):
    """`price` for each kW and month of the demand that is billed: the highest of what applies."""

    kind: Literal["demand"]
    register_name: Annotated[Name, Field(alias="register")]
    minutes: Literal[15, 30, 60]
    price: Annotated[UnitPrice, NotNegative]
    ratchet: Ratchet | None = None
    least: Contracted | None = None

    @property
    def need(self) -> DemandNeed:
        months = 0 if self.ratchet is None else self.ratchet.months
        return DemandNeed(self.register_name, self.minutes, months)

    @property
    def needs(self) -> Needs:
        return Needs(
            registers=frozenset({self.register_name}),
            demand=frozenset({self.need}),
            attributes=frozenset() if self.least is None else frozenset({self.least.attribute}),
        )

    def unit(self, units: Units) -> str:  # noqa: ARG002 - it counts power
        return "kW"

    def parts(self, inputs: Inputs) -> Parts:
        subjects = inputs.subjects
        billed = subjects.demand_of(self.need)
        if self.ratchet is not None:
            earlier = share_of(subjects.peak_before_of(self.need), self.ratchet.share)
            billed = np.maximum(billed, earlier)
        if self.least is not None:
            contracted = share_of(subjects.attribute(self.least.attribute), self.least.share)
            billed = np.maximum(billed, contracted)
        months = inputs.months()
        return Parts.of(
            [multiply(billed, months.numerator)], [to_price(self.price)], months.divisor
        )
