"""Calendars: which band holds when, on days of 23, 24 and 25 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.calendar import Calendar, CalendarError
from billing.canonical import canonical, from_canonical
from meters.interval import Interval, Period, local_midnight

SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE = map(
    ZoneInfo, ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
)
DAY_AND_NIGHT = {"bands": [["00:00", "valley"], ["08:00", "peak"], ["22:00", "valley"]]}
NIGHTLY = {"bands": [["00:00", "early"], ["02:30", "late"], ["12:00", "day"]]}


def calendar(*days: dict[str, Any], **more: Any) -> Calendar:
    return Calendar.model_validate({"days": list(days), **more})


def day(text: str, zone: ZoneInfo) -> Interval:
    first = date.fromisoformat(text)
    return Interval(local_midnight(first, zone), local_midnight(first + timedelta(days=1), zone))


def hours(found: Calendar, interval: Interval, zone: ZoneInfo) -> dict[str, timedelta]:
    total: dict[str, timedelta] = {}
    for run in found.runs(interval, zone):
        total[run.band] = total.get(run.band, timedelta(0)) + (run.end - run.start)
    return total


def by_the_clock(
    found: dict[str, Any], interval: Interval, zone: ZoneInfo
) -> list[tuple[str, int]]:
    """Read the local clock every minute, and return the bands with their minutes."""
    bands: list[tuple[str, int]] = []
    moment = interval.start
    while moment < interval.end:
        clock = moment.astimezone(zone)
        band = [name for start, name in found["bands"] if start <= f"{clock:%H:%M}"][-1]
        if bands and bands[-1][0] == band:
            bands[-1] = (band, bands[-1][1] + 1)
        else:
            bands.append((band, 1))
        moment += timedelta(minutes=1)
    return bands


@pytest.mark.parametrize("plan", [DAY_AND_NIGHT, NIGHTLY])
@pytest.mark.parametrize(
    ("zone", "text", "length"),
    [
        (SHANGHAI, "2026-03-29", 24),
        (BERLIN, "2026-03-29", 23),
        (BERLIN, "2026-10-25", 25),
        (NEW_YORK, "2026-03-08", 23),
        (NEW_YORK, "2026-11-01", 25),
        (LORD_HOWE, "2026-04-05", 24.5),
        (LORD_HOWE, "2026-10-04", 23.5),
    ],
)
def test_bands_hold_by_the_local_clock_on_days_of_any_length(
    plan: dict[str, Any], zone: ZoneInfo, text: str, length: float
) -> None:
    interval = day(text, zone)
    runs = calendar(plan).runs(interval, zone)
    minutes = [(run.band, (run.end - run.start) // timedelta(minutes=1)) for run in runs]

    assert interval.length == timedelta(hours=length)
    assert minutes == by_the_clock(plan, interval, zone)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 24 * 366 * 4),
    st.integers(1, 24 * 40),
    st.sampled_from([SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE]),
)
def test_runs_tile_their_interval_and_neighbours_differ(
    start: int, length: int, zone: ZoneInfo
) -> None:
    begin = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=start)
    interval = Interval(begin, begin + timedelta(hours=length))
    runs = calendar(NIGHTLY).runs(interval, zone)

    assert runs[0].start == interval.start
    assert runs[-1].end == interval.end
    for left, right in pairwise(runs):
        assert left.end == right.start
        assert left.band != right.band


def test_a_month_has_every_hour_of_its_days() -> None:
    interval = Period.month("2026-03", BERLIN).interval

    assert hours(calendar(DAY_AND_NIGHT), interval, BERLIN) == {
        "valley": timedelta(hours=31 * 10 - 1),
        "peak": timedelta(hours=31 * 14),
    }


SEASONS = [
    {"season": ["07-01", "09-30"], "on": ["workday"], "bands": [["00:00", "summer"]]},
    {"season": ["12-01", "02-29"], "bands": [["00:00", "winter"]]},
    {"on": ["weekend"], "bands": [["00:00", "weekend"]]},
    {"on": ["holiday"], "bands": [["00:00", "holiday"]]},
    {"bands": [["00:00", "other"]]},
]
HOLIDAYS = {"holidays": ["2026-10-01", "2026-10-03"], "workdays": ["2026-10-10"]}


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("2026-07-01", "summer"),
        ("2026-07-04", "weekend"),
        ("2026-09-30", "summer"),
        ("2026-10-01", "holiday"),
        ("2026-10-02", "other"),
        ("2026-10-03", "holiday"),
        ("2026-10-04", "weekend"),
        ("2026-10-10", "other"),
        ("2026-12-31", "winter"),
        ("2026-02-28", "winter"),
        ("2026-03-02", "other"),
    ],
)
def test_the_first_plan_for_a_day_holds(text: str, band: str) -> None:
    (run,) = calendar(*SEASONS, **HOLIDAYS).runs(day(text, SHANGHAI), SHANGHAI)

    assert run.band == band


def test_a_year_without_known_holidays_is_refused_and_not_taken_for_one_without() -> None:
    with pytest.raises(CalendarError, match="no holidays of 2027; add a version"):
        calendar(*SEASONS, **HOLIDAYS).runs(day("2027-05-01", SHANGHAI), SHANGHAI)


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"days": []}, "is empty"),
        ({"days": [{"bands": []}]}, "is empty"),
        ({"days": [{"bands": [["08:00", "peak"]]}]}, "begins at 08:00; let it begin at 00:00"),
        (
            {"days": [{"bands": [["00:00", "a"], ["09:00", "b"], ["08:00", "c"]]}]},
            "08:00 does not come after 09:00",
        ),
        ({"days": [{"bands": [["00:00", "a"], ["24:00", "b"]]}]}, 'a time of day such as "07:30"'),
        ({"days": [{"bands": [["00:00", "a"], ["8:00", "b"]]}]}, 'a time of day such as "07:30"'),
        (
            {"days": [{**DAY_AND_NIGHT, "on": ["workday"]}]},
            "no plan for 01-01 where it is a weekend",
        ),
        (
            {"days": [{**DAY_AND_NIGHT, "season": ["01-02", "12-31"]}]},
            "no plan for 01-01 where it is a workday; let the last of the days be for all others",
        ),
        ({"days": [{**DAY_AND_NIGHT, "season": ["7-1", "9-30"]}]}, "a day of the year such as"),
        (
            {"days": [DAY_AND_NIGHT], "holidays": ["2026-10-01"], "workdays": ["2026-10-01"]},
            "2026-10-01 is both a holiday and a workday",
        ),
    ],
)
def test_a_calendar_with_a_gap_or_a_contradiction_is_refused(
    wrong: dict[str, Any], advice: str
) -> None:
    with pytest.raises(ValidationError, match=advice):
        Calendar.model_validate(wrong)


def test_the_canonical_text_reads_back_as_the_same_calendar_and_finds_the_same_entry() -> None:
    found = calendar(*SEASONS, **HOLIDAYS)
    again = from_canonical(Calendar, canonical(found))

    assert again == found
    assert {found: 1}[again] == 1
    assert found.bands == {"summer", "winter", "weekend", "holiday", "other"}
