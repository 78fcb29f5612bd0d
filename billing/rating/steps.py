"""Graduated steps (阶梯): each block of the use at its own price, by month or over the year.

A step's quantity is `clip(end, lo, hi) − clip(start, lo, hi)` of the cumulative use. The first
step has no lower and the last no upper bound, so the quantities always sum to the use, whatever its
sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field, model_serializer, model_validator

from billing.fields import Name, NotEmpty, NotNegative, Quantity, UnitPrice
from billing.money import Column, add, subtract, to_price
from billing.rating.charge import Charge, Counts, Parts
from billing.rating.subjects import Needs
from meters.definition import Definition
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.rating.charge import Inputs


class Step(Definition):
    """One block: up to `until` (None: open) at `price`. Written `[until, price]` or `[price]`."""

    until: Quantity | None = None
    price: Annotated[UnitPrice, NotNegative]

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        match data:
            case [until, price]:
                return {"until": until, "price": price}
            case [price]:
                return {"price": price}
            case _:
                raise ValueError(f"a step is [until, price], the last one [price]; got {data!r}")

    @model_serializer
    def _as_list(self) -> list[Any]:
        return [self.price] if self.until is None else [self.until, self.price]


def _rising_and_open(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    floor = None
    for number, step in enumerate(steps[:-1], start=1):
        if step.until is None:
            raise ValueError(f"step {number} has no bound; only the last step may be open")
        if step.until <= (floor or 0):
            above = f"the end of step {number - 1}, {floor}" if floor is not None else "0"
            raise ValueError(f"step {number} ends at {step.until}, which is not above {above}")
        floor = step.until
    if steps[-1].until is not None:
        raise ValueError(
            f"the last step ends at {steps[-1].until}, so use above it has no price; "
            f'write it without a bound: ["{steps[-1].price}"]'
        )
    return steps


class Steps(Charge):
    """Use priced by block, of one month or cumulative over the calendar year."""

    counts: ClassVar[Counts] = Counts.USE

    kind: Literal["steps"]
    per: Literal["month", "year"]
    register_name: Annotated[Name, Field(alias="register")]
    steps: Annotated[tuple[Step, ...], NotEmpty, AfterValidator(_rising_and_open)]

    @property
    def needs(self) -> Needs:
        register = frozenset({self.register_name})
        return Needs(
            registers=register, year_to_date=register if self.per == "year" else frozenset()
        )

    def parts(self, inputs: Inputs) -> Parts:
        use = inputs.subjects.use_of(self.register_name)
        start = (
            inputs.subjects.before_year_of(self.register_name)
            if self.per == "year"
            else np.zeros_like(use)
        )
        bounds = [to_scaled(step.until) for step in self.steps if step.until is not None]
        return Parts.of(
            step_quantities(start, use, bounds), [to_price(step.price) for step in self.steps]
        )


def step_quantities(start: Column, use: Column, bounds: Sequence[int]) -> list[Column]:
    """Return len(bounds) + 1 columns: how much of the use from `start` on lies in each step.

    All int64[n], 10⁻⁴ of the unit; `bounds` rise.
    """
    end = add(start, use)
    lows: list[int | None] = [None, *bounds]
    highs: list[int | None] = [*bounds, None]
    return [
        subtract(_clip(end, low, high), _clip(start, low, high))
        for low, high in zip(lows, highs, strict=True)
    ]


def _clip(cumulative: Column, low: int | None, high: int | None) -> Column:
    if low is not None:
        cumulative = np.maximum(cumulative, low)
    if high is not None:
        cumulative = np.minimum(cumulative, high)
    return cumulative
