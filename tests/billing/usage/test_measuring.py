"""From readings to usage: in bands, by windows of demand and in spans, on days of any length."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from rating_clerk import tariff_of

from billing.evidence import read_register, register_document, usage_evidence
from billing.registry import Account, Issued, Point, Registry, Span, TariffVersion, Unit
from billing.usage.check import usage_differences
from billing.usage.divided_check import peak_differences, step_differences
from billing.usage.dividing import band_use
from billing.usage.measuring import Measured, measure_points
from billing.vee.reviews import Decision, Review
from billing.vee.settings import Validation
from meters.catalog import shipped
from meters.installation import Installation
from meters.interval import Interval, Period, local_midnight
from meters.quantity import to_scaled
from meters.reading import Reading, Reason, Series, Verdict
from meters.register_at import RegisterAt, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meters.archive.sql import SqlArchive
    from meters.usage import Usage

SHANGHAI, BERLIN, LORD_HOWE = map(
    ZoneInfo, ("Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe")
)
NAME = "import_energy"
BANDS = {0: "valley", 8: "peak", 12: "flat", 22: "valley"}
CALENDAR = {"days": [{"bands": [[f"{hour:02}:00", band] for hour, band in BANDS.items()]}]}
BY_BAND = {
    "name": "energy",
    "kind": "time-of-use",
    "register": NAME,
    "prices": {"valley": "0.3", "peak": "1", "flat": "0.6"},
}
BY_DEMAND = {"name": "demand", "kind": "demand", "register": NAME, "minutes": 15, "price": "30"}
PER_UNIT = {"name": "energy", "kind": "per-unit", "register": NAME, "price": "0.5"}
QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)


def registry(
    period: Period, *charges: dict[str, Any], cut: datetime | None = None, **rest: Any
) -> Registry:
    """Return one unit with one meter, billed by `charges`; `cut`: a new version from then on."""
    more: dict[str, Any] = {"calendar": CALENDAR} if BY_BAND in charges else {}
    versions = [TariffVersion(1, tariff_of(list(charges), **more))]
    if cut is not None:
        more["valid_from"] = f"{cut.astimezone(period.zone):%Y-%m-%d}"
        versions.append(TariffVersion(2, tariff_of(list(charges), version=2, **more)))
    whole, name = period.interval, versions[0].tariff.id
    account = Account(1, "A", "王")
    span = Span(
        interval=whole,
        days=period.days,
        account=account,
        customer_class="residential",
        tariffs=(name,),
        attributes={},
        vacant=False,
    )
    installation = Installation("p", "m", "eastron-sdm630", whole.start - 30 * DAY)
    point = Point(1, "p", "electricity", "unit", "u", None, (installation,))
    known = {
        "id": 1,
        "code": "yard",
        "period": period,
        "currency": "CNY",
        "due_days": 10,
        "units": (Unit(1, "u", "b1", None, 1, (span,)),),
        "points": (point,),
        "tariffs": {name: tuple(versions)},
        "pools": (),
        "issued": {},
        "validation": Validation(),
        **rest,
    }
    return Registry(**known)


def reading(at: datetime, value: Decimal | int | str, *reasons: Reason) -> Reading:
    return Reading(Series("m", NAME), at, Decimal(value), "0", Verdict.GOOD, reasons)


def every(width: timedelta, interval: Interval, use: Callable[[datetime], int]) -> list[Reading]:
    """Return readings `width` apart; in between, `use` tells what is used, in 0.01."""
    found, at, total = [], interval.start, 10_000
    while at <= interval.end:
        found.append(reading(at, Decimal(total) / 100))
        total += use(at)
        at += width
    return found


def measured(seen: Registry, archive: SqlArchive, readings: Iterable[Reading]) -> Measured:
    archive.append(list(readings))
    return measure_points(seen, archive, shipped())


def only(found: Measured) -> Usage:
    assert found.problems == ()
    (usage,) = found.of("p", NAME)
    return usage


def bands(usage: Usage, seen: Registry, *, ordered: bool = False) -> dict[str, int]:
    """Return the use by band, in 0.01."""
    (versions,) = seen.tariffs.values()
    calendar = versions[0].tariff.calendar
    assert calendar is not None
    found = band_use([usage], calendar.runs(usage.interval, seen.period.zone), ordered=ordered)
    summed: Counter[str] = Counter()
    for name, use in zip(found.names, found.quantity[0].tolist(), strict=True):
        summed[name] += use // 100
    return dict(summed)


def band_at(at: datetime, zone: ZoneInfo) -> str:
    hour = at.astimezone(zone).hour
    return next(BANDS[start] for start in sorted(BANDS, reverse=True) if start <= hour)


def hashed(at: datetime) -> int:
    """Return a use that tells one quarter of an hour from another."""
    return int(at.timestamp()) // 900 * 7919 % 23


@pytest.mark.parametrize(
    ("zone", "month"),
    [
        (SHANGHAI, "2026-10"),
        (BERLIN, "2026-03"),
        (BERLIN, "2026-10"),
        (LORD_HOWE, "2026-04"),
        (LORD_HOWE, "2026-10"),
    ],
    ids=str,
)
def test_use_by_band_is_what_each_quarter_of_an_hour_used_by_the_local_clock(
    zone: ZoneInfo, month: str, empty_archive: SqlArchive
) -> None:
    period = Period.month(month, zone)
    seen = registry(period, BY_BAND)
    readings = every(QUARTER, period.interval, hashed)
    oracle: Counter[str] = Counter()
    for each in readings[:-1]:
        oracle[band_at(each.time, zone)] += hashed(each.time)

    usage = only(measured(seen, empty_archive, readings))

    assert bands(usage, seen) == bands(usage, seen, ordered=True) == dict(oracle)
    assert usage.quantity == Decimal(oracle.total()) / 100
    evidence = usage_evidence(usage)
    assert list(step_differences(to_scaled(usage.quantity), evidence)) == []


def test_parts_that_their_registers_do_not_give_are_named(empty_archive: SqlArchive) -> None:
    period = Period.month("2026-10", SHANGHAI)
    usage = only(
        measured(registry(period, BY_BAND), empty_archive, every(QUARTER, period.interval, hashed))
    )
    quantity = to_scaled(usage.quantity or Decimal(0))
    evidence = usage_evidence(usage)
    evidence["steps"]["quantities"][3] += 1

    assert [each.what for each in step_differences(quantity, evidence)] == ["parts"]
    evidence = usage_evidence(usage)
    evidence["steps"]["pieces"][0]["values"][5] += 1
    assert [each.what for each in step_differences(quantity, evidence)] == ["parts"]
    evidence = usage_evidence(usage)
    edges = evidence["steps"]["edges"]
    edges[3], edges[4] = edges[4], edges[3]
    assert "edges" in [each.what for each in step_differences(quantity, evidence)]
    evidence = usage_evidence(usage)
    evidence["steps"]["pieces"][0]["values"][-1] += 1
    assert "ends of the parts" in [each.what for each in step_differences(quantity, evidence)]


def test_uses_come_to_the_same_by_band_whether_or_not_they_hold_the_same_edges(
    empty_archive: SqlArchive,
) -> None:
    period = Period.month("2026-10", SHANGHAI)
    seen = registry(period, BY_BAND)
    usage = only(measured(seen, empty_archive, every(QUARTER, period.interval, hashed)))
    assert usage.steps is not None
    own = usage._replace(steps=replace(usage.steps, edges_s=usage.steps.edges_s.copy()))
    (versions,) = seen.tariffs.values()
    calendar = versions[0].tariff.calendar
    assert calendar is not None
    runs = calendar.runs(period.interval, SHANGHAI)

    together = band_use([usage, usage], runs, ordered=False)
    one_by_one = band_use([usage, own], runs, ordered=False)

    assert together.names == one_by_one.names == ("flat", "peak", "valley")
    assert together.quantity.tolist() == one_by_one.quantity.tolist()
    assert together.quantity[0].sum() == to_scaled(usage.quantity or Decimal(0))


def test_a_day_without_readings_blocks_until_a_clerk_lets_it_be_divided_by_time(
    empty_archive: SqlArchive,
) -> None:
    period = Period.month("2026-10", SHANGHAI)
    seen = registry(period, BY_BAND)
    gap = Interval(period.interval.start + 2 * DAY, period.interval.start + 3 * DAY)
    readings = [
        each
        for each in every(QUARTER, period.interval, lambda _: 25)
        if not gap.start - QUARTER < each.time < gap.end + QUARTER
    ]

    blocked = measured(seen, empty_archive, readings)

    assert [each.kind for each in blocked.problems] == ["MissingEdges"]
    assert blocked.over("p", NAME) is None
    assert [(each.finding, each.blocks) for each in blocked.items] == [("MissingEdges", True)]
    accepted = Review(
        point="p",
        register=NAME,
        period="2026-10",
        decision=Decision.ACCEPT,
        finding="MissingEdges",
        author="mei",
        made_at=period.interval.end,
        reason="the gateway was away",
    )
    usage = only(measured(replace(seen, reviews=(accepted,)), empty_archive, ()))
    assert bands(usage, seen) == {
        "valley": 10 * 4 * 25 * 31,
        "peak": 4 * 4 * 25 * 31,
        "flat": 10 * 4 * 25 * 31,
    }
    assert [type(each).__name__ for each in usage.findings] == ["Reviewed"]


def test_a_glitch_at_an_edge_goes_to_no_band(empty_archive: SqlArchive) -> None:
    period = Period.month("2026-10", SHANGHAI)
    seen = registry(period, BY_BAND)
    clean = every(QUARTER, period.interval, lambda _: 10)
    at = local_midnight(period.first, SHANGHAI) + 5 * DAY + timedelta(hours=8)
    glitched = [
        reading(each.time, each.value + 3000, Reason.UNCONFIRMED)
        if each.time == at and each.value
        else each._replace(reasons=(Reason.RESTARTED,))
        if each.time == at + QUARTER
        else each
        for each in clean
    ]

    usage = only(measured(seen, empty_archive, glitched))

    # the reading before it stands for the edge: a quarter of an hour counts as peak
    assert bands(usage, seen) == {
        "valley": 10 * 4 * 10 * 31 - 10,
        "peak": 4 * 4 * 10 * 31 + 10,
        "flat": 10 * 4 * 10 * 31,
    }


def test_demand_is_the_highest_quarter_of_an_hour_with_its_time(
    empty_archive: SqlArchive,
) -> None:
    period = Period.month("2026-10", SHANGHAI)
    top = local_midnight(period.first, SHANGHAI) + 11 * DAY + timedelta(hours=9, minutes=45)
    readings = every(QUARTER, period.interval, lambda at: 333 if at == top else hashed(at))

    usage = only(measured(registry(period, BY_DEMAND), empty_archive, readings))

    (peak,) = usage.peaks
    assert (peak.average, peak.start) == (Decimal("13.32"), top)
    assert (peak.known, peak.windows) == (31 * 96, 31 * 96)
    evidence = usage_evidence(usage)
    assert list(peak_differences(evidence)) == []
    evidence["peaks"][0]["closing"] = "0"
    assert [each.what for each in peak_differences(evidence)] == ["highest average"]


def test_a_demand_that_nobody_read_often_enough_blocks(empty_archive: SqlArchive) -> None:
    period = Period.month("2026-10", SHANGHAI)
    readings = every(timedelta(hours=1), period.interval, lambda _: 5)

    found = measured(registry(period, BY_DEMAND), empty_archive, readings)

    assert [each.kind for each in found.problems] == ["NoDemand"]


def test_a_demand_of_which_much_is_not_known_is_flagged(empty_archive: SqlArchive) -> None:
    period = Period.month("2026-10", SHANGHAI)
    away = Interval(period.interval.start + 3 * DAY, period.interval.start + 5 * DAY)
    readings = [
        each
        for each in every(QUARTER, period.interval, lambda _: 5)
        if not away.start < each.time < away.end
    ]

    found = measured(registry(period, BY_DEMAND), empty_archive, readings)

    assert [(each.finding, each.blocks) for each in found.items] == [("UnknownDemand", False)]
    assert only(found).peaks[0].known == 29 * 96


# --- spans ---------------------------------------------------------------------------------------


def ends_and(period: Period, *between: Reading) -> list[Reading]:
    interval = period.interval
    return [reading(interval.start, 1000), *between, reading(interval.end, 1310)]


def cut_after(period: Period, days: int) -> datetime:
    return local_midnight(period.first + timedelta(days=days), period.zone)


def spans(found: Measured) -> list[tuple[Decimal | None, list[str]]]:
    return [
        (usage.quantity, [type(each).__name__ for each in usage.findings])
        for usage in found.of("p", NAME)
    ]


def test_a_cut_that_was_read_is_divided_by_the_reading(empty_archive: SqlArchive) -> None:
    period = Period.month("2026-10", SHANGHAI)
    cut = cut_after(period, 10)
    seen = registry(period, PER_UNIT, cut=cut)

    found = measured(seen, empty_archive, ends_and(period, reading(cut, 1050)))

    assert found.problems == ()
    assert spans(found) == [(Decimal(50), []), (Decimal(260), [])]
    assert found.over("p", NAME) == to_scaled(Decimal(310))


def test_a_cut_that_nobody_read_is_divided_by_days_and_says_so(
    empty_archive: SqlArchive,
) -> None:
    period = Period.month("2026-10", SHANGHAI)
    seen = registry(period, PER_UNIT, cut=cut_after(period, 10))

    found = measured(seen, empty_archive, ends_and(period))

    assert found.problems == ()
    assert spans(found) == [
        (Decimal(100), ["Estimated"]),
        (Decimal(210), ["Estimated", "SplitByDays"]),
    ]
    first, second = found.of("p", NAME)
    for usage, issued in ((first, None), (second, first.closing)):
        assert usage.quantity is not None
        evidence = usage_evidence(usage)
        assert not list(
            usage_differences(
                to_scaled(usage.quantity),
                register=NAME,
                interval=usage.interval,
                evidence=evidence,
                opens_with=issued,
            )
        )


# --- named defects of others ---------------------------------------------------------------------


def test_a_first_reading_does_not_bill_the_whole_register(empty_archive: SqlArchive) -> None:
    period = Period.month("2026-10", SHANGHAI)
    seen = registry(period, PER_UNIT)

    found = measured(seen, empty_archive, [reading(period.interval.end, 48_231)])

    assert [each.kind for each in found.problems] == ["MissingRegister"]
    assert found.over("p", NAME) is None


def test_a_reading_that_comes_late_for_an_issued_month_bills_nothing_twice(
    empty_archive: SqlArchive,
) -> None:
    period = Period.month("2026-10", SHANGHAI)
    closing = RegisterAt("m", period.interval.start, Decimal(1000), Source.READ)
    seen = registry(period, PER_UNIT, issued={(1, NAME): Issued(closing, {})})
    late = period.interval.start - timedelta(minutes=1)

    before = only(measured(seen, empty_archive, [reading(period.interval.end, 1100)]))
    after = only(measured(seen, empty_archive, [reading(late, 980)]))

    assert before.quantity == after.quantity == 100


def test_a_use_below_zero_is_a_finding_and_never_zero(empty_archive: SqlArchive) -> None:
    period = Period.month("2026-10", SHANGHAI)
    seen = registry(period, PER_UNIT)

    found = measured(
        seen,
        empty_archive,
        [reading(period.interval.start, 500), reading(period.interval.end, 400)],
    )

    assert [each.kind for each in found.problems] == ["FallingRegister"]
    assert found.over("p", NAME) is None


def test_what_an_estimate_rests_on_is_read_back_as_it_was_written(
    empty_archive: SqlArchive,
) -> None:
    period = Period.month("2026-10", SHANGHAI)
    found = measured(
        registry(period, PER_UNIT, cut=cut_after(period, 10)), empty_archive, ends_and(period)
    )
    closing = found.of("p", NAME)[0].closing
    assert closing is not None
    assert closing.estimate is not None

    assert read_register(register_document(closing)) == closing
