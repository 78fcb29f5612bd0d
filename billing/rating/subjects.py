"""What is rated: columns over n billed things, one row each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.money import Column


class SubjectsError(ValueError):
    """A column that a charge needs is missing, or is no int64 column of the right length."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a charge or tariff asks of its subjects.

    `registers` must be in `Subjects.use`, `year_to_date` (a subset) also in `Subjects.before`.
    """

    registers: frozenset[str] = frozenset()
    year_to_date: frozenset[str] = frozenset()
    area: bool = False

    @property
    def use(self) -> bool:
        return bool(self.registers)

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            self.registers | other.registers,
            self.year_to_date | other.year_to_date,
            self.area or other.area,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subjects:
    """`count` billed things in one period (one month).

    `use[register]` and `before[register]`: int64[count], 10⁻⁴ of the register's unit; the use in
    the period, and the use from the start of the calendar year to the start of the period.
    `area`: int64[count], 10⁻⁴ m². Raises `SubjectsError` for a column of another length or type.
    """

    count: int
    use: Mapping[str, Column] = field(default_factory=dict)
    before: Mapping[str, Column] = field(default_factory=dict)
    area: Column | None = None

    def __post_init__(self) -> None:
        named = [(f"use of {name}", column) for name, column in self.use.items()]
        named += [(f"use of {name} before", column) for name, column in self.before.items()]
        if self.area is not None:
            named.append(("area", self.area))
        for name, column in named:
            if column.dtype != np.int64 or column.shape != (self.count,):
                raise SubjectsError(
                    f"{name}: must be int64 of shape ({self.count},), got {column.dtype} of shape "
                    f"{column.shape}"
                )

    @classmethod
    def one(
        cls,
        *,
        use: Mapping[str, int] | None = None,
        before: Mapping[str, int] | None = None,
        area: int | None = None,
    ) -> Subjects:
        """Return a single billed thing, rated by the same code as a million."""
        return cls(
            count=1,
            use={name: _single(value) for name, value in (use or {}).items()},
            before={name: _single(value) for name, value in (before or {}).items()},
            area=None if area is None else _single(area),
        )

    def use_of(self, register: str) -> Column:
        return _found(self.use, register, "use")

    def before_of(self, register: str) -> Column:
        return _found(self.before, register, "use in the year before the period")

    def areas(self) -> Column:
        if self.area is None:
            raise SubjectsError("a charge needs the area, and none is given")
        return self.area


def _found(columns: Mapping[str, Column], register: str, what: str) -> Column:
    try:
        return columns[register]
    except KeyError:
        raise SubjectsError(
            f"a charge needs the {what} of register {register!r}; given: {sorted(columns)}"
        ) from None


def _single(value: int) -> Column:
    return np.array([value], dtype=np.int64)
