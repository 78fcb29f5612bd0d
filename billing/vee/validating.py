"""Validation of a community's usage: each register by the rules, and all of them together."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from billing.usage.dividing import by_days
from billing.vee.rules import (
    Watched,
    against_subs,
    disagreeing_bands,
    disagreeing_days,
    may_stand_out,
)
from billing.vee.rules import found as rules_found
from meters.interval import Period
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from billing.registry import Point, Registry
    from billing.usage.asking import Asked
    from billing.usage.dividing import Found
    from billing.usage.edges_ahead import EdgesAhead
    from billing.usage.wanted import Wanted
    from billing.vee.findings import MasterMismatch
    from meters.finding import Finding
    from meters.usage import Usage

Key = tuple[str, str]
ZERO = Decimal(0)


def validate(
    registry: Registry, found: Sequence[Found], asked: Asked, ahead: EdgesAhead
) -> list[Found]:
    """Return the usages with what validation finds, at those that end with the period.

    The days of all registers are looked at together; rules that say why see only those that may
    stand out.
    """
    uses = [_whole(usages) for _, usages in found]
    days = _days(registry, found, asked, ahead, uses)
    together = _together(registry, found, uses)
    months: dict[str, int] = {}
    validated = []
    for row, ((each, usages), use) in enumerate(zip(found, uses, strict=True)):
        said = together.get((each.point.code, each.register), [])
        before = _before(registry, each, months)
        if use is not None and (before or row in days):
            said = [*said, *_alone(registry, each, use, before, days.get(row, ()))]
        if said:
            validated.append((each, [_saying(usage, said, each.end) for usage in usages]))
        else:
            validated.append((each, usages))
    return validated


def _saying(usage: Usage, said: Sequence[Finding], end: datetime) -> Usage:
    if usage.interval.end != end:
        return usage
    return usage._replace(findings=(*usage.findings, *said))


def _whole(usages: Sequence[Usage]) -> int | None:
    """Return the use of the whole period, 10⁻⁴; None where it is not known."""
    if not usages or any(each.quantity is None for each in usages):
        return None
    return sum(to_scaled(each.quantity or ZERO) for each in usages if not each.joined)


def _days(
    registry: Registry,
    found: Sequence[Found],
    asked: Asked,
    ahead: EdgesAhead,
    uses: Sequence[int | None],
) -> dict[int, list[int | None]]:
    """Return the use of each day of those whose days may stand out, by their place in `found`."""
    if not registry.validation.daily or not found:
        return {}
    days = by_days(found, asked, ahead, registry.period)
    whole = np.array([use or 0 for use in uses], np.int64)
    rows = np.flatnonzero(may_stand_out(whole, days.uses, days.known, registry.validation))
    return {row: days.of(row) for row in rows.tolist()}


def _before(registry: Registry, each: Wanted, months: dict[str, int]) -> list[tuple[int, int]]:
    """Return the use and days of each month that was billed in the year before.

    `months` keeps how many days each has.
    """
    issued = registry.issued.get((each.point.id, each.register))
    if issued is None:
        return []
    used = {**issued.last_year, **issued.by_month}
    for key in used.keys() - months.keys():
        months[key] = Period.month(key, registry.period.zone).days
    return [(use, months[key]) for key, use in used.items()]


def _alone(
    registry: Registry,
    each: Wanted,
    use: int,
    before: Sequence[tuple[int, int]],
    daily: Sequence[int | None],
) -> Iterator[Finding]:
    """Yield what is found of one register by itself."""
    period = registry.period
    seen = Watched(
        use=use,
        first=period.first,
        days=period.days,
        before=before,
        daily=daily,
        vacant=each.vacant,
    )
    yield from rules_found(seen, registry.validation)
    mismatch = disagreeing_days(daily, use)
    if mismatch is not None:
        yield mismatch


def _together(
    registry: Registry, found: Sequence[Found], uses: Sequence[int | None]
) -> dict[Key, list[Finding]]:
    """Return what is found where registers are held against each other, by point and register."""
    by_point: dict[str, dict[str, int]] = {}
    for (each, _), use in zip(found, uses, strict=True):
        if use is not None:
            by_point.setdefault(each.point.code, {})[each.register] = use
    said: dict[Key, list[Finding]] = {}
    for code, of_point in by_point.items():
        for register, bands in disagreeing_bands(of_point, registry.validation):
            said.setdefault((code, register), []).append(bands)
    for code, register, subs in _differing(registry, by_point):
        said.setdefault((code, register), []).append(subs)
    return said


def _differing(
    registry: Registry, by_point: Mapping[str, Mapping[str, int]]
) -> Iterator[tuple[str, str, MasterMismatch]]:
    """Yield the masters' registers that differ from what is behind them."""
    buildings: dict[str | None, str] = {unit.code: unit.building for unit in registry.units}
    for master in registry.points:
        if master.role != "master":
            continue
        for register, use in by_point.get(master.code, {}).items():
            subs = [each for each in registry.points if _is_behind(each, master, buildings)]
            known = [by_point.get(point.code, {}).get(register) for point in subs]
            summed = [each for each in known if each is not None]
            if len(summed) == len(subs):  # with one unknown, a difference would say nothing
                difference = against_subs(use, summed, registry.validation)
                if difference is not None:
                    yield master.code, register, difference


def _is_behind(point: Point, master: Point, buildings: Mapping[str | None, str]) -> bool:
    """Return whether what `point` counts passes `master`: in its building, or in all of them."""
    return (
        point.role != "master"
        and point.medium == master.medium
        and master.building in (None, point.building or buildings.get(point.unit))
    )
