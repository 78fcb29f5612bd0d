"""Graduated steps (阶梯): each block of the use at its own price, by month, quarter or year.

Steps of a quarter or year go on from what was used in it before, so that months cumulate to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from billing.fields import Name  # noqa: TC001 - pydantic reads it at run time
from billing.rating.blocks import StepList, ends, labels, prices, step_quantities
from billing.rating.charge import Charge, Parts
from billing.rating.subjects import Needs
from billing.rating.widths import Widths, varying

if TYPE_CHECKING:
    from billing.money import Column
    from billing.rating.charge import Inputs, Label, Units
    from billing.rating.subjects import Subjects

Cycle = Literal["month", "quarter", "year"]
"""What steps are counted over, from its start."""


def cycle_needs(per: Cycle, registers: frozenset[str]) -> Needs:
    """Return what steps of `per` over `registers` read."""
    return Needs(
        registers=registers,
        year_to_date=registers if per == "year" else frozenset(),
        quarter_to_date=registers if per == "quarter" else frozenset(),
    )


def used_before(per: Cycle, register: str, subjects: Subjects) -> Column | None:
    """Return the use from the start of the cycle to the span; None for a month's steps."""
    match per:
        case "month":
            return None
        case "quarter":
            return subjects.before_quarter_of(register)
        case "year":
            return subjects.before_year_of(register)


class Steps(Charge, Widths):
    """Use priced by block, of one month or cumulative over the calendar quarter or year."""

    kind: Literal["steps"]
    per: Cycle
    register_name: Annotated[Name, Field(alias="register")]
    steps: StepList

    @model_validator(mode="after")
    def _widths_fit(self) -> Self:
        self.assert_fits(len(self.steps) - 1, by_days=self.per == "month")
        return self

    @property
    def needs(self) -> Needs:
        return cycle_needs(self.per, frozenset({self.register_name})) | self.width_needs

    @property
    def labels(self) -> tuple[Label, ...]:
        return labels(self.steps)

    def unit(self, units: Units) -> str:
        return units.use

    def parts(self, inputs: Inputs) -> Parts:
        subjects = inputs.subjects
        use = subjects.use_of(self.register_name)
        start = used_before(self.per, self.register_name, subjects)
        bounds = self.widened(ends(self.steps), subjects, by_days=self.per == "month")
        quantities = step_quantities(start, use, bounds)
        return Parts.of(quantities, prices(self.steps), until=varying(bounds))
