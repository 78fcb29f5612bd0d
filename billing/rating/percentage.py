"""A percentage of other lines, taken of their amounts as billed, in fen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from billing.fields import Name, NotEmpty, Percent
from billing.money import MONEY_SCALE, add, multiply, to_factor
from billing.rating.charge import Charge, Counts, Parts
from meters.quantity import SCALE

if TYPE_CHECKING:
    from billing.rating.charge import Inputs


class Percentage(Charge):
    """`percent` of the sum of the charges named in `of`; a negative one is a rebate."""

    counts: ClassVar[Counts] = Counts.MONEY

    kind: Literal["percentage"]
    of: Annotated[tuple[Name, ...], NotEmpty]
    percent: Percent

    @property
    def of_charges(self) -> tuple[str, ...]:
        return self.of

    def parts(self, inputs: Inputs) -> Parts:
        base = inputs.billed[self.of[0]]
        for name in self.of[1:]:
            base = add(base, inputs.billed[name])
        quantity = multiply(base, 10 ** (SCALE - MONEY_SCALE))
        return Parts.of([quantity], [to_factor(self.percent)])
