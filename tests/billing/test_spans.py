"""Spans: they tile the period whatever the zone, and hold what is true on each of their days."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_community import FEE, POWER

from billing.registry import Account, Registry, TariffVersion, Unit
from billing.spans import Facts, Held, Since, not_in_force, rated_spans, spans_of
from billing.tariff import parse_tariff
from billing.vee.settings import Validation
from meters.interval import Interval, Period, local_midnight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.registry import Span
    from billing.spans import RatedSpan

CLASSES = {"residential": ("power", "fee"), "shop": ("power",)}
OWNER, TENANT = Account(1, "A-1", "王"), Account(2, "T-1", "李")
CLOCKS_CHANGE = [
    ("2026-10", "Asia/Shanghai"),
    ("2026-03", "Europe/Berlin"),
    ("2026-10", "Europe/Berlin"),
    ("2026-03", "America/New_York"),
    ("2026-11", "America/New_York"),
    ("2026-04", "Australia/Lord_Howe"),
    ("2026-10", "Australia/Lord_Howe"),
]
OCTOBER = Period.month("2026-10", ZoneInfo("Asia/Shanghai"))


def always(**rest: Any) -> Facts:
    """Return facts that hold since long before."""
    given_facts: dict[str, Any] = {
        "classes": [Since(date(2020, 1, 1), "residential")],
        "accounts": [Held(date(2020, 1, 1), None, OWNER)],
        "attributes": {"area": [Since(date(2020, 1, 1), 900_000)]},
    }
    return Facts(**{**given_facts, **rest})


def tariff(document: dict[str, Any], version: int = 1, since: str = "2026-01-01") -> TariffVersion:
    document = {**document, "version": version, "valid_from": date.fromisoformat(since)}
    return TariffVersion(version, parse_tariff(document, document["id"]))


TARIFFS = {"power": (tariff(POWER),), "fee": (tariff(FEE, 2),)}


def registry(
    spans: tuple[Span, ...],
    tariffs: Mapping[str, tuple[TariffVersion, ...]] | None = None,
    period: Period = OCTOBER,
) -> tuple[Registry, Unit]:
    """Return a community of one unit with these spans."""
    unit = Unit(1, "101", "b1", None, 1, spans)
    known = TARIFFS if tariffs is None else tariffs
    return (
        Registry(
            id=1,
            code="yard",
            period=period,
            currency="CNY",
            due_days=10,
            units=(unit,),
            points=(),
            tariffs=known,
            pools=(),
            issued={},
            validation=Validation(),
        ),
        unit,
    )


def rated(facts: Facts, tariffs: dict[str, tuple[TariffVersion, ...]] | None = None) -> list[Any]:
    """Return tariff, days, days before and holder of each rated span in October."""
    seen, unit = registry(spans_of(OCTOBER, facts, CLASSES), tariffs)
    return [
        (each.version.tariff.id, each.span.days, each.days_before, each.span.account)
        for each in rated_spans(seen, unit)
    ]


def test_an_ordinary_month_is_one_span() -> None:
    (span,) = spans_of(OCTOBER, always(), CLASSES)

    assert span.interval == OCTOBER.interval
    assert (span.days, span.account, span.tariffs) == (31, OWNER, ("power", "fee"))
    assert span.attributes == {"area": 900_000}
    assert rated(always()) == [("power", 31, 0, OWNER), ("fee", 31, 0, OWNER)]


def test_a_class_cuts_only_what_reads_it() -> None:
    moved = [Since(date(2020, 1, 1), "residential"), Since(date(2026, 10, 15), "neighbour")]
    rebate = {**FEE, "id": "rebate"}
    rebate["charge"] = [{**each, "classes": ["neighbour"]} for each in FEE["charge"]]
    rebate["example"] = [{**each, "class": "neighbour"} for each in FEE["example"]]
    tariffs = {"fee": TARIFFS["fee"], "rebate": (tariff(rebate, 3),)}
    classes = dict.fromkeys(("residential", "neighbour"), ("fee", "rebate"))
    seen, unit = registry(spans_of(OCTOBER, always(classes=moved), classes), tariffs)

    found = [(each.version.tariff.id, each.span.days) for each in rated_spans(seen, unit)]

    assert found == [("fee", 31), ("rebate", 14), ("rebate", 17)]


def test_what_is_said_twice_cuts_nothing() -> None:
    persons = [Since(date(2026, 9, 1), 30_000), Since(date(2026, 10, 9), 30_000)]

    (span,) = spans_of(OCTOBER, always(attributes={"persons": persons}), CLASSES)

    assert span.interval == OCTOBER.interval
    assert span.days == 31


def test_what_happens_at_the_ends_of_the_month_cuts_nothing() -> None:
    accounts = [
        Held(date(2026, 9, 1), date(2026, 10, 1), TENANT),
        Held(date(2026, 10, 1), date(2026, 11, 1), OWNER),
        Held(date(2026, 11, 1), None, TENANT),
    ]

    (span,) = spans_of(OCTOBER, always(accounts=accounts), CLASSES)

    assert span.account == OWNER


def test_a_tariff_is_joined_where_nothing_that_it_reads_changes() -> None:
    area = [Since(date(2020, 1, 1), 900_000), Since(date(2026, 10, 11), 950_000)]

    assert rated(always(attributes={"area": area})) == [
        ("power", 31, 0, OWNER),
        ("fee", 10, 0, OWNER),
        ("fee", 21, 10, OWNER),
    ]


def test_a_holder_has_spans_of_his_own_of_every_tariff() -> None:
    accounts = [
        Held(date(2020, 1, 1), date(2026, 10, 15), OWNER),
        Held(date(2026, 10, 15), None, TENANT),
    ]

    assert rated(always(accounts=accounts)) == [
        ("power", 14, 0, OWNER),
        ("power", 17, 14, TENANT),
        ("fee", 14, 0, OWNER),
        ("fee", 17, 14, TENANT),
    ]


def test_a_version_that_begins_inside_the_month_cuts_its_own_tariff_alone() -> None:
    versions = {**TARIFFS, "power": (tariff(POWER), tariff(POWER, 3, "2026-10-20"))}

    assert rated(always(), versions) == [
        ("power", 19, 0, OWNER),
        ("power", 12, 19, OWNER),
        ("fee", 31, 0, OWNER),
    ]


def test_a_tariff_is_not_cut_where_another_of_its_medium_is() -> None:
    charge = {**POWER["charge"][0], "name": "lease"}
    lease = {**POWER, "id": "lease", "charge": [charge]}
    versions = {
        "power": (tariff(POWER), tariff(POWER, 3, "2026-10-20")),
        "lease": (tariff(lease, 4),),
    }
    own = [Since(date(2020, 1, 1), ("power", "lease"))]

    assert rated(always(tariffs=own), versions) == [
        ("power", 19, 0, OWNER),
        ("power", 12, 19, OWNER),
        ("lease", 31, 0, OWNER),
    ]


def test_a_tariff_that_a_unit_has_later_counts_from_then_on() -> None:
    own = [Since(date(2026, 10, 11), ("fee",))]

    assert rated(always(tariffs=own)) == [
        ("fee", 31, 0, OWNER),
        ("power", 10, 0, OWNER),
    ]


def test_a_tariff_that_begins_too_late_is_named() -> None:
    late = {"power": (tariff(POWER, since="2026-10-02"),)}
    seen, _ = registry(spans_of(OCTOBER, always(), CLASSES), late)

    assert not_in_force(seen) == ["fee", "power"]


@pytest.mark.parametrize(("month", "zone"), CLOCKS_CHANGE)
def test_spans_are_cut_at_local_midnights_when_the_clocks_change(month: str, zone: str) -> None:
    period = Period.month(month, ZoneInfo(zone))
    days = [period.first + timedelta(days=n) for n in range(period.days)]
    persons = [Since(day, 10_000 * number) for number, day in enumerate(days)]

    spans = spans_of(period, always(attributes={"persons": persons}), CLASSES)

    assert [span.days for span in spans] == [1] * period.days
    midnights = [local_midnight(day, period.zone) for day in (*days, period.after)]
    assert [span.interval for span in spans] == [
        Interval(start, end) for start, end in pairwise(midnights)
    ]
    lengths = {span.interval.length for span in spans}
    assert (len(lengths) > 1) == (zone != "Asia/Shanghai")


# --- any facts at all ----------------------------------------------------------------------------


@st.composite
def facts_in(draw: st.DrawFn, period: Period) -> Facts:
    """Return facts that change on any days in and around a period."""
    around = st.integers(-3, period.days + 3).map(lambda n: period.first + timedelta(days=n))

    def since(values: st.SearchStrategy[Any]) -> list[Since[Any]]:
        days = sorted(draw(st.sets(around, max_size=4)))
        return [Since(day, draw(values)) for day in days]

    ends = [*sorted(draw(st.sets(around, max_size=4))), None]
    accounts = [
        Held(first, after, draw(st.sampled_from([OWNER, TENANT])))
        for first, after in pairwise(ends)
        if first is not None and draw(st.booleans())
    ]
    vacancies = [
        Held(first, after, None)
        for first, after in pairwise([*sorted(draw(st.sets(around, max_size=2))), None])
        if first is not None
    ]
    return Facts(
        classes=[Since(date(2020, 1, 1), "residential"), *since(st.sampled_from(sorted(CLASSES)))],
        accounts=accounts,
        vacancies=vacancies,
        tariffs=since(st.sampled_from([None, ("fee",), ("fee", "power"), ()])),
        attributes={
            "area": since(st.sampled_from([None, 800_000, 900_000])),
            "persons": since(st.sampled_from([None, 30_000, 50_000])),
        },
    )


PERIODS = [Period.month(month, ZoneInfo(zone)) for month, zone in CLOCKS_CHANGE]
CASES = st.sampled_from(PERIODS).flatmap(lambda p: st.tuples(st.just(p), facts_in(p)))


def true_on(facts: Facts, day: date) -> tuple[Any, ...]:
    """Return what holds on a day, asked of every fact by itself."""

    def last(dated: Any) -> Any:
        begun = [each for each in dated if each.day <= day]
        return max(begun, key=lambda each: each.day).value if begun else None

    def holds(held: Any) -> list[Any]:
        return [e.value for e in held if e.first <= day and (e.after is None or day < e.after)]

    own, customer_class = last(facts.tariffs), last(facts.classes)
    return (
        next(iter(holds(facts.accounts)), None),
        customer_class,
        CLASSES[customer_class] if own is None else own,
        {name: last(each) for name, each in facts.attributes.items() if last(each) is not None},
        bool(holds(facts.vacancies)),
    )


def days_of(span: Span, zone: ZoneInfo) -> list[date]:
    first = span.interval.start.astimezone(zone).date()
    return [first + timedelta(days=n) for n in range(span.days)]


@settings(max_examples=500, deadline=None)
@given(CASES)
def test_spans_tile_the_period_and_say_what_holds_on_each_day(case: tuple[Period, Facts]) -> None:
    period, facts = case

    spans = spans_of(period, facts, CLASSES)

    assert spans[0].interval.start == period.interval.start
    assert spans[-1].interval.end == period.interval.end
    for earlier, later in pairwise(spans):
        assert earlier.interval.end == later.interval.start
        assert earlier._replace(interval=later.interval, days=later.days) != later
    days = [day for span in spans for day in days_of(span, period.zone)]
    assert days == [period.first + timedelta(days=n) for n in range(period.days)]
    for span in spans:
        said = span.account, span.customer_class, span.tariffs, span.attributes, span.vacant
        assert all(said == true_on(facts, day) for day in days_of(span, period.zone))


@settings(max_examples=300, deadline=None)
@given(CASES, st.sets(st.integers(1, 27), max_size=2))
def test_each_tariff_is_rated_on_each_of_its_days_once(
    case: tuple[Period, Facts], begins: set[int]
) -> None:
    period, facts = case
    zone = period.zone
    first = TARIFFS["power"][0]
    versions_later = [
        TariffVersion(
            10 + n,
            first.tariff.model_copy(
                update={"version": 10 + n, "valid_from": period.first + timedelta(days=n)}
            ),
        )
        for n in sorted(begins)
    ]
    versions = {**TARIFFS, "power": (*TARIFFS["power"], *versions_later)}
    seen, unit = registry(spans_of(period, facts, CLASSES), versions, period)

    found = rated_spans(seen, unit)

    for name in TARIFFS:
        mine = [each for each in found if each.version.tariff.id == name]
        billed = [day for each in mine for day in days_of(each.span, zone)]
        wanted = [
            day
            for day in (period.first + timedelta(days=n) for n in range(period.days))
            if name in true_on(facts, day)[2]
        ]
        assert billed == wanted
        before = 0
        for each in mine:
            assert each.days_before == before
            before += each.span.days
            assert_true(each, facts, zone)
        for earlier, later in pairwise(mine):
            if earlier.span.interval.end == later.span.interval.start:
                assert read(earlier) != read(later)


def read(each: RatedSpan) -> tuple[Any, ...]:
    """Return what a tariff of these tests reads of a span: what differs where it is cut."""
    needs = each.version.tariff.needs
    attributes = [each.span.attributes.get(name) for name in sorted(needs.attributes)]
    return each.version.id, each.span.account, attributes


def assert_true(each: RatedSpan, facts: Facts, zone: ZoneInfo) -> None:
    """Hold a rated span against every one of its days: holder, version, what it reads."""
    needs = each.version.tariff.needs
    for day in days_of(each.span, zone):
        account, customer_class, tariffs, attributes, _ = true_on(facts, day)
        assert each.span.account == account
        if needs.classes:
            assert not needs.classes or each.span.customer_class == customer_class
        assert each.version.tariff.id in tariffs
        for name in needs.attributes:
            assert each.span.attributes.get(name) == attributes.get(name)
        assert each.version.tariff.valid_from <= day
