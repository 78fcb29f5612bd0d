"""From readings to the usage of every point that the period's bills rest on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property, partial
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from billing.problem import Problem
from billing.spans import cuts
from meters.archive.protocol import BOUNDARY_WINDOW
from meters.history import History
from meters.interval import Interval
from meters.quantity import InexactQuantityError, to_scaled
from meters.reading import Series
from meters.usage import is_unsettled, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing.registry import Point, Registry, Unit
    from meters.archive.protocol import Archive, Boundary
    from meters.meter_type import MeterType, Register
    from meters.usage import Usage

CONFIRMED_WITHIN = timedelta(days=3)
"""How long after the period the reading may come that confirms one at its end."""


UsageKey: TypeAlias = tuple[str, str, datetime]
"""A usage by its point's code, its register's name, and its start."""


@dataclass(frozen=True)
class Measured:
    """The usages of each point's register, which tile the period, and what is missing."""

    usages: Mapping[UsageKey, Usage]
    problems: tuple[Problem, ...]

    def over(self, point: str, register: str) -> int | None:
        """Return the use of the whole period, 10⁻⁴ units; None where a finding blocks it."""
        whole = 0
        usages = self.of(point, register)
        for usage in usages:
            if usage.quantity is None:
                return None
            whole += to_scaled(usage.quantity)
        return whole if usages else None

    def of(self, point: str, register: str) -> list[Usage]:
        """Return the usages of a register, which tile the period, in time order."""
        return self._by_register.get((point, register), [])

    @cached_property
    def _by_register(self) -> dict[tuple[str, str], list[Usage]]:
        found: dict[tuple[str, str], list[Usage]] = defaultdict(list)
        for (point, register, _), usage in sorted(self.usages.items(), key=itemgetter(0)):
            found[point, register].append(usage)
        return found


def measure_points(
    registry: Registry, archive: Archive, types: Mapping[str, MeterType]
) -> Measured:
    """Return the usage of every register that a tariff or pool of `registry` asks for."""
    units = {unit.code: unit for unit in registry.units}
    wanted = list(_wanted(registry, units))
    problems = list(_unknown_registers(wanted, types))
    if problems:
        return Measured({}, tuple(problems))
    parts = {point.code: _parts(registry, units, point) for point, _ in wanted}
    boundaries = _boundaries(wanted, parts, archive)
    usages = {}
    for point, name in wanted:
        issued = registry.issued.get((point.id, name))
        for interval in parts[point.code]:
            told = partial(
                measure,
                point=point.code,
                name=name,
                interval=interval,
                installations=point.installations,
                registers=_registers(point, name, types),
                boundaries=boundaries[name],
                issued=None if issued is None else issued.closing,
            )
            usage = told()
            if is_unsettled(usage):
                usage = told(histories=_histories(interval, point, name, archive, types))
            if inexact := _inexact(usage):
                problems.append(inexact)
                continue
            usages[point.code, name, interval.start] = usage
            problems.extend(
                Problem(type(finding).__name__, point.code, str(finding))
                for finding in usage.findings
                if finding.blocks
            )
    return Measured(usages, tuple(problems))


def _parts(registry: Registry, units: Mapping[str, Unit], point: Point) -> list[Interval]:
    """Return the parts of the period that the use of `point` is measured in; they tile it."""
    whole = registry.period.interval
    if point.unit is None:
        return [whole]
    found = cuts(registry, units[point.unit], point.medium)
    ends = [whole.start, *(each.at for each in found), whole.end]
    return [Interval(start, end) for start, end in pairwise(ends)]


def _inexact(usage: Usage) -> Problem | None:
    """Return what is wrong with a use that is finer than bills can state, such as 0.00001 kWh."""
    try:
        to_scaled(usage.quantity or Decimal(0))
    except InexactQuantityError as error:
        text = f"its use cannot be billed: {error}; correct the multiplier or the registers"
        return Problem("InexactUsage", usage.point, text)
    return None


def _wanted(registry: Registry, units: Mapping[str, Unit]) -> Iterator[tuple[Point, str]]:
    """Yield each point with each register that a tariff or pool reads at it."""
    registers = cache(partial(_read_by, registry))
    by_point: dict[str, set[str]] = defaultdict(set)
    for each in registry.pools:
        for code in each.pool.source.measured:
            by_point[code].add(str(each.pool.source.register_name))
    for point in registry.points:
        names = set(by_point.get(point.code, ()))
        if point.unit is not None:
            for span in units[point.unit].spans:
                names |= registers(span.tariffs, point.medium)
        for name in sorted(names):
            yield point, name


def _read_by(registry: Registry, tariffs: tuple[str, ...], medium: str) -> frozenset[str]:
    """Return the registers that are read at the point of a unit which is billed by `tariffs`."""
    found: set[str] = set()
    for version in (each for name in tariffs for each in registry.tariffs.get(name, ())):
        if version.tariff.medium == medium:
            found |= version.tariff.needs.registers
    uses = (use for each in registry.pools for use in each.pool.uses)
    found |= {use.register_name for use in uses if use.medium == medium}
    return frozenset(found)


def _unknown_registers(
    wanted: Sequence[tuple[Point, str]], types: Mapping[str, MeterType]
) -> Iterator[Problem]:
    for point, name in wanted:
        for each in point.installations:
            meter_type = types.get(each.meter_type)
            if meter_type is None:
                yield Problem(
                    "UnknownMeterType",
                    point.code,
                    f"meter {each.meter} is of the unknown type {each.meter_type!r}; add its file",
                )
            elif name not in meter_type.billing_registers:
                yield Problem(
                    "UnknownRegister",
                    point.code,
                    f"a tariff bills by {name!r}, which {meter_type.name} does not count",
                )
        if not point.installations:
            yield Problem(
                "NotInstalled", point.code, "no meter was ever installed; record the installation"
            )


def _registers(point: Point, name: str, types: Mapping[str, MeterType]) -> dict[str, Register]:
    return {each.meter_type: types[each.meter_type].registers[name] for each in point.installations}


def _histories(
    interval: Interval,
    point: Point,
    name: str,
    archive: Archive,
    types: Mapping[str, MeterType],
) -> dict[str, History]:
    """Ask the archive for all that the meters of `point` showed in `interval` and beside it."""
    beside = Interval(interval.start - BOUNDARY_WINDOW, interval.end + CONFIRMED_WITHIN)
    return {
        each.meter: History(
            types[each.meter_type].registers[name],
            archive.readings(Series(each.meter, name), beside),
        )
        for each in point.installations
        if each.within(interval) is not None
    }


def _boundaries(
    wanted: Sequence[tuple[Point, str]], parts: Mapping[str, Sequence[Interval]], archive: Archive
) -> dict[str, dict[tuple[str, datetime], Boundary]]:
    """Ask the archive once for each instant that counts, for all meters that stood then."""
    found: dict[str, dict[tuple[str, datetime], Boundary]] = {name: {} for _, name in wanted}
    series: dict[datetime, set[Series]] = defaultdict(set)
    for point, name in wanted:
        ends = {each.start for each in parts[point.code]} | {parts[point.code][-1].end}
        for each in point.installations:
            changes = {ratio.since for ratio in each.ratios if min(ends) < ratio.since < max(ends)}
            for instant in ends | changes:
                if each.start <= instant and (each.end is None or instant <= each.end):
                    series[instant].add(Series(each.meter, name))
    for instant in sorted(series):
        for key, boundary in archive.boundaries(series[instant], instant).items():
            found[key.register][key.meter, instant] = boundary
    return found
