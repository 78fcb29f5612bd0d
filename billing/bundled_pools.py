"""Hold what a bundled statement states twice: its meters against readings, its days against months.

What is shared, and how, is recomputed by `billing.recompute`.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING

from billing.difference import differing
from billing.pools.supply_again import interval_of
from billing.usage.check import usage_differences
from meters.interval import Interval, Period
from meters.quantity import to_scaled
from meters.register_at import RegisterAt, Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from billing.bundle import BundledStatement, Opening
    from billing.pools.pool import Pool


def pool_differences(statement: BundledStatement, pool: Pool, zone: ZoneInfo) -> Iterator[object]:
    """Yield what does not follow in what `statement`, of a community in `zone`, rests on."""
    yield from _sources(statement, pool, zone)
    yield from _days(statement, zone)


def _sources(statement: BundledStatement, pool: Pool, zone: ZoneInfo) -> Iterator[object]:
    """Hold what the shared meters counted against their readings, over the whole period."""
    sources = statement.evidence.get("sources", [])
    for each in statement.evidence.get("rated", []):
        yield from differing("tariff", pool.source.tariff, each["tariff"])
    subs = statement.evidence.get("subs", {})
    yield from differing("subs", sorted(pool.source.subs or ()), sorted(subs))
    yield from differing("number of openings", len(statement.openings), len(sources))
    edges: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for source, opening in zip(sources, statement.openings, strict=False):
        interval = interval_of(source)
        edges[source["point"], source["register"]] += [interval.start, interval.end]
        yield from differing("unit", statement.unit, source["unit"])
        found = usage_differences(
            to_scaled(Decimal(source["quantity"])),
            register=source["register"],
            interval=interval,
            evidence=source,
            opens_with=issued(opening, interval),
        )
        yield from (f"{source['point']}: {each}" for each in found)
    registers = {register for _, register in edges} | {*pool.source.counted}
    read = sorted(product(pool.source.points, registers))
    yield from differing("shared meters", read, sorted(edges))
    whole = Period.month(statement.period, zone).interval
    for (point, register), times in edges.items():
        for until, start in zip([whole.start, *times[1::2]], [*times[::2], whole.end], strict=True):
            yield from differing(f"{point}, {register}: counted until", until, start)


def _days(statement: BundledStatement, zone: ZoneInfo) -> Iterator[object]:
    """Hold the days of what was rated, and of every unit, against the month: no gap in them."""
    days = Period.month(statement.period, zone).days
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for each in statement.evidence.get("rated", []):
        before, count, of = each["inputs"]["days"]
        yield from differing("days of the month", of, days)
        spans["what was rated"].append((before, count))
    for each in statement.evidence["participants"]:
        spans[each["unit"]].append((each["first_day"] - 1, each["days"]))
    for what, parts in spans.items():
        reached = 0
        for before, count in sorted(parts):
            yield from differing(f"days of {what}, until", before, reached)
            reached = before + count
        yield from differing(f"days of {what}", reached, days)


def issued(opening: Opening | None, interval: Interval) -> RegisterAt | None:
    """Return the register that what was issued before `interval` closed with."""
    if opening is None:
        return None
    return RegisterAt(opening.meter, interval.start, opening.value, Source.ISSUED)
