"""Category schedules: the month's use chooses a schedule of steps, which then prices all of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from billing.fields import Name, NotEmpty, Quantity
from billing.rating.blocks import (
    StepList,
    ends,
    labels,
    prices,
    reached,
    rising_and_open,
    step_quantities,
)
from billing.rating.charge import Charge, Parts
from billing.rating.subjects import Needs
from billing.rating.widths import Widths, varying
from meters.definition import Definition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.rating.blocks import Block
    from billing.rating.charge import Inputs, Label, Units
    from billing.rating.widths import Bound


class Category(Definition):
    """The schedule of those whose use is at most `until` (None: of all above)."""

    until: Quantity | None = None
    steps: StepList


class Categories(Charge, Widths):
    """Steps by category of use. Use that is exactly a bound is in the category that ends there."""

    kind: Literal["categories"]
    register_name: Annotated[Name, Field(alias="register")]
    categories: Annotated[
        tuple[Category, ...],
        Field(alias="category"),
        NotEmpty,
        AfterValidator(partial(rising_and_open, what="category")),
    ]

    @model_validator(mode="after")
    def _extra_is_one_number(self) -> Self:
        self.assert_fits(1, by_days=True)
        return self

    @property
    def needs(self) -> Needs:
        return Needs(registers=frozenset({self.register_name})) | self.width_needs

    @property
    def labels(self) -> tuple[Label, ...]:
        return tuple(label for category in self.categories for label in labels(category.steps))

    def unit(self, units: Units) -> str:
        return units.use

    def parts(self, inputs: Inputs) -> Parts:
        use = inputs.subjects.use_of(self.register_name)
        chosen = reached(use, self._bounds(self.categories, inputs))
        quantities, priced, until = [], [], []
        for category, rows in zip(self.categories, chosen, strict=True):
            bounds = self._bounds(category.steps, inputs)
            quantities += step_quantities(None, use * rows, bounds)
            priced += prices(category.steps)
            until += [*(varying(bounds) or [None] * len(category.steps))]
        return Parts.of(
            quantities, priced, until=until if any(each is not None for each in until) else None
        )

    def _bounds(self, blocks: Sequence[Block], inputs: Inputs) -> list[Bound]:
        return self.widened(ends(blocks), inputs.subjects, by_days=True)
