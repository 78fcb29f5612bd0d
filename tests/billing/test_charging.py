"""Charging: from usages to lines, over spans and months; what a unit owes never vanishes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rating_clerk import REGISTER, tariff_of

from billing.charging import VanishedLineError, charge_units
from billing.problem import Problem
from billing.registry import Account, Issued, Point, Registry, Span, TariffVersion, Unit
from billing.usage.measuring import Measured
from billing.vee.settings import Validation
from meters.interval import Interval, Period, local_midnight
from meters.stepwise import Steps
from meters.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.tariff import Tariff

SHANGHAI = ZoneInfo("Asia/Shanghai")
OCTOBER = Period.month("2026-10", SHANGHAI)
ENERGY = {"name": "energy", "kind": "per-unit", "register": REGISTER, "price": "0.5383"}
FUND = {**ENERGY, "name": "fund", "price": "0.000123"}
YEARLY = {
    "name": "steps",
    "kind": "steps",
    "per": "year",
    "register": REGISTER,
    "steps": [[100, "0.48"], [200, "0.53"], ["0.78"]],
}


def registry(
    versions: Mapping[str, Sequence[Tariff]],
    period: Period = OCTOBER,
    *,
    by_month: Mapping[str, int] | None = None,
) -> Registry:
    """Return a community of unit 101 with one meter, whose tariffs are `versions` by their ids.

    `by_month`: what it used in months that are issued.
    """
    account = Account(1, "A-1", "王")
    whole = Span(period.interval, period.days, account, "home", tuple(versions), {}, vacant=False)
    point = Point(1, "E-1", "electricity", "unit", "101", None, ())
    ids = count(1)
    return Registry(
        id=1,
        code="yard",
        period=period,
        currency="CNY",
        due_days=10,
        units=(Unit(1, "101", "b1", None, 1, (whole,)),),
        points=(point,),
        tariffs={
            name: tuple(TariffVersion(next(ids), tariff) for tariff in dated)
            for name, dated in versions.items()
        },
        pools=(),
        issued={(1, REGISTER): Issued(None, dict(by_month))} if by_month else {},
        validation=Validation(),
    )


def since(tariff: Tariff, version: int, day: date) -> Tariff:
    return tariff.model_copy(update={"version": version, "valid_from": day})


def measured(uses: Mapping[Interval, int | None], **more: Any) -> Measured:
    """Return what the meter counted in each interval, 10⁻⁴ kWh; None where nobody can tell."""
    usages = {
        ("E-1", REGISTER, interval): Usage(
            point="E-1",
            register=REGISTER,
            unit="kWh",
            interval=interval,
            quantity=None if use is None else Decimal(use).scaleb(-4),
            segments=(),
            findings=(),
            **more,
        )
        for interval, use in uses.items()
    }
    return Measured(usages, ())


def amounts(community: Registry, seen: Measured) -> dict[str, int]:
    """Return what each charge comes to over the month, in fen."""
    charged = charge_units(community, seen)
    assert charged.problems == []
    found: dict[str, int] = {}
    for line in (line for lines in charged.lines.values() for line in lines):
        found[line.charge] = found.get(line.charge, 0) + line.amount
    return found


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(-(10**4), 3 * 10**6), min_size=2, max_size=4),
    st.sampled_from(["half-up", "half-even", "down", "up"]),
    st.sampled_from(["line", "bill"]),
)
def test_splitting_a_month_at_readings_changes_nothing_that_is_billed(
    uses: list[int], direction: str, place: str
) -> None:
    rounding = {"direction": direction, "unit": "0.1", "place": place}
    tariff = tariff_of([ENERGY, FUND, YEARLY], rounding)
    days = [OCTOBER.first + timedelta(days=7 * n) for n in range(len(uses))]
    instants = [*(local_midnight(day, SHANGHAI) for day in days), OCTOBER.interval.end]
    parts = [Interval(*edges) for edges in pairwise(instants)]
    versions = [since(tariff, n, day) for n, day in enumerate(days, start=1)]

    split = amounts(registry({"tested": versions}), measured(dict(zip(parts, uses, strict=True))))

    whole = amounts(registry({"tested": [tariff]}), measured({OCTOBER.interval: sum(uses)}))
    assert split == whole


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=12, max_size=12))
def test_twelve_months_are_billed_as_their_year_in_one(uses: list[int]) -> None:
    """Prices are whole fen and uses whole kWh, so that months and year are not rounded at all."""
    tariff = tariff_of([YEARLY])
    months = [f"2026-{month:02}" for month in range(1, 13)]
    billed = 0
    for place, month in enumerate(months):
        period = Period.month(month, SHANGHAI)
        before = {each: use * 10_000 for each, use in zip(months[:place], uses, strict=False)}
        community = registry({"tested": [tariff]}, period, by_month=before)
        billed += amounts(community, measured({period.interval: uses[place] * 10_000}))["steps"]

    january = Period.month("2026-01", SHANGHAI)
    at_once = measured({january.interval: sum(uses) * 10_000})
    assert billed == amounts(registry({"tested": [tariff]}, january), at_once)["steps"]
    first, second = min(sum(uses), 100), max(min(sum(uses), 200) - 100, 0)
    assert billed == 48 * first + 53 * second + 78 * max(sum(uses) - 200, 0)


BY_BAND = {
    "name": "energy",
    "kind": "time-of-use",
    "register": REGISTER,
    "prices": {"peak": "1", "valley": "0.1"},
}
CALENDAR = {"days": [{"bands": [["00:00", "valley"], ["08:00", "peak"], ["22:00", "valley"]]}]}


@pytest.mark.parametrize(
    ("month", "zone", "peak", "valley"),
    [
        ("2026-10", "Asia/Shanghai", "434", "310"),
        ("2026-03", "Europe/Berlin", "434", "309"),
        ("2026-10", "Europe/Berlin", "434", "311"),
        ("2026-03", "America/New_York", "434", "309"),
        ("2026-11", "America/New_York", "420", "301"),
        ("2026-04", "Australia/Lord_Howe", "420", "300.5"),
        ("2026-10", "Australia/Lord_Howe", "434", "309.5"),
    ],
)
def test_bands_of_a_month_in_which_clocks_change_are_billed_by_the_hour(
    month: str, zone: str, peak: str, valley: str
) -> None:
    """The meter counts a kilowatt-hour an hour."""
    period = Period.month(month, ZoneInfo(zone))
    days = [period.first + timedelta(days=n) for n in range(period.days)]
    edges = [
        datetime.combine(day, time(hour), tzinfo=period.zone).astimezone(UTC)
        for day in days
        for hour in (8, 22)
    ]
    ends = [period.interval.start, *edges, period.interval.end]
    hourly = [int((end - start).total_seconds()) * 10_000 // 3600 for start, end in pairwise(ends)]
    steps = Steps(
        np.array([int(edge.timestamp()) for edge in edges], dtype=np.int64),
        np.array(hourly, dtype=np.int64),
        (),
    )
    tariff = tariff_of([BY_BAND], calendar=CALENDAR)
    community = registry({"tested": [tariff]}, period)
    seen = measured({period.interval: sum(hourly)}, steps=steps)

    ((line,),) = charge_units(community, seen).lines.values()

    assert [each["quantity"] for each in json.loads(line.evidence)["parts"]] == [peak, valley]
    assert line.amount == Decimal(peak) * 100 + Decimal(valley) * 10


def test_a_line_that_nothing_explains_does_not_vanish() -> None:
    community = registry({"tested": [tariff_of([ENERGY])]})
    unknown = measured({OCTOBER.interval: None})

    with pytest.raises(VanishedLineError, match="E-1, import_energy: its use from 2026-09-30"):
        charge_units(community, unknown)
    with pytest.raises(VanishedLineError):
        charge_units(community, measured({}))

    explained = Measured(unknown.usages, (Problem("Gap", "E-1", "read it"),))
    assert charge_units(community, explained).lines == {}


@pytest.mark.parametrize("stored", [("a", "b"), ("b", "a")])
def test_tariffs_of_one_place_are_ordered_alike_in_every_database(stored: tuple[str, ...]) -> None:
    """Each comes first on the bill for some days; which one was stored first does not count."""
    fee = tariff_of([{"name": "fee", "kind": "fixed", "amount": "1"}])
    community = registry({name: [fee.model_copy(update={"id": name})] for name in stored})
    (unit,) = community.units
    (whole,), middle = unit.spans, local_midnight(date(2026, 10, 11), SHANGHAI)
    early = Interval(OCTOBER.interval.start, middle)
    late = Interval(middle, OCTOBER.interval.end)
    spans = (
        whole._replace(interval=early, days=10, tariffs=("a", "b")),
        whole._replace(interval=late, days=21, tariffs=("b", "a")),
    )
    community = replace(community, units=(unit._replace(spans=spans),))

    (lines,) = charge_units(community, measured({})).lines.values()

    names = {each.id: name for name, (each,) in community.tariffs.items()}
    assert [names[line.tariff_version_id or 0] for line in lines] == ["a", "b"]
