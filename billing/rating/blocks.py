"""Blocks of use, each up to a bound: how they are written, and what is refused.

A block says where it ends; it begins where the one before ends, the first at the bottom. So there
can be no gap. The last has no end, so that no use is without a price; negative use lies in the
first.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import numpy as np
from pydantic import AfterValidator, model_serializer, model_validator

from billing.fields import NotEmpty, NotNegative, Quantity, UnitPrice
from billing.money import add, to_price
from billing.rating.charge import Label
from meters.definition import Definition
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    import numpy.typing as npt

    from billing.money import Column


class Block(Protocol):
    """Anything up to a bound; None is open."""

    @property
    def until(self) -> Decimal | None: ...


B = TypeVar("B", bound=Block)


def rising_and_open(blocks: tuple[B, ...], *, what: str = "step") -> tuple[B, ...]:
    """Return `blocks`; raise `ValueError` unless their bounds rise and only the last has none."""
    floor = None
    for number, block in enumerate(blocks[:-1], start=1):
        if block.until is None:
            raise ValueError(f"{what} {number} has no bound; only the last {what} may be open")
        if block.until <= (floor or 0):
            above = f"the end of {what} {number - 1}, {floor}" if floor is not None else "0"
            raise ValueError(f"{what} {number} ends at {block.until}, which is not above {above}")
        floor = block.until
    if blocks and blocks[-1].until is not None:
        raise ValueError(
            f"the last {what} ends at {blocks[-1].until}, so use above it has no price; "
            "write it without a bound"
        )
    return blocks


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


def _open_with_a_price(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    if steps and steps[-1].until is not None:
        raise ValueError(
            f"the last step ends at {steps[-1].until}, so use above it has no price; "
            f'write it without a bound: ["{steps[-1].price}"]'
        )
    return steps


StepList = Annotated[
    tuple[Step, ...],
    NotEmpty,
    AfterValidator(_open_with_a_price),
    AfterValidator(rising_and_open),
]
"""Steps at prices, as a charge holds them."""


def ends(blocks: Iterable[Block]) -> list[int]:
    """Return where blocks end, 10⁻⁴ of the unit; the open one has no end."""
    return [to_scaled(block.until) for block in blocks if block.until is not None]


def prices(steps: Iterable[Step]) -> list[int]:
    """Return the price of each step, 10⁻⁶ of the currency."""
    return [to_price(step.price) for step in steps]


def labels(steps: Iterable[Step]) -> tuple[Label, ...]:
    """Return what the part of each step is."""
    return tuple(Label(place, step.until) for place, step in enumerate(steps, start=1))


def step_quantities(
    start: Column | None, use: Column, bounds: Sequence[int | Column]
) -> list[Column]:
    """Return len(bounds) + 1 columns: how much of the use from `start` on lies in each step.

    All int64[n], 10⁻⁴ of the unit; `start` of None is 0; `bounds` rise and are the same for all or
    one a row. Step i holds `clip(end, lo, hi) − clip(start, lo, hi)` of the cumulative use; the
    first has no lower and the last no upper bound, so they sum to the use, whatever its sign.
    """
    end = use if start is None else add(start, use)
    below: Column | None = None
    steps = []
    for bound in bounds:
        under = np.minimum(end, bound)
        if start is not None:
            under -= np.minimum(start, bound)
        steps.append(under if below is None else under - below)
        below = under
    steps.append(use if below is None else use - below)
    return steps


def reached(use: Column, bounds: Sequence[int | Column]) -> list[npt.NDArray[np.bool_]]:
    """Return len(bounds) + 1 columns of truth: in which block each use ends, its bound included."""
    above = [use > bound for bound in bounds]
    if not above:
        return [np.ones_like(use, dtype=np.bool_)]
    between = [left & ~right for left, right in pairwise(above)]
    return [~above[0], *between, above[-1]]
