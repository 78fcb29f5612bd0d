"""What is measured: each register in the parts that its tariffs ask for, and joined beside them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rating_clerk import REGISTER, tariff_of

from billing.registry import Account, Point, Registry, Span, TariffVersion, Unit
from billing.usage.wanted import wanted
from billing.vee.settings import Validation
from meters.catalog import shipped
from meters.installation import Installation
from meters.interval import Interval, Period, local_midnight

if TYPE_CHECKING:
    from billing.usage.wanted import Part, Wanted

OCTOBER = Period.month("2026-10", ZoneInfo("Asia/Shanghai"))
STOOD = Installation("E-1", "m1", "eastron-sdm120", datetime(2026, 1, 1, tzinfo=UTC))
OWNER, TENANT = Account(1, "A-1", "王"), Account(2, "T-1", "李")

ENERGY = {"name": "energy", "kind": "per-unit", "register": REGISTER, "price": "0.5"}
BY_BAND = {
    "name": "energy",
    "kind": "time-of-use",
    "register": REGISTER,
    "prices": {"peak": "1", "valley": "0.1"},
}
CALENDAR = {"days": [{"bands": [["00:00", "valley"], ["08:00", "peak"], ["22:00", "valley"]]}]}
HIGHEST = {
    "name": "demand",
    "kind": "demand",
    "register": REGISTER,
    "minutes": 15,
    "price": "30",
}


def version(number: int, since: str, charge: dict[str, Any], **more: Any) -> TariffVersion:
    return TariffVersion(number, tariff_of([charge], valid_from=since, **more))


FUND = (version(1, "2026-01-01", ENERGY), version(2, "2026-10-20", ENERGY))
STEADY = version(3, "2026-01-01", ENERGY)
BANDS = version(4, "2026-01-01", BY_BAND, calendar=CALENDAR)
DEMAND = version(5, "2026-01-01", HIGHEST)


def midnight(day: int) -> datetime:
    return local_midnight(date(2026, 10, day), OCTOBER.zone)


def asked(tariffs: dict[str, tuple[TariffVersion, ...]], *moves: int) -> Wanted:
    """Return what is wanted of the one meter of a unit that changes hands on the days `moves`."""
    ends = [OCTOBER.interval.start, *map(midnight, moves), OCTOBER.interval.end]
    spans = tuple(
        Span(
            Interval(*edges),
            (edges[1] - edges[0]).days,
            account,
            "home",
            tuple(tariffs),
            {},
            vacant=False,
        )
        for edges, account in zip(pairwise(ends), (OWNER, TENANT), strict=False)
    )
    seen = Registry(
        id=1,
        code="yard",
        period=OCTOBER,
        currency="CNY",
        due_days=10,
        units=(Unit(1, "101", "b1", None, 1, spans),),
        points=(Point(1, "E-1", "electricity", "unit", "101", None, (STOOD,)),),
        tariffs=tariffs,
        pools=(),
        issued={},
        validation=Validation(),
    )
    (found,), problems = wanted(seen, shipped())
    assert problems == []
    return found


def days(parts: tuple[Part, ...]) -> list[tuple[int, int]]:
    """Return the first and the last local day of each part."""
    zone = OCTOBER.zone
    return [
        (each.interval.start.astimezone(zone).day, each.interval.end.astimezone(zone).day)
        for each in parts
    ]


def test_one_tariff_that_changes_cuts_the_month_and_joins_nothing() -> None:
    found = asked({"fund": FUND})

    assert days(found.parts) == [(1, 20), (20, 1)]
    assert found.joined == ()
    assert found.by_days == {midnight(20)}


def test_one_that_does_not_change_beside_it_has_the_whole_month_too() -> None:
    found = asked({"fund": FUND, "steady": (STEADY,)})

    assert days(found.parts) == [(1, 20), (20, 1)]
    assert days(found.joined) == [(1, 1)]
    assert found.whole == OCTOBER.interval


def test_two_that_change_on_different_days_have_their_own_parts() -> None:
    early = (STEADY, version(6, "2026-10-10", ENERGY))

    found = asked({"fund": FUND, "steady": early})

    assert days(found.parts) == [(1, 10), (10, 20), (20, 1)]
    assert days(found.joined) == [(1, 20), (10, 1)]
    assert found.by_days == {midnight(10), midnight(20)}


def test_bands_and_windows_are_asked_for_where_their_own_tariff_counts() -> None:
    found = asked({"fund": FUND, "bands": (BANDS,), "demand": (DEMAND,)})

    (joined,) = found.joined
    assert [(each.edges, each.windows) for each in found.parts] == [(frozenset(), frozenset())] * 2
    assert len(joined.edges) == 2 * 31
    assert joined.windows == {15}


def test_use_may_be_divided_by_days_but_not_between_holders() -> None:
    found = asked({"fund": FUND, "steady": (STEADY,)}, 15)

    assert days(found.parts) == [(1, 15), (15, 20), (20, 1)]
    assert days(found.joined) == [(15, 1)]
    assert found.by_days == {midnight(20)}
