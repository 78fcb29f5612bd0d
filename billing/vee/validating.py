"""Validation of a community's usage: each register by the rules, and all of them together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from billing.usage.dividing import by_days
from billing.vee.rules import Watched, against_subs, disagreeing_bands, disagreeing_days
from billing.vee.rules import found as rules_found
from meters.interval import Period
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing.registry import Point, Registry
    from billing.usage.asking import Asked
    from billing.usage.dividing import Days, Found
    from billing.usage.wanted import Wanted
    from meters.finding import Finding
    from meters.usage import Usage

Key = tuple[str, str]


def validate(registry: Registry, found: Sequence[Found], asked: Asked) -> list[Found]:
    """Return the usages with what validation finds, at the last part of each register."""
    settings = registry.validation
    days = by_days(found, asked, registry.period) if settings.daily and found else {}
    whole = {
        (each.point.code, each.register): use
        for each, usages in found
        if (use := _whole(usages)) is not None
    }
    together = list(_together(registry, whole))
    validated = []
    for each, usages in found:
        key = each.point.code, each.register
        said = [finding for where, finding in together if where == key]
        if key in whole:
            said += _alone(registry, each, whole[key], days)
        if said:
            last = replace(usages[-1], findings=(*usages[-1].findings, *said))
            validated.append((each, [*usages[:-1], last]))
        else:
            validated.append((each, usages))
    return validated


def _whole(usages: Sequence[Usage]) -> int | None:
    """Return the use of the whole period, 10⁻⁴; None where it is not known."""
    if not usages or any(each.quantity is None for each in usages):
        return None
    return sum(to_scaled(each.quantity) for each in usages if each.quantity is not None)


def _alone(registry: Registry, each: Wanted, use: int, days: Days) -> Iterator[Finding]:
    """Yield what is found of one register by itself."""
    period = registry.period
    daily = days.get((each.point.code, each.register), [])
    issued = registry.issued.get((each.point.id, each.register))
    months = {} if issued is None else {**issued.last_year, **issued.by_month}
    seen = Watched(
        use=use,
        first=period.first,
        days=period.days,
        before=[(used, Period.month(key, period.zone).days) for key, used in months.items()],
        daily=daily,
        vacant=each.vacant,
    )
    yield from rules_found(seen, registry.validation)
    mismatch = disagreeing_days(daily, use)
    if mismatch is not None:
        yield mismatch


def _together(registry: Registry, whole: Mapping[Key, int]) -> Iterator[tuple[Key, Finding]]:
    """Yield what is found where registers are held against each other."""
    by_point: dict[str, dict[str, int]] = {}
    for (code, register), use in whole.items():
        by_point.setdefault(code, {})[register] = use
    for code, uses in by_point.items():
        for register, mismatch in disagreeing_bands(uses, registry.validation):
            yield (code, register), mismatch
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
                    yield (master.code, register), difference


def _is_behind(point: Point, master: Point, buildings: Mapping[str | None, str]) -> bool:
    """Return whether what `point` counts passes `master`: in its building, or in all of them."""
    return (
        point.role != "master"
        and point.medium == master.medium
        and master.building in (None, point.building or buildings.get(point.unit))
    )
