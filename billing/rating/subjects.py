"""What is rated: columns over n billed things, one row each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from billing.money import Column
    from billing.rating.exact import Carried

Key = TypeVar("Key")
Found = TypeVar("Found")

AREA = "area"
"""The attribute that holds a unit's floor area, m²."""


class SubjectsError(ValueError):
    """A column that a charge needs is missing, or is no int64 column of the right length."""


@dataclass(frozen=True, slots=True, order=True)
class DemandNeed:
    """The highest average power over `minutes`, and over the `ratchet_months` before the period."""

    register: str
    minutes: int
    ratchet_months: int = 0


@dataclass(frozen=True, slots=True)
class Needs:
    """What a charge or tariff asks of its subjects.

    `registers` must be in `Subjects.use`; of them `year_to_date` also in `before_year` and
    `quarter_to_date` in `before_quarter`. `bands` are read by time-of-use band from interval data,
    `ordered` of them in runs in the order of time. `classes`: whether the customer class is read.
    """

    registers: frozenset[str] = frozenset()
    year_to_date: frozenset[str] = frozenset()
    quarter_to_date: frozenset[str] = frozenset()
    bands: frozenset[str] = frozenset()
    ordered: frozenset[str] = frozenset()
    demand: frozenset[DemandNeed] = frozenset()
    attributes: frozenset[str] = frozenset()
    classes: bool = False

    @property
    def metered(self) -> bool:
        """Whether a metering point is needed at all."""
        return bool(self.registers or self.bands or self.demand)

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            self.registers | other.registers,
            self.year_to_date | other.year_to_date,
            self.quarter_to_date | other.quarter_to_date,
            self.bands | other.bands,
            self.ordered | other.ordered,
            self.demand | other.demand,
            self.attributes | other.attributes,
            self.classes or other.classes,
        )


@dataclass(frozen=True, slots=True, eq=False)
class BandUse:
    """Use by band: `names[k]` of the k runs in the order of time, or of k bands once each.

    `quantity`: int64[n, k], 10⁻⁴ of the unit; a row sums to the use of its register.
    """

    names: tuple[str, ...]
    quantity: Column


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """The customer class of each row: `names[index[row]]`; `index`: int64[n]."""

    names: tuple[str, ...]
    index: Column

    @classmethod
    def of(cls, classes: Sequence[str]) -> Classes:
        """Return the column of one class a row."""
        names = tuple(sorted(set(classes)))
        places = {name: place for place, name in enumerate(names)}
        return cls(names, np.array([places[each] for each in classes], dtype=np.int64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subjects:
    """`count` billed things in one span of a period of `period_days` local days.

    All columns are int64[count], quantities 10⁻⁴ of their unit:
    `days` of the span; `days_before`, the days of the period that earlier spans of the same thing
    were billed for under the same charges, so that parts of a month sum to a month; `use` by
    register; `before_year` and `before_quarter`, its use from the start of the calendar year and
    quarter to the start of the span; `bands` by register; `demand`, the peak in kW, and
    `peak_before`, that of the months before which the ratchet looks at; `attributes` by name.
    `carried`, by charge: what it came to in the spans before, a row each.
    Raises `SubjectsError` for a column of another length or type.
    """

    count: int
    period_days: int
    days: Column
    days_before: Column
    use: Mapping[str, Column] = field(default_factory=dict)
    before_year: Mapping[str, Column] = field(default_factory=dict)
    before_quarter: Mapping[str, Column] = field(default_factory=dict)
    bands: Mapping[str, BandUse] = field(default_factory=dict)
    demand: Mapping[DemandNeed, Column] = field(default_factory=dict)
    peak_before: Mapping[DemandNeed, Column] = field(default_factory=dict)
    attributes: Mapping[str, Column] = field(default_factory=dict)
    classes: Classes | None = None
    carried: Mapping[str, Sequence[Carried]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, column, shape in self._columns():
            if column.dtype != np.int64 or column.shape != shape:
                raise SubjectsError(
                    f"{name}: must be int64 of shape {shape}, got {column.dtype} of shape "
                    f"{column.shape}"
                )
        for name, column in self.attributes.items():
            if self.count and column.min() < 0:
                raise SubjectsError(f"attribute {name}: is negative; correct the registry")
        for name, parts in self.carried.items():
            if len(parts) != self.count:
                raise SubjectsError(f"carried of {name}: {len(parts)} values, want {self.count}")

    def _columns(self) -> Iterator[tuple[str, Column, tuple[int, ...]]]:
        row = (self.count,)
        yield "days", self.days, row
        yield "days before", self.days_before, row
        for what, columns in (
            ("use of", self.use),
            ("use in the year before of", self.before_year),
            ("use in the quarter before of", self.before_quarter),
            ("demand of", self.demand),
            ("earlier peak of", self.peak_before),
            ("attribute", self.attributes),
        ):
            for name, column in columns.items():
                yield f"{what} {name}", column, row
        for register, bands in self.bands.items():
            yield f"bands of {register}", bands.quantity, (self.count, len(bands.names))
        if self.classes is not None:
            yield "classes", self.classes.index, row

    @classmethod
    def one(
        cls,
        *,
        period_days: int,
        days: int | None = None,
        days_before: int = 0,
        **columns: Mapping[Any, int],
    ) -> Subjects:
        """Return a single billed thing, rated by the same code as a million.

        `days`: the whole period unless said; `columns`: single numbers in the place of columns.
        """
        return cls(
            count=1,
            period_days=period_days,
            days=single(period_days if days is None else days),
            days_before=single(days_before),
            **{
                name: {key: single(value) for key, value in numbers.items()}
                for name, numbers in columns.items()
            },  # type: ignore[arg-type]  # only columns of numbers are given so
        )

    def use_of(self, register: str) -> Column:
        return _found(self.use, register, "use of register")

    def before_year_of(self, register: str) -> Column:
        return _found(self.before_year, register, "use in the year before the span of register")

    def before_quarter_of(self, register: str) -> Column:
        return _found(
            self.before_quarter, register, "use in the quarter before the span of register"
        )

    def bands_of(self, register: str) -> BandUse:
        return _found(self.bands, register, "use by band of register")

    def demand_of(self, need: DemandNeed) -> Column:
        return _found(self.demand, need, "peak demand")

    def peak_before_of(self, need: DemandNeed) -> Column:
        return _found(self.peak_before, need, "earlier peak demand")

    def attribute(self, name: str) -> Column:
        return _found(self.attributes, name, "attribute")

    def is_of(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Return bool[count]: whose customer class is one of `names`."""
        if self.classes is None:
            raise SubjectsError("a charge is for some customer classes, and no class is given")
        wanted = [place for place, name in enumerate(self.classes.names) if name in set(names)]
        return np.isin(self.classes.index, wanted)


def _found(columns: Mapping[Key, Found], key: Key, what: str) -> Found:
    try:
        return columns[key]
    except KeyError:
        raise SubjectsError(
            f"a charge needs the {what} {key!r}; given: {sorted(map(str, columns))}"
        ) from None


def single(value: int) -> Column:
    """Return a column of one row."""
    return np.array([value], dtype=np.int64)
