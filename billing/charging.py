"""From usage to the lines of every unit, tariff by tariff, over columns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from billing.bill import Line
from billing.evidence import quantity_text
from billing.money import from_price
from billing.problem import Problem
from billing.rating.rate import rate
from billing.rating.subjects import Subjects
from meters.quantity import plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing.measuring import Measured
    from billing.rating.rate import ChargeColumns
    from billing.rating.subjects import Needs
    from billing.registry import Point, Registry, TariffVersion, Unit
    from billing.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Charged:
    """The lines of each unit in the order of its tariffs, by unit code, and what is missing."""

    lines: Mapping[str, list[Line]]
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Subject:
    """One unit under one tariff, with the numbers that the tariff asks for."""

    unit: Unit
    point: Point | None
    use: Mapping[str, int]
    before: Mapping[str, int]
    area: int | None
    inputs: Mapping[str, Any]
    """The same as evidence."""


def charge_units(registry: Registry, measured: Measured) -> Charged:
    """Return the lines of every unit under the tariffs of its class.

    A tariff of a medium that the unit has no point for does not apply to it.
    """
    lines: dict[str, list[Line]] = defaultdict(list)
    problems: list[Problem] = []
    points: dict[tuple[str | None, str | None], Point] = {
        (each.unit, each.medium): each for each in registry.points if each.unit
    }
    for customer_class, names in registry.classes.items():
        units = [unit for unit in registry.units if unit.customer_class == customer_class]
        for name in names if units else ():
            version = registry.tariffs.get(name)
            if version is None:
                problems.append(_not_in_force(registry, name))
                continue
            subjects = []
            needs = version.tariff.needs
            for unit in units:
                point = points.get((unit.code, version.tariff.medium))
                subject = _subject(registry, version.tariff, unit, point, measured, needs=needs)
                if isinstance(subject, Problem):
                    problems.append(subject)
                elif subject is not None:
                    subjects.append(subject)
            for subject, made in _rated(version, subjects):
                lines[subject.unit.code].extend(made)
    return Charged(lines, problems)


def _not_in_force(registry: Registry, name: str) -> Problem:
    return Problem(
        "NoTariff",
        name,
        f"no version of tariff {name!r} is in force on {registry.period.first}; add one",
    )


def _subject(
    registry: Registry,
    tariff: Tariff,
    unit: Unit,
    point: Point | None,
    measured: Measured,
    *,
    needs: Needs,
) -> _Subject | Problem | None:
    """Return `unit` under a tariff; None if it does not apply or its use is blocked."""
    if needs.area and unit.area is None:
        return Problem(
            "NoArea",
            unit.code,
            f"tariff {tariff.id!r} is per m² and the unit has no area; enter it",
        )
    area = unit.area if needs.area else None
    if not needs.use:
        return _Subject(unit, None, {}, {}, area, inputs({}, {}, area))
    use = None if point is None else _use(point, needs, measured)
    if point is None or use is None:
        return None
    before = _before(registry, point, needs)
    return _Subject(unit, point, use, before, area, inputs(use, before, area))


def _use(point: Point, needs: Needs, measured: Measured) -> dict[str, int] | None:
    """Return the use of each register; None where a finding blocks it, which is said already."""
    use = {}
    for name in needs.registers:
        usage = measured.usages.get((point.code, name))
        if usage is None or usage.quantity is None:
            return None
        use[name] = to_scaled(usage.quantity)
    return use


def _before(registry: Registry, point: Point, needs: Needs) -> dict[str, int]:
    issued = {name: registry.issued.get((point.id, name)) for name in needs.year_to_date}
    return {name: 0 if each is None else each.year_to_date for name, each in issued.items()}


def _rated(
    version: TariffVersion, subjects: Sequence[_Subject]
) -> list[tuple[_Subject, list[Line]]]:
    if not subjects:
        return []
    needs = version.tariff.needs
    columns = Subjects(
        count=len(subjects),
        use={name: _column([each.use[name] for each in subjects]) for name in needs.registers},
        before={
            name: _column([each.before[name] for each in subjects]) for name in needs.year_to_date
        },
        area=_column([each.area or 0 for each in subjects]) if needs.area else None,
    )
    made = [_lines(version, subjects, charge) for charge in rate(version.tariff, columns)]
    return list(zip(subjects, map(list, zip(*made, strict=True)), strict=True))


def _column(values: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def _lines(
    version: TariffVersion, subjects: Sequence[_Subject], charge: ChargeColumns
) -> Iterator[Line]:
    """Yield the line of every subject under one charge."""
    register = _register_of(version, charge.charge)
    rows = zip(
        subjects, charge.quantity.tolist(), charge.amount.tolist(), parts(charge), strict=True
    )
    for subject, quantity, amount, steps in rows:
        yield Line(
            charge=charge.charge,
            revenue=charge.revenue,
            quantity=quantity,
            unit=charge.unit,
            amount=amount,
            tariff_version_id=version.id,
            usage=(subject.point.code, register) if subject.point and register else None,
            evidence={"inputs": subject.inputs, "parts": steps},
        )


def _register_of(version: TariffVersion, charge: str) -> str | None:
    """Return the register whose usage a charge counts."""
    for each in version.tariff.charges:
        if each.name == charge and each.needs.registers:
            return min(each.needs.registers)
    return None


def inputs(use: Mapping[str, int], before: Mapping[str, int], area: int | None) -> dict[str, Any]:
    """Return what a tariff was rated with, as evidence."""
    return {
        "use": {name: quantity_text(value) for name, value in use.items()},
        "before": {name: quantity_text(value) for name, value in before.items()},
        "area": None if area is None else quantity_text(area),
    }


def parts(charge: ChargeColumns) -> Iterator[list[dict[str, str]]]:
    """Yield the quantities at prices that each row of a charge came apart into, as evidence."""
    prices = [plain(from_price(price)) for price in charge.parts.price.tolist()]
    for quantities in charge.parts.quantity.tolist():
        yield [
            {"quantity": quantity_text(quantity), "price": price}
            for quantity, price in zip(quantities, prices, strict=True)
        ]
