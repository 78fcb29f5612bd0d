"""A percentage of other lines, taken of their amounts as billed, in fen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from billing.fields import Name, NotEmpty, Percent
from billing.money import multiply, to_factor
from billing.rating.charge import Charge, Parts
from billing.rating.of_lines import QUANTITY_PER_FEN

if TYPE_CHECKING:
    from billing.rating.charge import Inputs, Units


class Percentage(Charge):
    """`percent` of the sum of the charges named in `of`; a negative one is a rebate."""

    kind: Literal["percentage"]
    of: Annotated[tuple[Name, ...], NotEmpty]
    percent: Percent

    @property
    def of_charges(self) -> tuple[str, ...]:
        return self.of

    def unit(self, units: Units) -> str:
        return units.money

    def parts(self, inputs: Inputs) -> Parts:
        quantity = multiply(inputs.sum_of(self.of), QUANTITY_PER_FEN)
        return Parts.of([quantity], [to_factor(self.percent)])
