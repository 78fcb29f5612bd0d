"""The use of days: exchanges, several points, days of 25 hours, and meters nothing is known of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from billing.registry import Point, Recorded
from billing.usage.daily import DayUse, days_of
from billing.usage.whole import counting_all
from meters.archive.open import open_archive
from meters.catalog import shipped
from meters.installation import Installation
from meters.interval import Period, local_midnight
from meters.reading import Reading, Series, Verdict
from meters.register_at import RegisterAt, Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meters.archive.protocol import Archive

SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
POWER, ENERGY = "eastron-sdm120", "import_energy"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(f"sqlite:///{tmp_path}/archive.sqlite")
    yield opened
    opened.close()


def read(archive: Archive, meter: str, at: datetime, value: str, register: str = ENERGY) -> None:
    reading = Reading(Series(meter, register), at, Decimal(value), "00", Verdict.GOOD)
    assert archive.append([reading]).stored == 1


def october(day: int, *, hour: int = 0, zone: ZoneInfo = SHANGHAI) -> datetime:
    return local_midnight(date(2026, 10, day), zone) + timedelta(hours=hour)


def days(first: int, after: int, zone: ZoneInfo = SHANGHAI) -> Period:
    return Period(date(2026, 10, first), date(2026, 10, after), zone)


def point(*installations: Installation, recorded: tuple[Recorded, ...] = ()) -> Point:
    return Point(1, "p", "electricity", "unit", "1-101", None, installations, recorded)


def meter(name: str = "m", **said: object) -> Installation:
    return Installation("p", name, **{"meter_type": POWER, "start": BEGIN, **said})  # type: ignore[arg-type]  # each is as its test states


def told(
    archive: Archive, period: Period, *points: Point, issued: tuple[RegisterAt, ...] = ()
) -> list[int | None]:
    bills = {(each.meter, ENERGY, each.at): each for each in issued}
    return [each.quantity for each in days_of(points, period, archive, shipped(), bills)]


def test_the_ratio_of_the_transformers_counts(archive: Archive) -> None:
    for day, value in ((1, "10"), (2, "12.5"), (3, "12.5")):
        read(archive, "m", october(day), value)
    assert told(archive, days(1, 3), point(meter(multiplier=Decimal(40)))) == [1_000_000, 0]


def test_an_exchange_within_a_day_counts_both_meters(archive: Archive) -> None:
    read(archive, "old", october(1), "100")
    read(archive, "new", october(2), "3")
    old = meter("old", end=october(1, hour=9), last={ENERGY: Decimal("101.5")})
    new = meter("new", start=october(1, hour=9), first={ENERGY: Decimal(1)})
    assert told(archive, days(1, 2), point(old, new)) == [35_000]


def test_what_a_person_recorded_counts_in_place_of_a_reading(archive: Archive) -> None:
    read(archive, "m", october(1), "100")
    seen = Recorded("m", october(2), {ENERGY: Decimal("104.2")})
    assert told(archive, days(1, 2), point(meter(), recorded=(seen,))) == [42_000]


def test_what_was_billed_counts_in_place_of_a_reading(archive: Archive) -> None:
    read(archive, "m", october(1), "100")
    read(archive, "m", october(2), "999")
    billed = RegisterAt("m", october(2), Decimal(103), Source.OVERRIDDEN)
    assert told(archive, days(1, 2), point(meter()), issued=(billed,)) == [30_000]


def test_points_of_a_unit_count_together_and_one_unread_leaves_a_gap(archive: Archive) -> None:
    for name in ("a", "b"):
        read(archive, name, october(1), "10")
        read(archive, name, october(2), "11.5")
    read(archive, "a", october(3), "12")
    found = days_of([point(meter("a")), point(meter("b"))], days(1, 3), archive, shipped(), {})
    assert found == [
        DayUse(date(2026, 10, 1), 30_000),
        DayUse(date(2026, 10, 2), None, was_read=False),
    ]


def test_a_point_whose_meter_has_gone_leaves_no_gap(archive: Archive) -> None:
    read(archive, "a", october(1), "10")
    read(archive, "a", october(2), "11")
    gone = meter("b", end=october(1), last={ENERGY: Decimal(5)})
    assert told(archive, days(1, 2), point(meter("a")), point(gone)) == [10_000]


def test_a_type_that_is_not_known_leaves_gaps(archive: Archive) -> None:
    assert told(archive, days(1, 3), point(meter(meter_type="nothing"))) == [None, None]
    assert told(archive, days(1, 2)) == [None]


def test_days_are_as_long_as_the_clock_makes_them(archive: Archive) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for day, value in ((25, "0"), (26, "25"), (27, "49")):
        read(archive, "m", october(day, zone=berlin), value)
    assert october(26, zone=berlin) - october(25, zone=berlin) == timedelta(hours=25)
    assert told(archive, days(25, 27, berlin), point(meter())) == [250_000, 240_000]


def test_a_reading_two_hours_from_midnight_tells_nothing_alone(archive: Archive) -> None:
    read(archive, "m", october(1), "10")
    read(archive, "m", october(2, hour=1), "11")
    assert told(archive, days(1, 2), point(meter())) == [None]
    read(archive, "m", october(2, hour=-1), "10.8")
    assert told(archive, days(1, 2), point(meter())) == [9_000]


@pytest.mark.parametrize(
    ("medium", "known", "counting"),
    [
        ("electricity", {"import_energy", "import_energy_t1", "export_energy"}, ("import_energy",)),
        (
            "electricity",
            {"import_energy_t2", "import_energy_t1"},
            ("import_energy_t1", "import_energy_t2"),
        ),
        ("electricity", {"total_energy", "import_energy_t1"}, ("import_energy_t1",)),
        ("electricity", {"export_energy"}, ()),
        ("water", {"volume", "reverse_volume"}, ("volume",)),
        ("gas", {"volume"}, ()),
    ],
)
def test_no_use_is_counted_twice(medium: str, known: set[str], counting: tuple[str, ...]) -> None:
    assert counting_all(medium, known) == counting
