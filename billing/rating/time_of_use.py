"""Time of use (峰谷电价): each band's use at its own price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import model_validator

from billing.fields import Name, NotEmpty, NotNegative, UnitPrice
from billing.money import to_price
from billing.rating.bands import Banded, by_band
from billing.rating.charge import Charge, Label, Parts

if TYPE_CHECKING:
    from billing.rating.charge import Inputs, Units
    from billing.rating.subjects import Needs

Prices = Annotated[dict[Name, Annotated[UnitPrice, NotNegative]], NotEmpty]
"""Price by band."""


class TimeOfUse(Charge, Banded):
    """`prices` by band."""

    kind: Literal["time-of-use"]
    prices: Prices

    @model_validator(mode="after")
    def _every_band_has_a_price(self) -> Self:
        assert_same_bands(self, frozenset(self.prices), "prices")
        return self

    @property
    def bands(self) -> tuple[str, ...]:
        return tuple(sorted(self.prices))

    @property
    def needs(self) -> Needs:
        return self.band_needs

    @property
    def labels(self) -> tuple[Label, ...]:
        return tuple(Label(band=band) for band in self.bands)

    def unit(self, units: Units) -> str:
        return units.use

    def parts(self, inputs: Inputs) -> Parts:
        used = by_band(self.runs(inputs.subjects), self.bands)
        return Parts.of(used, [to_price(self.prices[band]) for band in self.bands])


def assert_same_bands(charge: Banded, priced: frozenset[str], where: str) -> None:
    """Raise `ValueError` where registers are given for other bands than have a price."""
    if charge.registers is not None and priced != frozenset(charge.registers):
        raise ValueError(
            f"{where} and registers must name the same bands; "
            f"only one names {', '.join(sorted(priced ^ frozenset(charge.registers)))}"
        )
