"""From usage to the lines of every unit, tariff by tariff, over columns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from billing.bill import Debtor, Line
from billing.formula.problem import FormulaBlockedError
from billing.problem import Problem
from billing.rating.evidence import input_texts, line_texts
from billing.rating.exact import NOTHING, Carried
from billing.rating.rate import rate
from billing.rating.subjects import AREA, Classes, Subjects
from billing.spans import not_in_force, rated_spans
from billing.usage.dividing import band_use
from meters.quantity import to_scaled
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from billing.money import Column
    from billing.rating.rate import ChargeColumns
    from billing.rating.subjects import BandUse, DemandNeed, Needs
    from billing.registry import Point, Registry, Span, TariffVersion, Unit
    from billing.spans import RatedSpan
    from billing.tariff import Tariff
    from billing.usage.measuring import Measured
    from meters.interval import Interval
    from meters.usage import Usage

ZERO = Decimal(0)


class VanishedLineError(RuntimeError):
    """A unit's use is not known and no problem says so: a defect, so nothing may be issued."""


@dataclass(frozen=True, slots=True)
class Charged:
    """The lines of each unit's holder in the order of its tariffs, and what is missing."""

    lines: Mapping[Debtor, list[Line]]
    problems: list[Problem] = field(default_factory=list)


class _Subject(NamedTuple):
    """One unit's span under one tariff, and what its point counted, by register."""

    unit: Unit
    rated: RatedSpan
    point: Point | None
    usages: Mapping[str, Usage]

    @property
    def debtor(self) -> Debtor:
        return Debtor(self.unit.code, self.rated.span.account)


_Place: TypeAlias = "tuple[int, str, datetime]"
"""Where the lines of a rated span stand on its bill."""
_Carried: TypeAlias = dict[tuple[Debtor, str], dict[str, Carried]]
"""What each charge came to in the spans before, by who owes it and tariff id."""


def charge_units(registry: Registry, measured: Measured) -> Charged:
    """Return the lines of every unit under the tariffs of its spans.

    Spans of one interval under one tariff version are rated at once, and those that begin earlier
    come first. A tariff of a medium that the unit has no point for does not apply to it.
    """
    problems = [_not_in_force(registry, name) for name in not_in_force(registry)]
    seen = _Seen(registry, measured)
    groups: dict[tuple[Interval, str, int], list[_Subject]] = defaultdict(list)
    for unit in registry.units:
        for rated in rated_spans(registry, unit):
            subject = seen.subject(unit, rated)
            if isinstance(subject, Problem):
                problems.append(subject)
            elif subject is not None:
                tariff = rated.version.tariff
                groups[rated.span.interval, tariff.id, tariff.version].append(subject)
    carried: _Carried = {}
    made: dict[Debtor, list[tuple[_Place, list[Line]]]] = defaultdict(list)
    for _, subjects in sorted(groups.items(), key=itemgetter(0)):
        for subject, lines in _with_result(seen, subjects, carried, problems):
            made[subject.debtor].append((subject.rated.place, lines))
    return Charged({debtor: _in_order(found) for debtor, found in made.items()}, problems)


def _in_order(found: list[tuple[_Place, list[Line]]]) -> list[Line]:
    return [line for _, lines in sorted(found, key=itemgetter(0)) for line in lines]


def _not_in_force(registry: Registry, name: str) -> Problem:
    return Problem(
        "NoTariff",
        name,
        told(
            "no version of tariff '{tariff}' is in force on {day}; add one",
            tariff=name,
            day=registry.period.first,
        ),
    )


def _with_result(
    seen: _Seen, subjects: Sequence[_Subject], carried: _Carried, problems: list[Problem]
) -> list[tuple[_Subject, list[Line]]]:
    """Return the lines of those for whom every formula has a result.

    The others are added to `problems` by themselves: where one of them is held, its neighbours are
    billed without it.
    """
    while subjects:
        try:
            return _rated(seen, subjects, carried)
        except FormulaBlockedError as error:
            problems += _without_result(subjects, error)
            blocked = {each.row for each in error.rows}
            subjects = [each for row, each in enumerate(subjects) if row not in blocked]
    return []


def _without_result(subjects: Sequence[_Subject], error: FormulaBlockedError) -> Iterator[Problem]:
    """Yield the units for which a formula has no result; they are never billed 0."""
    for each in error.rows:
        subject = subjects[each.row]
        text = told(
            "a formula of tariff '{tariff}' has no result: {why}; correct either",
            tariff=subject.rated.version.tariff.id,
            why=str(each.problem),
        )
        yield Problem("NoResult", subject.unit.code, text)


class _Seen:
    """Finds what a tariff asks for of a unit's span: in the registry, and in what was measured."""

    def __init__(self, registry: Registry, measured: Measured) -> None:
        self.period = registry.period
        self._start = registry.period.interval.start
        self._issued = registry.issued
        self._peaks = registry.peaks
        self._measured = measured
        self._points: dict[tuple[str | None, str | None], Point] = {
            (each.unit, each.medium): each for each in registry.points if each.unit
        }
        self._needs: dict[int, Needs] = {}
        self._named = {problem.subject for problem in measured.problems}

    def needs(self, version: TariffVersion) -> Needs:
        found = self._needs.get(version.id)
        if found is None:
            found = self._needs[version.id] = version.tariff.needs
        return found

    def subject(self, unit: Unit, rated: RatedSpan) -> _Subject | Problem | None:
        """Return `unit` under a tariff; None if it does not apply or its use is blocked."""
        tariff, span, needs = rated.version.tariff, rated.span, self.needs(rated.version)
        for name in sorted(needs.attributes - span.attributes.keys() - tariff.assumed.keys()):
            what = told(
                "tariff '{tariff}' reads '{name}' and the unit has none; enter it",
                tariff=tariff.id,
                name=name,
            )
            return Problem("NoArea" if name == AREA else "NoAttribute", unit.code, what)
        if not needs.metered:
            return _Subject(unit, rated, None, {})
        point = self._points.get((unit.code, tariff.medium))
        usages = None if point is None else self._usages(point, needs, span)
        return None if usages is None else _Subject(unit, rated, point, usages)

    def before(self, point: Point, name: str, span: Span, months: frozenset[str]) -> int:
        """Return the use in `months`, which are billed, and in earlier spans of the period."""
        issued = self._issued.get((point.id, name))
        by_month = {} if issued is None else issued.by_month
        whole = sum([use for month, use in by_month.items() if month in months])
        if span.interval.start > self._start:
            whole += sum(
                to_scaled(usage.quantity)
                for usage in self._measured.of(point.code, name)
                if usage.interval.start < span.interval.start and usage.quantity is not None
            )
        return whole

    def peak_before(self, point: Point, need: DemandNeed) -> int:
        """Return the highest demand of the months that a ratchet looks at, 10⁻⁴ kW."""
        by_month = self._peaks.get((point.id, need.register, need.minutes), {})
        months = self.period.months_before(need.ratchet_months)
        return max((peak for month, peak in by_month.items() if month in months), default=0)

    def _usages(self, point: Point, needs: Needs, span: Span) -> dict[str, Usage] | None:
        """Return the usage of each register; None where one is blocked, as a problem says.

        Raises `VanishedLineError` where none does.
        """
        usages = {}
        for name in needs.registers:
            usage = self._measured.usages.get((point.code, name, span.interval))
            if usage is None or usage.quantity is None:
                if point.code not in self._named:
                    raise VanishedLineError(
                        f"{point.code}, {name}: its use from {span.interval.start} to "
                        f"{span.interval.end} is not known, and no problem says why"
                    )
                return None
            usages[name] = usage
        return usages


def _rated(
    seen: _Seen, subjects: Sequence[_Subject], carried: _Carried
) -> list[tuple[_Subject, list[Line]]]:
    """Return the lines of subjects under one tariff version in one interval."""
    version = subjects[0].rated.version
    columns = _columns(seen, subjects, carried)
    given = input_texts(columns)
    charges = rate(version.tariff, columns)
    if subjects[0].rated.span.interval.end < seen.period.interval.end:
        for row, subject in enumerate(subjects):
            before = carried.get((subject.debtor, version.tariff.id), {})
            so_far = {charge.charge: charge.carry(row) for charge in charges}
            carried[subject.debtor, version.tariff.id] = {**before, **so_far}
    made = zip(*(_lines(version, subjects, given, charge) for charge in charges), strict=True)
    return [
        (subject, [line for line in lines if line is not None])
        for subject, lines in zip(subjects, made, strict=True)
    ]


def _columns(seen: _Seen, subjects: Sequence[_Subject], carried: _Carried) -> Subjects:
    """Return what the tariff of `subjects` reads, a row each."""
    rated = [each.rated for each in subjects]
    needs, tariff = seen.needs(rated[0].version), rated[0].version.tariff
    metered = [(each.point, each.usages, each.rated.span) for each in subjects if each.point]

    def before(names: frozenset[str], months: frozenset[str]) -> dict[str, Column]:
        return {
            name: _column([seen.before(point, name, span, months) for point, _, span in metered])
            for name in sorted(names)
        }

    earlier = [carried.get((each.debtor, tariff.id), {}) for each in subjects] if carried else []
    return Subjects(
        count=len(subjects),
        period_days=seen.period.days,
        days=_column([each.span.days for each in rated]),
        days_before=_column([each.days_before for each in rated]),
        use={
            name: _column([to_scaled(usages[name].quantity or ZERO) for _, usages, _ in metered])
            for name in sorted(needs.registers)
        },
        before_year=before(needs.year_to_date, seen.period.earlier_months(12)),
        before_quarter=before(needs.quarter_to_date, seen.period.earlier_months(3)),
        bands=_bands(seen, tariff, needs, [usages for _, usages, _ in metered], rated[0].span),
        demand={
            need: _column([_peak(usages[need.register], need) for _, usages, _ in metered])
            for need in sorted(needs.demand)
        },
        peak_before={
            need: _column([seen.peak_before(point, need) for point, _, _ in metered])
            for need in sorted(needs.demand)
            if need.ratchet_months
        },
        attributes={
            name: _column([_attribute(tariff, each.span, name) for each in rated])
            for name in sorted(needs.attributes)
        },
        classes=Classes.of([each.span.customer_class for each in rated]) if needs.classes else None,
        carried={
            name: [each.get(name, NOTHING) for each in earlier]
            for name in sorted({name for each in earlier for name in each})
        },
    )


def _attribute(tariff: Tariff, span: Span, name: str) -> int:
    known = span.attributes.get(name)
    return tariff.assumed[name] if known is None else known


def _bands(
    seen: _Seen, tariff: Tariff, needs: Needs, usages: Sequence[Mapping[str, Usage]], span: Span
) -> dict[str, BandUse]:
    """Return the use by band of every register that the tariff's calendar divides."""
    if tariff.calendar is None:
        return {}
    runs = tariff.calendar.runs(span.interval, seen.period.zone)
    return {
        name: band_use([each[name] for each in usages], runs, ordered=name in needs.ordered)
        for name in sorted(needs.bands)
    }


def _peak(usage: Usage, need: DemandNeed) -> int:
    """Return the highest average of a usage, 10⁻⁴ kW."""
    return next(to_scaled(each.average) for each in usage.peaks if each.minutes == need.minutes)


def _column(values: Sequence[int]) -> Column:
    return np.array(values, dtype=np.int64)


def _lines(
    version: TariffVersion,
    subjects: Sequence[_Subject],
    given: Sequence[str],
    charge: ChargeColumns,
) -> Iterator[Line | None]:
    """Yield the line of every subject under one charge, None where it does not apply."""
    register = _register_of(version, charge.charge)
    interval = subjects[0].rated.span.interval
    rows = zip(
        repeat(charge.charge),
        repeat(charge.revenue),
        charge.quantity.tolist(),
        repeat(charge.unit),
        charge.amount.tolist(),
        repeat(version.id),
        [(each.point.code, register, interval) if each.point else None for each in subjects]
        if register
        else repeat(None),
        repeat(None),
        line_texts(given, charge),
    )
    lines = map(Line._make, rows)
    if charge.applies is None:
        return lines
    return (
        line if applies else None
        for line, applies in zip(lines, charge.applies.tolist(), strict=True)
    )


def _register_of(version: TariffVersion, charge: str) -> str | None:
    """Return the register whose usage a charge counts."""
    for each in version.tariff.charges:
        if each.name == charge and each.needs.registers:
            return min(each.needs.registers)
    return None
