"""The supply of a statement again, from its evidence alone: what was read, divided, rated, lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from billing.difference import Difference, differing, differing_quantity
from billing.evidence import quantity_text
from billing.money import to_fen
from billing.pools.loss import loss_document, missing_of, of_bands, read_uses, registers_of_bands
from billing.pools.metered import counted
from billing.pools.supply import Supply, invoiced, lost, rated, together
from billing.rating.evidence import read_inputs
from billing.rating.exact import NOTHING
from billing.rating.rate import rate
from billing.tariff import Tariff
from billing.usage.counted import added_up, banded, highest
from meters.interval import Interval, local_midnight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from billing.pools.loss import Uses
    from billing.pools.pool import Pool
    from billing.rating.exact import Carried
    from billing.rating.subjects import BandUse, Subjects
    from meters.interval import Period

Tariffs: TypeAlias = Callable[[str, int], Tariff]
"""Finds a tariff by its id and version."""
Evidence: TypeAlias = Mapping[str, Any]


class _Span(NamedTuple):
    """What a version of the tariff rated: from local day `first` on, for all of `interval`.

    `usages`: the evidence of what was counted then, by register.
    """

    tariff: Tariff
    subject: Subjects
    first: date
    interval: Interval
    zone: ZoneInfo
    usages: Mapping[str, Sequence[Evidence]]


def supply_again(
    pool: Pool, tariffs: Tariffs, period: Period, evidence: Evidence
) -> Supply | Difference:
    """Return what the sources in `evidence` come to; a difference where they disagree."""
    if pool.source.cost is not None:
        costs = [(each["document"], to_fen(Decimal(each["amount"]))) for each in evidence["costs"]]
        return invoiced(costs, evidence["currency"])
    spans = [_span(tariffs, period, each, evidence["sources"]) for each in evidence["rated"]]
    supplies: list[Supply] = []
    carried: dict[str, Carried] = {}
    master: Counter[str] = Counter()
    for span in spans:
        for difference in _differences(span, carried):
            return difference
        charges = rate(span.tariff, span.subject)
        supplies.append(rated(span.tariff, counted(pool, span.subject), charges))
        carried |= {charge.charge: charge.carry(0) for charge in charges}
        master.update({name: int(span.subject.use_of(name)[0]) for name in pool.source.counted})
    used = sum(len(usages) for span in spans for usages in span.usages.values())
    for difference in differing("usages", len(evidence["sources"]), used):
        return difference
    supply = together(supplies)
    return supply if pool.source.subs is None else _loss(supply, master, pool, spans, evidence)


def _span(
    tariffs: Tariffs, period: Period, document: Evidence, sources: Sequence[Evidence]
) -> _Span:
    before, days, _ = document["inputs"]["days"]
    first = period.first + timedelta(days=before)
    edges = (local_midnight(day, period.zone) for day in (first, first + timedelta(days=days)))
    interval = Interval(*edges)
    usages: dict[str, list[Evidence]] = {}
    for each in sources:
        if interval_of(each) == interval:
            usages.setdefault(each["register"], []).append(each)
    tariff = tariffs(document["tariff"], document["version"])
    subject = read_inputs(document["inputs"])
    return _Span(tariff, subject, first, interval, period.zone, usages)


def interval_of(usage: Evidence) -> Interval:
    """Return the interval of a usage that stands in a statement's evidence."""
    segments = usage["segments"]
    ends = (segments[0]["opening"]["at"], segments[-1]["closing"]["at"])
    return Interval(*map(datetime.fromisoformat, ends))


def _differences(span: _Span, carried: Mapping[str, Carried]) -> Iterator[Difference]:
    """Hold what a version rated against its usages, and against what the version before left."""
    tariff, subject, usages = span.tariff, span.subject, span.usages
    if tariff.valid_from > span.first:
        yield Difference("tariff", f"rates from {span.first} on", f"valid from {tariff.valid_from}")
    yield from differing("registers", sorted(subject.use), sorted(usages))
    for register, used in subject.use.items():
        found = sum(map(added_up, usages.get(register, ())))
        what = "use" if len(subject.use) == 1 else f"use of {register}"
        yield from differing_quantity(what, int(used[0]), found)
    for register, bands in subject.bands.items():
        yield from differing(f"bands of {register}", _by_run(bands), _banded(span, register))
    for need, demand in subject.demand.items():
        peak = highest(usages.get(need.register, ()), need.minutes)
        yield from differing_quantity(f"demand of {need.register}", int(demand[0]), peak or 0)
    stated = {name: rows[0] for name, rows in subject.carried.items()}
    yield from differing("carried", _owing(stated), _owing(carried))


def _banded(span: _Span, register: str) -> list[tuple[str, str]]:
    """Return what the usages of a register come to by the calendar of the tariff."""
    calendar = span.tariff.calendar
    if calendar is None:
        return []
    runs = calendar.runs(span.interval, span.zone)
    ordered = register in span.tariff.needs.ordered
    return _by_run(banded(span.usages.get(register, ()), runs, ordered=ordered))


def _by_run(bands: BandUse) -> list[tuple[str, str]]:
    return list(zip(bands.names, map(quantity_text, bands.quantity[0].tolist()), strict=True))


def _owing(carried: Mapping[str, Carried]) -> dict[str, Carried]:
    return {name: each for name, each in sorted(carried.items()) if each != NOTHING}


def _loss(
    master: Supply, by_register: Uses, pool: Pool, spans: Sequence[_Span], evidence: Evidence
) -> Supply | Difference:
    """Return what the subs in `evidence` do not account for; a difference where it disagrees."""
    bands = registers_of_bands(span.tariff for span in spans)
    if isinstance(bands, str):
        return Difference("bands", "each of one register", bands)
    registers = pool.source.counted
    subs = [read_uses(each, registers) for each in evidence["subs"].values()]
    missing = missing_of(by_register, subs)
    again = loss_document(by_register, missing, bands)
    stated = {name: evidence["loss"].get(name) for name in again}
    for difference in differing("loss", stated, again):
        return difference
    return lost(master, sum(missing.values()), of_bands(by_register, missing, bands))
