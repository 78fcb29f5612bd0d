"""Completeness: how many hours of a day, or midnights of a month, have a good reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from api import freshness
from api.completeness import Completeness, Span, completeness, instants
from api.pages import chart
from billing.store.views.meters import Standing
from meters.archive.open import open_archive
from meters.catalog import shipped
from meters.interval import Interval
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meters.archive.protocol import Archive

SHANGHAI, LONDON = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 15, 8, 30, tzinfo=UTC)
ENERGY = Series("E-1", "import_energy")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(f"sqlite:///{tmp_path}/archive.sqlite")
    yield opened
    opened.close()


def standing(since: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> Standing:
    return Standing(
        meter="E-1",
        meter_type="eastron-sdm120",
        start=since,
        end=None,
        point="p",
        medium="electricity",
        role="unit",
        unit=None,
        building=None,
        community={"en": "c"},
        zone="Asia/Shanghai",
    )


def reading(time: datetime, value: str = "1", verdict: Verdict = Verdict.GOOD) -> Reading:
    number = None if verdict is Verdict.INVALID else Decimal(value)
    return Reading(ENERGY, time, number, "0000 0001", verdict)


def found(archive: Archive, span: Span, where: Standing | None = None) -> Completeness:
    states = freshness.meter_states(archive, shipped(), [where or standing()], now=NOW)
    (one,) = completeness(archive, shipped(), states, span=span, now=NOW)
    return one


def test_an_hour_counts_once_and_only_for_a_good_reading(archive: Archive) -> None:
    hour = timedelta(hours=1)
    full = NOW.replace(minute=0)
    archive.append(
        [reading(full - hour * n - timedelta(minutes=m)) for n in range(6) for m in (1, 9)]
    )
    archive.append([reading(full - hour * 7 + timedelta(minutes=5), verdict=Verdict.SUSPECT)])
    assert found(archive, Span.DAY) == Completeness(6, 24)
    assert found(archive, Span.DAY).percent == 25


def test_a_midnight_counts_with_a_reading_on_either_side(archive: Archive) -> None:
    midnights = instants(Span.WEEK, zone=SHANGHAI, now=NOW)
    archive.append(
        [
            reading(midnights[0] + timedelta(minutes=14)),
            reading(midnights[1] - timedelta(minutes=90)),
            reading(midnights[2] + timedelta(hours=3)),
        ]
    )
    assert found(archive, Span.WEEK) == Completeness(2, 7)


def test_a_meter_is_not_blamed_for_the_days_before_it_stood(archive: Archive) -> None:
    archive.append([reading(NOW - timedelta(minutes=45))])
    new = standing(NOW - timedelta(hours=3))
    assert found(archive, Span.DAY, new) == Completeness(1, 2)
    assert found(archive, Span.MONTH, new) == Completeness(0, 0)
    assert found(archive, Span.MONTH, new).percent is None


def test_a_meter_that_never_spoke_lacks_everything(archive: Archive) -> None:
    assert found(archive, Span.DAY) == Completeness(0, 24)


def test_nearly_all_is_not_all() -> None:
    assert Completeness(999, 1000).percent == 99


def test_days_are_the_walls() -> None:
    midnights = instants(Span.WEEK, zone=LONDON, now=datetime(2026, 10, 28, 12, tzinfo=UTC))
    lengths = {later - at for at, later in zip(midnights[1:], midnights, strict=False)}
    assert lengths == {timedelta(hours=24), timedelta(hours=25)}


# the drawing


def drawn(*readings: Reading) -> chart.Chart:
    made = chart.of_readings(readings, Interval(NOW, NOW + timedelta(hours=10)))
    assert made is not None
    return made


def test_a_glitch_stands_at_the_edge_and_does_not_flatten_the_rest() -> None:
    hour = timedelta(hours=1)
    made = drawn(
        reading(NOW, "10"),
        reading(NOW + hour, "99999", Verdict.SUSPECT),
        reading(NOW + 2 * hour, "12", Verdict.INVALID),
        reading(NOW + 3 * hour, "20"),
    )
    assert made.lines == (f"0,{chart.BOTTOM} 300,{chart.TOP}",)
    assert [(mark.verdict, mark.x) for mark in made.marks] == [("suspect", 100), ("invalid", 200)]
    assert made.marks[0].y == chart.TOP
    assert made.marks[1].y > chart.BOTTOM


def test_a_gap_parts_the_line() -> None:
    minutes = timedelta(minutes=15)
    early = [reading(NOW + minutes * n, str(n)) for n in range(4)]
    late = [reading(NOW + minutes * n, str(n)) for n in range(20, 24)]
    assert len(drawn(*early, *late).lines) == 2


def test_many_readings_make_a_drawing_that_a_phone_can_draw() -> None:
    many = [reading(NOW + timedelta(seconds=n), str(n)) for n in range(36_000)]
    assert sum(len(points.split()) for points in drawn(*many).lines) <= chart.MOST_POINTS + 1


def test_a_still_counter_and_a_single_reading_can_be_drawn() -> None:
    assert len(drawn(reading(NOW)).lines) == 1
    assert drawn(reading(NOW), reading(NOW + timedelta(hours=1))).values[0].value == 1
    assert chart.of_readings([], Interval(NOW, NOW + timedelta(hours=1))) is None
