"""True counters: exact, monotone, the same whenever asked, with the shape of real habits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.community import Role, demo_community
from simulators.fleet import Fleet
from simulators.load import ANCHOR, LOSS_PERMILLE, HabitCounter, MasterCounter
from simulators.profiles import Profile

if TYPE_CHECKING:
    from simulators.load import Counter

HOUR = timedelta(hours=1)
MOMENTS = st.datetimes(ANCHOR.replace(tzinfo=None), datetime(2028, 1, 1), timezones=st.just(UTC))
SEEDS = st.integers(0, 2**64 - 1)
FEW_PER_DAY = Profile(
    daily=4, workday=(1,) * 24, weekend=(1,) * 24, months=(100,) * 12, jitter=10, presence=1
)


def habit(seed: int, profile: Profile = FEW_PER_DAY) -> HabitCounter:
    return HabitCounter(first=17, profile=profile, source=seed, zone=ZoneInfo("Asia/Shanghai"))


def used(counter: Counter, start: datetime, end: datetime) -> int:
    return counter.at(end) - counter.at(start)


@given(seed=SEEDS, one=MOMENTS, other=MOMENTS)
@settings(max_examples=60, deadline=None)
def test_a_counter_never_falls(seed: int, one: datetime, other: datetime) -> None:
    fleet = Fleet(demo_community(seed))
    earlier, later = sorted((one, other))
    for meter_id in ("e-1-101", "w-2-301", "b1-lift", "garden-water", "b2-master"):
        counter = fleet.counters[meter_id]
        assert 0 < counter.first <= counter.at(earlier) <= counter.at(later)


@given(seed=SEEDS, start=MOMENTS, steps=st.lists(st.integers(0, 100_000), max_size=30))
@settings(max_examples=50, deadline=None)
def test_a_counter_says_the_same_whenever_it_is_asked(
    seed: int, start: datetime, steps: list[int]
) -> None:
    times = [start + timedelta(seconds=step) for step in steps]
    in_order = [habit(seed).at(time) for time in times]
    asked_before = habit(seed)
    backwards = [asked_before.at(time) for time in reversed(times)]
    assert in_order == backwards[::-1]


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_weeks_tile_without_a_jump(seed: int) -> None:
    fleet = Fleet(demo_community(seed))
    for meter_id in ("e-2-202", "w-1-102", "b1-master"):
        counter = fleet.counters[meter_id]
        for week in range(1, 12):
            end = ANCHOR + timedelta(weeks=week)
            second = used(counter, end - timedelta(seconds=1), end)
            # one second of the fastest meter here, 30 kW, and the rounding of its 14 parts
            assert 0 <= second <= 30 * 10_000 // 3600 + 15


@given(seed=SEEDS, time=MOMENTS)
@settings(max_examples=40, deadline=None)
def test_a_master_counts_its_subs_and_the_loss_exactly(seed: int, time: datetime) -> None:
    fleet = Fleet(demo_community(seed))
    for building in ("b1", "b2"):
        master_id = f"{building}-master"
        subs = [
            fleet.counters[meter.id]
            for meter in fleet.community.meters
            if meter.behind == master_id
        ]
        assert len(subs) == 14
        below_then = sum(sub.first for sub in subs)
        below_now = sum(sub.at(time) for sub in subs)
        loss = below_now * LOSS_PERMILLE // 1000 - below_then * LOSS_PERMILLE // 1000
        master = fleet.counters[master_id]
        assert master.at(time) - master.first == below_now - below_then + loss


def test_a_master_starts_at_its_own_first_register() -> None:
    master = MasterCounter(first=1_000_000, subs=[habit(1), habit(2)])
    assert master.at(ANCHOR) == master.first == 1_000_000


def test_nothing_is_counted_before_the_meters_were_put_in() -> None:
    assert habit(1).at(ANCHOR) == 17
    with pytest.raises(ValueError, match="count from 2025-01-06"):
        habit(1).at(ANCHOR - timedelta(seconds=1))


@given(seed=SEEDS)
@settings(max_examples=50, deadline=None)
def test_a_week_in_which_nothing_is_drawn_still_holds_its_total(seed: int) -> None:
    never = Profile(
        daily=4, workday=(1,) * 24, weekend=(1,) * 24, months=(100,) * 12, jitter=0, presence=0
    )
    counter = habit(seed, never)
    assert 23 <= used(counter, ANCHOR, ANCHOR + timedelta(weeks=1)) <= 33


def test_a_household_uses_what_households_use(fleet: Fleet) -> None:
    start = datetime(2026, 9, 30, 16, tzinfo=UTC)
    end = datetime(2026, 10, 31, 16, tzinfo=UTC)
    for unit in fleet.community.units:
        energy = used(fleet.counters[f"e-{unit.id}"], start, end)
        water = used(fleet.counters[f"w-{unit.id}"], start, end)
        if unit.vacant:
            assert 0 < energy < 4 * 10_000
            assert water < 200
        else:
            assert 40 * 10_000 < energy < 500 * 10_000
            assert 1 * 10_000 < water < 40 * 10_000


def test_evenings_use_more_than_nights_and_lights_burn_in_the_dark(fleet: Fleet) -> None:
    midnight = datetime(2026, 10, 13, 16, tzinfo=UTC)  # in Shanghai a Wednesday begins

    def hour_of(meter_id: str, hour: int) -> int:
        counter = fleet.counters[meter_id]
        start = midnight + hour * HOUR
        return used(counter, start, start + HOUR)

    homes = [f"e-{unit.id}" for unit in fleet.community.units if not unit.vacant]
    assert sum(hour_of(home, 20) for home in homes) > 3 * sum(hour_of(home, 3) for home in homes)
    assert hour_of("b1-lights", 2) > 5 * hour_of("b1-lights", 12)
    assert hour_of("garden-water", 12) == 0


def test_the_fastest_hour_stays_below_what_the_type_says_its_meter_can_count(fleet: Fleet) -> None:
    for meter in fleet.meters.values():
        name = "import_energy" if meter.meter_type.medium == "electricity" else "volume"
        limit = meter.meter_type.registers[name].canonical_max_rate
        assert limit is not None
        counter = fleet.counters[meter.id]
        start = datetime(2026, 7, 1, tzinfo=UTC)
        fastest = max(
            counter.hourly_rate(start + n * timedelta(minutes=15)) for n in range(4 * 24 * 31)
        )
        assert 0 < fastest < limit * 10_000


def test_the_rate_is_what_the_quarter_hour_uses(fleet: Fleet) -> None:
    counter = fleet.counters["e-1-502"]
    quarter = datetime(2026, 10, 14, 12, 15, tzinfo=UTC)
    counted = 4 * used(counter, quarter, quarter + timedelta(minutes=15))
    assert abs(counter.hourly_rate(quarter) - counted) <= 4


def test_habits_follow_the_local_clock_when_it_changes() -> None:
    evening = Profile(
        daily=240_000,
        workday=(0,) * 20 + (1,) + (0,) * 3,
        weekend=(0,) * 20 + (1,) + (0,) * 3,
        months=(100,) * 12,
        jitter=0,
    )
    counter = HabitCounter(first=0, profile=evening, source=1, zone=ZoneInfo("Europe/Berlin"))
    # 20:00 in Berlin is 18:00 UTC in summer and 19:00 UTC in winter
    summer = datetime(2026, 10, 24, 18, tzinfo=UTC)
    winter = datetime(2026, 10, 25, 19, tzinfo=UTC)
    assert used(counter, summer, summer + HOUR) > 0
    assert used(counter, winter, winter + HOUR) > 0
    assert used(counter, summer + HOUR, winter) == 0


def test_a_profile_without_a_weight_for_each_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="24 weights"):
        Profile(daily=1, workday=(1,), weekend=(1,) * 24, months=(1,) * 12, jitter=0)


def test_shared_meters_have_habits_and_masters_have_none(fleet: Fleet) -> None:
    shared = {Role.LIFT, Role.LIGHTS, Role.PUMP, Role.GARDEN}
    for meter in fleet.community.meters:
        if meter.role in shared:
            assert isinstance(fleet.counters[meter.id], HabitCounter)
        if meter.role is Role.MASTER:
            assert isinstance(fleet.counters[meter.id], MasterCounter)
