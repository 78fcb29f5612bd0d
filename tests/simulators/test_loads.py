"""Named loads: what stands behind a meter is drawn, has a shape, and never makes a counter fall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meters.interval import Interval
from simulators.counters import (
    BandedCounter,
    RestartedCounter,
    StandingCounter,
    SteadyCounter,
    SumCounter,
    WindowedCounter,
    restarted,
)
from simulators.load import ANCHOR, Counter, HabitCounter
from simulators.loads import BAND_OF_HOUR, LOADS, Load, LoadError, LoadPlan
from simulators.profiles import Profile, in_bands, office, shop

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONDAY = datetime(2026, 10, 11, 16, tzinfo=UTC)
"""When a Monday begins in Shanghai."""
MOMENTS = st.datetimes(ANCHOR.replace(tzinfo=None), datetime(2028, 1, 1), timezones=st.just(UTC))
EVERY = [(medium, load) for medium, loads in LOADS.items() for load in loads]


def behind(load: Load, medium: str = "electricity", key: str = "m", **settings: object) -> Counter:
    plan = LoadPlan(load=load, medium=medium, zone=SHANGHAI, **settings)  # type: ignore[arg-type] # settings of a test
    return plan.counters(1, key).forward


def used(counter: Counter, start: datetime, length: timedelta) -> int:
    return counter.at(start + length) - counter.at(start)


@pytest.mark.parametrize(("medium", "load"), EVERY)
@given(one=MOMENTS, other=MOMENTS, key=st.text(max_size=3))
@settings(max_examples=15)
def test_no_load_makes_a_counter_fall(
    medium: str, load: Load, one: datetime, other: datetime, key: str
) -> None:
    counter = behind(load, medium, key, first=500)
    earlier, later = sorted((one, other))
    assert 500 <= counter.at(earlier) <= counter.at(later)


@pytest.mark.parametrize(("medium", "load"), EVERY)
def test_a_load_is_the_same_for_the_same_key_and_another_for_another(
    medium: str, load: Load
) -> None:
    at = MONDAY + 9 * HOUR
    assert behind(load, medium).at(at) == behind(load, medium).at(at)
    assert len({behind(load, medium, f"m{n}").at(at) for n in range(5)}) > 1


def test_an_office_rests_at_night_and_at_the_weekend_and_a_shop_does_not() -> None:
    desks, till = behind(Load.OFFICE), behind(Load.SHOP)
    morning = 10 * HOUR
    assert used(desks, MONDAY + morning, HOUR) > 3 * used(desks, MONDAY + 3 * HOUR, HOUR)
    saturday = MONDAY + 5 * DAY + morning
    assert used(desks, MONDAY + morning, 4 * HOUR) > 2 * used(desks, saturday, 4 * HOUR)
    assert used(till, saturday, 4 * HOUR) > used(till, MONDAY + morning, 4 * HOUR) / 2
    assert office("water", 1).daily > 0
    assert shop("water", 1).daily > 0


def test_july_and_january_cost_more_than_april() -> None:
    homes = [behind(Load.HOUSEHOLD, key=f"m{n}") for n in range(20)]

    def month(number: int) -> int:
        start = datetime(2026, number, 1, tzinfo=UTC)
        return sum(used(home, start, 28 * DAY) for home in homes)

    assert month(7) > month(4) * 5 // 4
    assert month(1) > month(4) * 5 // 4


def test_a_family_leaves_its_standby_on_while_it_is_away() -> None:
    away = Interval(MONDAY, MONDAY + 5 * DAY)
    at_home, on_journey = behind(Load.HOUSEHOLD), behind(Load.HOUSEHOLD, away=(away,))
    before = MONDAY - DAY
    assert on_journey.at(before) == at_home.at(before)
    while_away = used(at_home, MONDAY, 5 * DAY)
    assert abs(used(on_journey, MONDAY, 5 * DAY) - while_away * 80 // 1000) <= 1
    assert used(on_journey, MONDAY + 6 * DAY, DAY) - used(at_home, MONDAY + 6 * DAY, DAY) in (0, 1)
    assert on_journey.hourly_rate(MONDAY + HOUR) == at_home.hourly_rate(MONDAY + HOUR) * 80 // 1000


def test_families_that_travel_are_away_in_october_for_days() -> None:
    october = datetime(2026, 9, 30, 16, tzinfo=UTC)
    for key in ("a", "b", "c"):
        home = behind(Load.AWAY, key=key)
        days = [used(home, october + n * DAY, DAY) for n in range(31)]
        assert sum(day < max(days) / 4 for day in days) >= 3


def test_a_pipe_leaks_at_night_too_until_somebody_notices() -> None:
    nights = 2 * HOUR
    for key in ("a", "b", "c"):
        pipe = behind(Load.LEAK, "water", key)
        start = datetime(2026, 2, 15, 18, tzinfo=UTC)  # 02:00 there
        leaking = [used(pipe, start + n * DAY, nights) >= 2 * 80 for n in range(150)]
        assert 15 <= sum(leaking) <= 90
        assert not leaking[0]


def test_what_panels_give_comes_by_day_and_is_none_of_the_use() -> None:
    plan = LoadPlan(load=Load.SOLAR, medium="electricity", zone=SHANGHAI).counters(1, "m")
    assert used(plan.reverse, MONDAY + 9 * HOUR, 6 * HOUR) > 0
    assert used(plan.reverse, MONDAY + 21 * HOUR, 6 * HOUR) == 0
    assert used(plan.forward, MONDAY, DAY) > 0


def test_a_hundred_doors_hold_homes_that_are_empty_travel_leak_and_export() -> None:
    plans = [LoadPlan(load=Load.MIXED, medium="electricity", zone=SHANGHAI) for _ in range(100)]
    drawn = [plan.counters(1, f"m{n}") for n, plan in enumerate(plans)]
    exporting = [each for each in drawn if used(each.reverse, MONDAY, DAY)]
    empty = [each for each in drawn if used(each.forward, MONDAY, DAY) < 2_000]
    assert 2 <= len(exporting) <= 20
    assert 4 <= len(empty) <= 25


@pytest.mark.parametrize("bands", [2, 3, 4, 6])
def test_bands_count_in_their_hours_and_sum_to_the_whole(bands: int) -> None:
    counter = behind(Load.HOUSEHOLD, bands=bands, first=1_000)
    assert isinstance(counter, BandedCounter)
    assert counter.first == 1_000
    assert len(counter.bands) == bands
    for hour in range(0, 24 * 7, 5):
        at = MONDAY + hour * HOUR
        assert counter.at(at) == sum(band.at(at) for band in counter.bands)
    moved = [[used(b, MONDAY + h * HOUR, HOUR) > 0 for b in counter.bands] for h in range(24)]
    assert all(sum(each) == 1 for each in moved)
    assert [each.index(True) for each in moved] == list(
        BAND_OF_HOUR.get(bands, tuple(h * bands // 24 for h in range(24)))
    )


def test_bands_share_a_profile_by_its_weights() -> None:
    profile = Profile(
        daily=24_000, workday=(1,) * 24, weekend=(1,) * 24, months=(100,) * 12, jitter=0
    )
    day, night = in_bands(profile, BAND_OF_HOUR[2])
    assert (day.daily, night.daily) == (16_000, 8_000)


@pytest.mark.parametrize(
    ("medium", "load"), [("water", Load.LIFT), ("electricity", Load.GARDEN), ("heat", Load.LIFT)]
)
def test_a_load_that_cannot_stand_there_is_refused(medium: str, load: Load) -> None:
    with pytest.raises(LoadError, match=f"a {medium} meter cannot have the load '{load}'"):
        behind(load, medium)


def test_counters_made_of_others_begin_where_they_say() -> None:
    steady = SteadyCounter(3_600, first=7)
    assert steady.at(ANCHOR + timedelta(seconds=10)) == 17
    both = SumCounter(first=100, loads=[steady, SteadyCounter(7_200)])
    assert (both.at(ANCHOR), both.at(ANCHOR + HOUR)) == (100, 100 + 3_600 + 7_200)
    assert both.hourly_rate(ANCHOR) == 10_800
    anew = RestartedCounter(both, ANCHOR + HOUR, 5)
    assert anew.at(ANCHOR + 2 * HOUR) == 5 + 10_800
    banded = restarted(BandedCounter([steady, StandingCounter(4)]), ANCHOR + HOUR, 9)
    assert isinstance(banded, BandedCounter)
    assert [band.at(ANCHOR + HOUR) for band in banded.bands] == [4, 5]


@given(
    steps=st.lists(st.integers(0, 50), min_size=1, max_size=6),
    inside=st.integers(0, 1000),
    outside=st.integers(0, 1000),
)
def test_a_windowed_load_never_falls_and_is_the_same_whenever_asked(
    steps: list[int], inside: int, outside: int
) -> None:
    windows, start = [], ANCHOR
    for step in steps:
        start += (step + 1) * HOUR
        windows.append(Interval(start, start + (step + 1) * HOUR))
        start += (step + 1) * HOUR

    def windowed() -> WindowedCounter:
        return WindowedCounter(SteadyCounter(777), windows, inside=inside, outside=outside)

    times = [ANCHOR + n * 7 * HOUR for n in range(60)]
    in_order = [windowed().at(time) for time in times]
    asked_before = windowed()
    assert in_order == [asked_before.at(time) for time in reversed(times)][::-1]
    assert in_order == sorted(in_order)


def test_a_share_of_a_load_is_a_permille_of_it() -> None:
    with pytest.raises(ValueError, match="permilles"):
        WindowedCounter(StandingCounter(), [], inside=1001, outside=0)


def test_a_counter_remembers_few_weeks_and_says_the_same() -> None:
    profile = in_bands(office("electricity", 1), BAND_OF_HOUR[1])[0]
    counter = HabitCounter(first=0, profile=profile, source=5, zone=SHANGHAI)
    times = [ANCHOR + n * 5 * DAY for n in range(40)]
    once = [counter.at(time) for time in times]
    assert [counter.at(time) for time in reversed(times)] == once[::-1]
