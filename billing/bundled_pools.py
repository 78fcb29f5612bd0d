"""Hold what a bundled statement states twice: its meters against readings, its days against months.

What is shared, and how, is recomputed by `billing.recompute`.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.evidence import read_register
from billing.money import from_fen
from billing.recompute import Difference
from billing.usage.check import usage_differences
from meters.interval import Interval, Period
from meters.quantity import from_scaled, plain, to_scaled
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
    points = {source["point"] for source in sources}
    yield from differing("shared meters", sorted(pool.source.points), sorted(points))
    for each in statement.evidence.get("rated", []):
        yield from differing("tariff", pool.source.tariff, each["tariff"])
    yield from differing("number of openings", len(statement.openings), len(sources))
    edges: dict[str, list[datetime]] = defaultdict(list)
    for source, opening in zip(sources, statement.openings, strict=False):
        segments = source["segments"]
        ends = read_register(segments[0]["opening"]), read_register(segments[-1]["closing"])
        interval = Interval(ends[0].at, ends[1].at)
        edges[source["point"]] += [interval.start, interval.end]
        yield from differing("register", pool.source.register_name, source["register"])
        yield from differing("unit", statement.unit, source["unit"])
        found = usage_differences(
            to_scaled(Decimal(source["quantity"])),
            register=source["register"],
            interval=interval,
            evidence=source,
            opens_with=issued(opening, interval),
        )
        yield from (f"{source['point']}: {each}" for each in found)
    whole = Period.month(statement.period, zone).interval
    for point, times in edges.items():
        for until, start in zip([whole.start, *times[1::2]], [*times[::2], whole.end], strict=True):
            yield from differing(f"{point}: counted until", until, start)


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


def differing(what: str, claimed: object, recomputed: object) -> Iterator[Difference]:
    """Yield the difference between two values, if there is one."""
    if claimed != recomputed:
        yield Difference(what, str(claimed), str(recomputed))


def differing_quantity(what: str, claimed: int, recomputed: int) -> Iterator[Difference]:
    """Yield the difference between two quantities in 10⁻⁴, if there is one."""
    return differing(what, plain(from_scaled(claimed)), plain(from_scaled(recomputed)))


def differing_money(what: str, claimed: int, recomputed: int) -> Iterator[Difference]:
    """Yield the difference between two amounts in fen, if there is one."""
    return differing(what, from_fen(claimed), from_fen(recomputed))
