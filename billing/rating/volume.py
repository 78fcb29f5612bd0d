"""Volume steps: all of the month's use at the price of the step that it reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from billing.fields import Name  # noqa: TC001 - pydantic reads it at run time
from billing.rating.blocks import StepList, ends, labels, prices, reached
from billing.rating.charge import Charge, Parts
from billing.rating.subjects import Needs
from billing.rating.widths import Widths, varying

if TYPE_CHECKING:
    from billing.rating.charge import Inputs, Label, Units


class Volume(Charge, Widths):
    """All units at one price. Use that is exactly a bound is still in the step that ends there."""

    kind: Literal["volume"]
    register_name: Annotated[Name, Field(alias="register")]
    steps: StepList

    @model_validator(mode="after")
    def _widths_fit(self) -> Self:
        self.assert_fits(len(self.steps) - 1, by_days=True)
        return self

    @property
    def needs(self) -> Needs:
        return Needs(registers=frozenset({self.register_name})) | self.width_needs

    @property
    def labels(self) -> tuple[Label, ...]:
        return labels(self.steps)

    def unit(self, units: Units) -> str:
        return units.use

    def parts(self, inputs: Inputs) -> Parts:
        use = inputs.subjects.use_of(self.register_name)
        bounds = self.widened(ends(self.steps), inputs.subjects, by_days=True)
        quantities = [use * rows for rows in reached(use, bounds)]
        return Parts.of(quantities, prices(self.steps), until=varying(bounds))
