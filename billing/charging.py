"""From usage to the lines of every unit, tariff by tariff, over columns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from billing.bill import Debtor, Line
from billing.problem import Problem
from billing.rating.evidence import inputs, parts
from billing.rating.rate import rate
from billing.rating.subjects import AREA, Subjects
from billing.spans import not_in_force, rated_spans
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from billing.measuring import Measured
    from billing.rating.rate import ChargeColumns
    from billing.rating.subjects import Needs
    from billing.registry import Point, Registry, Span, TariffVersion, Unit
    from billing.spans import RatedSpan
    from meters.interval import Interval, Period


@dataclass(frozen=True, slots=True)
class Charged:
    """The lines of each unit's holder in the order of its tariffs, and what is missing."""

    lines: Mapping[Debtor, list[Line]]
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Subject:
    """One unit's span under one tariff, with the numbers that the tariff asks for."""

    unit: Unit
    rated: RatedSpan
    point: Point | None
    use: Mapping[str, int]
    before: Mapping[str, int]
    attributes: Mapping[str, int]


def charge_units(registry: Registry, measured: Measured) -> Charged:
    """Return the lines of every unit under the tariffs of its spans.

    Spans of one interval under one tariff version are rated at once, and those that begin earlier
    come first. A tariff of a medium that the unit has no point for does not apply to it.
    """
    problems = [_not_in_force(registry, name) for name in not_in_force(registry)]
    groups: dict[tuple[Interval, int], list[_Subject]] = defaultdict(list)
    versions: dict[int, TariffVersion] = {}
    inputs_of = _Inputs(registry, measured)
    for unit in registry.units:
        for rated in rated_spans(registry, unit):
            subject = inputs_of(unit, rated)
            if isinstance(subject, Problem):
                problems.append(subject)
            elif subject is not None:
                versions[rated.version.id] = rated.version
                groups[rated.span.interval, rated.version.id].append(subject)
    made: dict[Debtor, list[tuple[tuple[int, datetime], list[Line]]]] = defaultdict(list)
    for (interval, version_id), subjects in sorted(groups.items(), key=itemgetter(0)):
        for subject, lines in _rated(versions[version_id], subjects, registry.period):
            debtor = Debtor(subject.unit.code, subject.rated.span.account)
            made[debtor].append(((subject.rated.order, interval.start), lines))
    return Charged({debtor: _in_order(found) for debtor, found in made.items()}, problems)


def _in_order(found: list[tuple[tuple[int, datetime], list[Line]]]) -> list[Line]:
    return [line for _, lines in sorted(found, key=itemgetter(0)) for line in lines]


def _not_in_force(registry: Registry, name: str) -> Problem:
    return Problem(
        "NoTariff",
        name,
        f"no version of tariff {name!r} is in force on {registry.period.first}; add one",
    )


class _Inputs:
    """Finds what a tariff asks for of a unit's span."""

    def __init__(self, registry: Registry, measured: Measured) -> None:
        self._registry = registry
        self._measured = measured
        self._points: dict[tuple[str | None, str | None], Point] = {
            (each.unit, each.medium): each for each in registry.points if each.unit
        }
        self._needs: dict[int, Needs] = {}

    def __call__(self, unit: Unit, rated: RatedSpan) -> _Subject | Problem | None:
        """Return `unit` under a tariff; None if it does not apply or its use is blocked."""
        tariff, span = rated.version.tariff, rated.span
        needs = self._needs.get(rated.version.id)
        if needs is None:
            needs = self._needs[rated.version.id] = tariff.needs
        for name in sorted(needs.attributes - span.attributes.keys()):
            what = f"tariff {tariff.id!r} reads {name!r} and the unit has none; enter it"
            return Problem("NoArea" if name == AREA else "NoAttribute", unit.code, what)
        attributes = {name: span.attributes[name] for name in sorted(needs.attributes)}
        if not needs.metered:
            return _Subject(unit, rated, None, {}, {}, attributes)
        point = self._points.get((unit.code, tariff.medium))
        use = None if point is None else self._use(point, needs, span)
        if point is None or use is None:
            return None
        before = {name: self._before(point, name, span) for name in needs.year_to_date}
        return _Subject(unit, rated, point, use, before, attributes)

    def _use(self, point: Point, needs: Needs, span: Span) -> dict[str, int] | None:
        """Return the use of each register; None where a finding blocks it."""
        use = {}
        for name in needs.registers:
            usage = self._measured.usages.get((point.code, name, span.interval.start))
            if usage is None or usage.quantity is None:
                return None
            use[name] = to_scaled(usage.quantity)
        return use

    def _before(self, point: Point, name: str, span: Span) -> int:
        """Return the use since New Year: of the months that are billed, and of earlier spans."""
        issued = self._registry.issued.get((point.id, name))
        whole = 0 if issued is None else sum(issued.by_month.values())
        if span.interval.start > self._registry.period.interval.start:
            whole += sum(
                to_scaled(usage.quantity)
                for usage in self._measured.of(point.code, name)
                if usage.interval.start < span.interval.start and usage.quantity is not None
            )
        return whole


def _rated(
    version: TariffVersion, subjects: Sequence[_Subject], period: Period
) -> list[tuple[_Subject, list[Line]]]:
    needs, span = version.tariff.needs, subjects[0].rated.span
    before = span.interval.start.astimezone(period.zone).date() - period.first
    columns = Subjects(
        count=len(subjects),
        period_days=period.days,
        days=_column([span.days] * len(subjects)),
        days_before=_column([before.days] * len(subjects)),
        use={name: _column([each.use[name] for each in subjects]) for name in needs.registers},
        before_year={
            name: _column([each.before[name] for each in subjects]) for name in needs.year_to_date
        },
        attributes={
            name: _column([each.attributes[name] for each in subjects]) for name in needs.attributes
        },
    )
    given = list(inputs(columns))
    made = [_lines(version, subjects, given, charge) for charge in rate(version.tariff, columns)]
    return list(zip(subjects, map(list, zip(*made, strict=True)), strict=True))


def _column(values: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def _lines(
    version: TariffVersion,
    subjects: Sequence[_Subject],
    given: Sequence[dict[str, Any]],
    charge: ChargeColumns,
) -> Iterator[Line]:
    """Yield the line of every subject under one charge."""
    register = _register_of(version, charge.charge)
    start = subjects[0].rated.span.interval.start
    rows = zip(
        subjects,
        given,
        charge.quantity.tolist(),
        charge.amount.tolist(),
        parts(charge),
        strict=True,
    )
    for subject, rated_with, quantity, amount, steps in rows:
        yield Line(
            charge=charge.charge,
            revenue=charge.revenue,
            quantity=quantity,
            unit=charge.unit,
            amount=amount,
            tariff_version_id=version.id,
            usage=(subject.point.code, register, start) if subject.point and register else None,
            evidence={"inputs": rated_with, "parts": steps},
        )


def _register_of(version: TariffVersion, charge: str) -> str | None:
    """Return the register whose usage a charge counts."""
    for each in version.tariff.charges:
        if each.name == charge and each.needs.registers:
            return min(each.needs.registers)
    return None
