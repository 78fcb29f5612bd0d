"""From readings to the usage of every point that the period's bills rest on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from billing.problem import Problem
from meters.archive.protocol import BOUNDARY_WINDOW
from meters.history import History
from meters.interval import Interval
from meters.quantity import InexactQuantityError, to_scaled
from meters.reading import Series
from meters.usage import is_unsettled, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from billing.registry import Point, Registry
    from meters.archive.protocol import Archive, Boundary
    from meters.meter_type import MeterType, Register
    from meters.usage import Usage

CONFIRMED_WITHIN = timedelta(days=3)
"""How long after the period the reading may come that confirms one at its end."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The usage of each point's register, by point code and register name, and what is missing."""

    usages: Mapping[tuple[str, str], Usage]
    problems: tuple[Problem, ...]


def measure_points(
    registry: Registry, archive: Archive, types: Mapping[str, MeterType]
) -> Measured:
    """Return the usage of every register that a tariff or pool of `registry` asks for."""
    wanted = list(_wanted(registry))
    problems = list(_unknown_registers(wanted, types))
    if problems:
        return Measured({}, tuple(problems))
    boundaries = _boundaries(registry, wanted, archive)
    usages = {}
    for point, name in wanted:
        issued = registry.issued.get((point.id, name))
        told = partial(
            measure,
            point=point.code,
            name=name,
            interval=registry.period.interval,
            installations=point.installations,
            registers=_registers(point, name, types),
            boundaries=boundaries[name],
            issued=None if issued is None else issued.closing,
        )
        usage = told()
        if is_unsettled(usage):
            usage = told(histories=_histories(registry, point, name, archive, types))
        if inexact := _inexact(usage):
            problems.append(inexact)
            continue
        usages[point.code, name] = usage
        problems.extend(
            Problem(type(finding).__name__, point.code, str(finding))
            for finding in usage.findings
            if finding.blocks
        )
    return Measured(usages, tuple(problems))


def _inexact(usage: Usage) -> Problem | None:
    """Return what is wrong with a use that is finer than bills can state, such as 0.00001 kWh."""
    try:
        to_scaled(usage.quantity or Decimal(0))
    except InexactQuantityError as error:
        text = f"its use cannot be billed: {error}; correct the multiplier or the registers"
        return Problem("InexactUsage", usage.point, text)
    return None


def _wanted(registry: Registry) -> Iterator[tuple[Point, str]]:
    """Yield each point with each register that a tariff or pool reads at it."""
    by_class = _read_by_class(registry)
    classes = {unit.code: unit.customer_class for unit in registry.units}
    by_point: dict[str, set[str]] = defaultdict(set)
    for each in registry.pools:
        for code in each.pool.source.points:
            by_point[code].add(each.pool.source.register_name)
    for point in registry.points:
        registers = by_point.get(point.code, set())
        if point.unit is not None:
            registers = registers | by_class[classes[point.unit], point.medium]
        for name in sorted(registers):
            yield point, name


def _read_by_class(registry: Registry) -> dict[tuple[str, str], set[str]]:
    """Return the registers read at a unit's point, by customer class and medium."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for customer_class, names in registry.classes.items():
        for tariff in (registry.tariffs[name].tariff for name in names if name in registry.tariffs):
            if tariff.medium is not None:
                found[customer_class, tariff.medium] |= tariff.needs.registers
        for use in (each.pool.use for each in registry.pools):
            if use is not None:
                found[customer_class, use.medium].add(use.register_name)
    return found


def _unknown_registers(
    wanted: list[tuple[Point, str]], types: Mapping[str, MeterType]
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
    registry: Registry,
    point: Point,
    name: str,
    archive: Archive,
    types: Mapping[str, MeterType],
) -> dict[str, History]:
    """Ask the archive for all that the meters of `point` showed in the period and beside it."""
    interval = registry.period.interval
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
    registry: Registry, wanted: list[tuple[Point, str]], archive: Archive
) -> dict[str, dict[tuple[str, datetime], Boundary]]:
    """Ask the archive once for each instant that counts, for all meters that stood then."""
    found: dict[str, dict[tuple[str, datetime], Boundary]] = {name: {} for _, name in wanted}
    interval = registry.period.interval
    changes = {
        ratio.since
        for point, _ in wanted
        for each in point.installations
        for ratio in each.ratios
        if ratio.since in interval
    }
    ends = (interval.start, interval.end)
    for instant in sorted({*ends, *changes}):
        series = {
            Series(each.meter, name)
            for point, name in wanted
            for each in point.installations
            if each.start <= instant and (each.end is None or instant <= each.end)
            if instant in ends or each.changed_at(instant) is not None
        }
        for key, boundary in archive.boundaries(series, instant).items():
            found[key.register][key.meter, instant] = boundary
    return found
