"""Readings stand on multiples from local midnight on: no drift, a pause is made up for once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cadence import Cadence, Days, jitter_s
from meters.interval import local_midnight

UTC_DAYS = Days(ZoneInfo("UTC"))


def test_a_device_that_was_never_read_is_due_at_once() -> None:
    assert Cadence(900, UTC_DAYS).is_due(1_000_007.0)


def test_after_a_reading_the_next_multiple_is_due() -> None:
    cadence = Cadence(900, UTC_DAYS)
    cadence.serve(1_000_007.0)
    assert cadence.due_at(1_000_008.0) == 1_000_800.0
    assert not cadence.is_due(1_000_799.9)
    assert cadence.is_due(1_000_800.0)


@given(delays=st.lists(st.floats(0, 0.9), min_size=1, max_size=50))
def test_late_readings_do_not_drift(delays: list[float]) -> None:
    cadence = Cadence(10, UTC_DAYS)
    now = 1000.0
    for delay in delays:
        now = cadence.due_at(now) + delay
        cadence.serve(now)
        assert cadence.due_at(now) % 10 == 0
        assert cadence.due_at(now) - now <= 10


def test_a_pause_of_many_slots_is_made_up_for_once() -> None:
    cadence = Cadence(10, UTC_DAYS)
    cadence.serve(1000.0)
    assert cadence.is_due(1057.0)
    cadence.serve(1057.0)
    assert cadence.due_at(1057.0) == 1060.0


def test_a_clock_that_was_set_back_does_not_silence_a_device() -> None:
    cadence = Cadence(10, UTC_DAYS)
    cadence.serve(100_000.0)
    assert cadence.due_at(5003.0) == 5010.0
    assert cadence.is_due(5010.0)


ZONES = ("Asia/Shanghai", "Asia/Kathmandu", "Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut")


@pytest.mark.parametrize("zone", ZONES)
@given(
    start=st.datetimes(datetime(2017, 1, 1), datetime(2026, 12, 1)),
    every_s=st.sampled_from([60, 300, 900, 1000, 3600, 7200, 86400]),
    delays=st.lists(st.floats(0, 50), min_size=4, max_size=4),
)
def test_every_local_day_begins_with_a_reading(
    zone: str, start: datetime, every_s: int, delays: list[float]
) -> None:
    """Days of 23 and 25 hours too, and where summer time begins at midnight itself."""
    found = ZoneInfo(zone)
    cadence = Cadence(every_s, Days(found))
    now = start.replace(tzinfo=UTC).timestamp()
    end = now + 2 * 86400
    read = []
    while now < end:
        if cadence.owes_boundary(now):
            read.append(now)
        cadence.serve(now)
        after = cadence.due_at(now)
        assert now < after <= now + every_s
        now = after + (delays[len(read) % 4] if every_s > 60 else 0.0)
    first = datetime.fromtimestamp(read[0], found).date()
    midnights = [
        local_midnight(first + timedelta(days=n), found).timestamp() for n in range(1, len(read))
    ]
    assert len(read) >= 2
    assert all(0 <= at - midnight <= 50 for at, midnight in zip(read[1:], midnights, strict=True))


def test_slots_are_counted_from_local_midnight() -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")  # 5 h 45 min ahead
    cadence = Cadence(3600, Days(kathmandu))
    midnight = local_midnight(date(2026, 11, 22), kathmandu).timestamp()
    cadence.serve(midnight + 1800)
    assert cadence.due_at(midnight + 1800) == midnight + 3600


def test_a_boundary_that_was_missed_is_owed_until_it_is_read() -> None:
    cadence = Cadence(900, UTC_DAYS)
    cadence.serve(86400 * 100 + 500)
    assert not cadence.owes_boundary(86400 * 100 + 80_000)
    late = 86400.0 * 101 + 11_000
    assert cadence.owes_boundary(late)
    cadence.serve(late)
    assert not cadence.owes_boundary(late)


def test_a_clock_that_steps_over_midnight_owes_the_boundary() -> None:
    cadence = Cadence(3600, UTC_DAYS)
    cadence.serve(86400 * 100 + 80_000)
    assert cadence.owes_boundary(86400 * 103 + 40_000)
    assert cadence.is_due(86400 * 103 + 40_000)


def test_what_was_read_by_a_wrong_clock_is_due_again() -> None:
    cadence = Cadence(900, UTC_DAYS)
    cadence.serve(1000.0)
    cadence.forget()
    assert cadence.is_due(1000.0)
    assert cadence.owes_boundary(1000.0)


def test_a_thousand_meters_are_spread_over_ten_seconds_always_alike() -> None:
    spread = sorted(jitter_s(f"e-{number}", 900) for number in range(1000))
    assert 0 <= spread[0] < 0.5
    assert 9.5 < spread[-1] < 10
    assert max(after - before for before, after in pairwise(spread)) < 0.2
    assert jitter_s("e-1", 10) == pytest.approx(jitter_s("e-1", 900) / 10)
