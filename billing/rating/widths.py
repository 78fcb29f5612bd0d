"""How wide blocks are for one subject: by persons or dwellings, by days, by part of a month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, PlainSerializer, model_validator

from billing.fields import Name, NotEmpty, NotNegative, Quantity
from billing.money import Column, Direction, add, multiply, round_quotient, subtract
from billing.rating.proration import NOMINAL_DAYS
from billing.rating.subjects import Needs
from meters.definition import Definition
from meters.quantity import PER_UNIT, to_scaled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from billing.rating.subjects import Subjects

Bound = int | Column
"""A bound for all rows, or one a row: 10⁻⁴ of the unit."""


def _for_each_bound(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


def _one_alone(value: tuple[Decimal, ...]) -> Any:
    return value[0] if len(value) == 1 else list(value)


class Extra(Definition):
    """Each of `attribute` above `above` raises every bound by `each`, or by its own of a list."""

    attribute: Name
    above: Annotated[Quantity, NotNegative]
    each: Annotated[
        tuple[Annotated[Quantity, NotNegative], ...],
        BeforeValidator(_for_each_bound),
        PlainSerializer(_one_alone),
        NotEmpty,
    ]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if list(self.each) != sorted(self.each):
            raise ValueError("each must not fall from step to step, or bounds could cross")
        return self


class OutsideDays(Definition):
    """Days of a period from and up to which widths stay as they are: `{ outside = [25, 35] }`."""

    outside: tuple[int, int]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not 0 < self.outside[0] <= self.outside[1]:
            raise ValueError(f"outside is [least, most] days, got {list(self.outside)}")
        return self


class Widths(Definition):
    """What makes the bounds of a charge's blocks wider or narrower.

    `extra`: by persons above a number; `times`: an attribute that multiplies every bound, such as
    dwellings; `days`: whether bounds are for 30 days and follow the days of the period: never,
    always, or outside a range. Part of a period always has its part of the bounds, by days, except
    where they are of the quarter or year, which go on.
    """

    extra: Extra | None = None
    times: Name | None = None
    days: Literal["never", "always"] | OutsideDays | None = None

    @property
    def width_needs(self) -> Needs:
        names = {self.times, None if self.extra is None else self.extra.attribute}
        return Needs(attributes=frozenset(name for name in names if name is not None))

    def assert_fits(self, bounds: int, *, by_days: bool) -> None:
        """Raise `ValueError` where the widths do not fit a charge of so many bounds."""
        if self.extra is not None and len(self.extra.each) not in {1, bounds}:
            raise ValueError(
                f"extra.each has {len(self.extra.each)} numbers for {bounds} bounds; give one for "
                "all or one for each"
            )
        if self.days is not None and not by_days:
            raise ValueError("steps of a quarter or year do not follow days; leave out days")

    def widened(self, bounds: Sequence[int], subjects: Subjects, *, by_days: bool) -> list[Bound]:
        """Return the bounds of each subject; `by_days` for those of a month."""
        wide: list[Bound] = list(bounds)
        if self.extra is not None:
            wide = self._with_extra(self.extra, wide, subjects)
        if self.times is not None:
            count = subjects.attribute(self.times)
            wide = [_rounded(multiply(count, bound), PER_UNIT) for bound in wide]
        if by_days:
            wide = self._by_days(wide, subjects)
        return wide

    @staticmethod
    def _with_extra(extra: Extra, bounds: list[Bound], subjects: Subjects) -> list[Bound]:
        count = subjects.attribute(extra.attribute)
        above = np.maximum(subtract(count, np.full_like(count, to_scaled(extra.above))), 0)
        each = list(map(to_scaled, extra.each)) * (len(bounds) if len(extra.each) == 1 else 1)
        more = [_rounded(multiply(above, size), PER_UNIT) for size in each]
        return [
            add(np.full_like(raised, bound), raised)
            for bound, raised in zip(bounds, more, strict=True)
        ]

    def _by_days(self, bounds: list[Bound], subjects: Subjects) -> list[Bound]:
        nominal = self._follows(subjects.period_days)
        whole = bool((subjects.days == subjects.period_days).all())
        if whole and not nominal:
            return bounds
        base = NOMINAL_DAYS if nominal else subjects.period_days
        after = add(subjects.days_before, subjects.days)
        return [
            subtract(
                _rounded(multiply(after, bound), base),
                _rounded(multiply(subjects.days_before, bound), base),
            )
            for bound in bounds
        ]

    def _follows(self, period_days: int) -> bool:
        match self.days:
            case OutsideDays(outside=(least, most)):
                return not least <= period_days <= most
            case days:
                return days == "always"


def _rounded(product: Column, divisor: int) -> Column:
    return round_quotient(product, divisor, Direction.HALF_UP)


def varying(bounds: Sequence[Bound]) -> tuple[Bound | None, ...] | None:
    """Return the bounds, the last open, where they differ by row; None where the file says them."""
    if all(isinstance(bound, int) for bound in bounds):
        return None
    return (*bounds, None)
