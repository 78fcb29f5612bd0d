"""Months computed anew, one on top of the other: each opens with what the one before came to.

A run reads what is issued from the database. Where it computes several months, those after the
first have to see what the earlier ones come to now: the registers that they close with, what each
has used (which the yearly steps go on from), and what their pools have carried on.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from billing.problem import Problem
from billing.registry import Issued
from billing.run import Parked
from meters.quantity import to_scaled
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from billing.registry import PoolVersion, Registry
    from billing.run import Computed
    from meters.register_at import RegisterAt

Key = tuple[int, str]
"""A point's id and a register's name."""


def restate(
    registries: Sequence[Registry], make: Callable[[Registry], Computed | Parked]
) -> Iterator[Computed | Parked]:
    """Yield what `make` makes of each month, in their order, on top of those before.

    What follows a month that is parked is parked too.
    """
    earlier: list[Computed] = []
    for place, registry in enumerate(registries):
        made = make(continued(registry, earlier))
        yield made
        if isinstance(made, Parked):
            text = told(
                "{month} comes first, and something stands in its way; solve that",
                month=registry.period.key,
            )
            for later in registries[place + 1 :]:
                yield Parked(later, (Problem("EarlierMonth", later.code, text),))
            return
        earlier.append(made)


def continued(registry: Registry, earlier: Sequence[Computed]) -> Registry:
    """Return `registry` as it would be if the months `earlier` had been issued as they are."""
    if not earlier:
        return registry
    used = {each.registry.period.key: _used(each) for each in earlier}
    last = earlier[-1]
    follows = last.registry.period.after == registry.period.first
    closings = _closings(last) if follows else None
    keys = {*registry.issued, *(key for month in used.values() for key in month)}
    return replace(
        registry,
        issued={
            key: _continued(registry, key, used, closings)
            for key in sorted(keys, key=lambda key: (key[0], key[1]))
        },
        pools=_carrying(registry.pools, last) if follows else registry.pools,
        peaks=_peaks(registry, earlier),
    )


def _continued(
    registry: Registry,
    key: Key,
    used: Mapping[str, Mapping[Key, int]],
    closings: Mapping[Key, RegisterAt] | None,
) -> Issued:
    issued = registry.issued.get(key) or Issued(None, {})
    first = registry.period.first
    since, new_year = f"{first.year - 1}-{first.month:02}", f"{first.year}-01"
    months = {
        month: use
        for month, use in {**issued.last_year, **issued.by_month}.items()
        if month not in used
    }
    months |= {month: used[month][key] for month in used if key in used[month] and month >= since}
    ordered = sorted(months.items())
    return Issued(
        issued.closing if closings is None else closings.get(key),
        by_month={month: use for month, use in ordered if month >= new_year},
        last_year={month: use for month, use in ordered if month < new_year},
    )


def _used(computed: Computed) -> dict[Key, int]:
    points = {point.code: point.id for point in computed.registry.points}
    used: dict[Key, int] = defaultdict(int)
    for usage in computed.usages.values():
        if usage.quantity is not None and not usage.joined:
            used[points[usage.point], usage.register] += to_scaled(usage.quantity)
    return used


def _peaks(
    registry: Registry, earlier: Sequence[Computed]
) -> dict[tuple[int, str, int], dict[str, int]]:
    """Return the demand of the months before, that of `earlier` as it is now."""
    restated = {each.registry.period.key for each in earlier}
    found: dict[tuple[int, str, int], dict[str, int]] = defaultdict(dict)
    for key, by_month in registry.peaks.items():
        found[key].update(
            {month: peak for month, peak in by_month.items() if month not in restated}
        )
    for computed in earlier:
        points = {point.code: point.id for point in computed.registry.points}
        month = computed.registry.period.key
        for usage in computed.usages.values():
            for peak in usage.peaks:
                of_months = found[points[usage.point], usage.register, peak.minutes]
                of_months[month] = max(to_scaled(peak.average), of_months.get(month, 0))
    return found


def _closings(computed: Computed) -> dict[Key, RegisterAt]:
    points = {point.code: point.id for point in computed.registry.points}
    end = computed.registry.period.interval.end
    return {
        (points[usage.point], usage.register): usage.closing
        for usage in computed.usages.values()
        if usage.closing is not None and usage.interval.end == end
    }


def _carrying(pools: Sequence[PoolVersion], last: Computed) -> tuple[PoolVersion, ...]:
    """Return `pools` with what the statements of the month before have carried on."""
    carried: dict[str, dict[str | None, int]] = defaultdict(dict)
    for each in last.statements:
        of_pool = carried[each.statement.pool]
        for share in each.statement.shares:
            of_pool[share.unit] = of_pool.get(share.unit, 0) + share.carried
    return tuple(replace(each, carried=carried[each.pool.id]) for each in pools)
