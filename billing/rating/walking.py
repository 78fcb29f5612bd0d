"""The spans and months of an example one after the other: what each takes from those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from billing.rating.fitting import by_register
from billing.rating.proration import NOMINAL_DAYS
from billing.rating.subjects import AREA, BandUse, Classes, DemandNeed, Subjects, single
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.money import Column
    from billing.rating.exact import Carried
    from billing.rating.example import Billed, Example
    from billing.rating.rate import ChargeColumns
    from billing.tariff import Tariff

Key = TypeVar("Key")
MONTHS_OF_A_QUARTER = 3
MONTHS_OF_A_YEAR = 12


class Walk:
    """Goes through the rows of an example; all quantities are 10⁻⁴ of their unit."""

    def __init__(self, tariff: Tariff, example: Example) -> None:
        self._tariff = tariff
        self._needs = needs = tariff.needs
        self._example = example
        self._year = dict.fromkeys(needs.year_to_date, 0)
        self._quarter = dict.fromkeys(needs.quarter_to_date, 0)
        self._year |= by_register(example.before, needs.registers)
        self._quarter |= by_register(example.before_quarter, needs.registers)
        self._peaks: list[dict[str, int]] = []
        self._month = example.first_month or 1
        self._days_before = 0
        self._carried: dict[str, Carried] = {}

    def subjects(self, row: Billed) -> Subjects:
        """Return what is rated for a row."""
        needs = self._needs
        days, period_days = self._days(row)
        bands = {name: _band_use(row) for name in needs.bands}
        return Subjects(
            count=1,
            period_days=period_days,
            days=single(days),
            days_before=single(self._days_before or row.days_before or 0),
            use=_columns(self._use(row)),
            before_year=_columns(self._year),
            before_quarter=_columns(self._quarter),
            bands=bands,
            demand=_columns({need: self._demand(row)[need.register] for need in needs.demand}),
            peak_before=_columns(
                {need: self._peak(row, need) for need in needs.demand if need.ratchet_months}
            ),
            attributes=_columns(self._attributes(row)),
            classes=None if row.customer_class is None else Classes.of([row.customer_class]),
            carried={name: (rest,) for name, rest in self._carried.items()},
        )

    def go_on(self, row: Billed, lines: Sequence[ChargeColumns]) -> None:
        """Remember what the next row takes from this one."""
        use = self._use(row)
        self._year = {name: each + use[name] for name, each in self._year.items()}
        self._quarter = {name: each + use[name] for name, each in self._quarter.items()}
        if self._example.spans is not None:
            self._days_before += row.days or 0
            self._carried = {line.charge: line.carry(0) for line in lines}
            return
        self._peaks.append(self._demand(row))
        self._month = self._month % MONTHS_OF_A_YEAR + 1
        if self._month == 1:
            self._year = dict.fromkeys(self._year, 0)
        if self._month % MONTHS_OF_A_QUARTER == 1:
            self._quarter = dict.fromkeys(self._quarter, 0)

    def _days(self, row: Billed) -> tuple[int, int]:
        if self._example.spans is not None:
            return row.days or 0, sum(each.days or 0 for each in self._example.spans)
        period_days = row.period_days or NOMINAL_DAYS
        return row.days or period_days, period_days

    def _use(self, row: Billed) -> dict[str, int]:
        use = by_register(row.usage, self._needs.registers)
        for name in self._needs.bands:
            use[name] = sum(to_scaled(quantity) for _, quantity in row.runs)
        return {name: use.get(name, 0) for name in self._needs.registers}

    def _attributes(self, row: Billed) -> dict[str, int]:
        given = {**(self._tariff.assume or {}), **(row.attributes or {})}
        if row.area is not None:
            given[AREA] = row.area
        return {name: to_scaled(given[name]) for name in self._needs.attributes}

    def _demand(self, row: Billed) -> dict[str, int]:
        return by_register(row.demand, frozenset(need.register for need in self._needs.demand))

    def _peak(self, row: Billed, need: DemandNeed) -> int:
        """Return the highest demand of the months before: those of the example, or as it says."""
        registers = frozenset(each.register for each in self._needs.demand)
        said = by_register(row.peak_before or self._example.peak_before, registers)
        seen = [peaks[need.register] for peaks in self._peaks[-need.ratchet_months :]]
        return max([said.get(need.register, 0), *seen])


def _band_use(row: Billed) -> BandUse:
    runs = row.runs
    quantities = [to_scaled(quantity) for _, quantity in runs]
    return BandUse(tuple(name for name, _ in runs), np.array([quantities], dtype=np.int64))


def _columns(numbers: Mapping[Key, int]) -> dict[Key, Column]:
    return {name: single(number) for name, number in numbers.items()}
