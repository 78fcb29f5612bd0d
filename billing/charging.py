"""From usage to the lines of every unit, tariff by tariff, over columns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from billing.bill import Line
from billing.money import from_price
from billing.problem import Problem
from billing.rating.rate import rate
from billing.rating.subjects import Subjects
from meters.quantity import from_scaled, plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.measuring import Measured
    from billing.rating.rate import ChargeColumns
    from billing.rating.subjects import Needs
    from billing.registry import Point, Registry, TariffVersion, Unit


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
            for unit in units:
                subject = _subject(
                    registry,
                    version,
                    unit,
                    points.get((unit.code, version.tariff.medium)),
                    measured,
                )
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
    version: TariffVersion,
    unit: Unit,
    point: Point | None,
    measured: Measured,
) -> _Subject | Problem | None:
    """Return `unit` under a tariff; None if it does not apply or its use is blocked."""
    needs = version.tariff.needs
    if needs.area and unit.area is None:
        return Problem(
            "NoArea",
            unit.code,
            f"tariff {version.tariff.id!r} is per m² and the unit has no area; enter it",
        )
    area = unit.area if needs.area else None
    if not needs.use:
        return _Subject(unit, None, {}, {}, area)
    use = None if point is None else _use(point, needs, measured)
    if point is None or use is None:
        return None
    return _Subject(unit, point, use, _before(registry, point, needs), area)


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
    charges = rate(version.tariff, columns)
    return [
        (subject, [_line(version, subject, row, charge) for charge in charges])
        for row, subject in enumerate(subjects)
    ]


def _column(values: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def _line(version: TariffVersion, subject: _Subject, row: int, charge: ChargeColumns) -> Line:
    return Line(
        charge=charge.charge,
        revenue=charge.revenue,
        quantity=int(charge.quantity[row]),
        unit=charge.unit,
        amount=int(charge.amount[row]),
        tariff_version_id=version.id,
        usage=_usage_of(version, subject, charge.charge),
        evidence={
            "inputs": inputs(subject.use, subject.before, subject.area),
            "parts": parts(charge, row),
        },
    )


def _usage_of(version: TariffVersion, subject: _Subject, charge: str) -> tuple[str, str] | None:
    """Return which usage a charge counts: the point and the register that the charge reads."""
    for each in version.tariff.charges:
        if each.name == charge and each.needs.registers and subject.point is not None:
            return subject.point.code, min(each.needs.registers)
    return None


def inputs(use: Mapping[str, int], before: Mapping[str, int], area: int | None) -> dict[str, Any]:
    """Return what a tariff was rated with, as evidence."""
    return {
        "use": {name: plain(from_scaled(value)) for name, value in use.items()},
        "before": {name: plain(from_scaled(value)) for name, value in before.items()},
        "area": None if area is None else plain(from_scaled(area)),
    }


def parts(charge: ChargeColumns, row: int) -> list[dict[str, str]]:
    """Return the quantities at prices that row `row` of a charge came apart into, as evidence."""
    return [
        {
            "quantity": plain(from_scaled(int(charge.parts.quantity[row, step]))),
            "price": plain(from_price(int(price))),
        }
        for step, price in enumerate(charge.parts.price)
    ]
