"""Readings stand on multiples of the interval: no drift, and a pause is made up for once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.cadence import Cadence


def test_a_device_that_was_never_read_is_due_at_once() -> None:
    assert Cadence(900).is_due(1_000_007.0)


def test_after_a_reading_the_next_multiple_is_due() -> None:
    cadence = Cadence(900)
    cadence.serve(1_000_007.0)
    assert cadence.due_at(1_000_008.0) == 1_000_800.0
    assert not cadence.is_due(1_000_799.9)
    assert cadence.is_due(1_000_800.0)


@given(delays=st.lists(st.floats(0, 0.9), min_size=1, max_size=50))
def test_late_readings_do_not_drift(delays: list[float]) -> None:
    cadence = Cadence(10)
    now = 1000.0
    for delay in delays:
        now = cadence.due_at(now) + delay
        cadence.serve(now)
        assert cadence.due_at(now) % 10 == 0
        assert cadence.due_at(now) - now <= 10


def test_a_pause_of_many_slots_is_made_up_for_once() -> None:
    cadence = Cadence(10)
    cadence.serve(1000.0)
    assert cadence.is_due(1057.0)
    cadence.serve(1057.0)
    assert cadence.due_at(1057.0) == 1060.0


def test_a_clock_that_was_set_back_does_not_silence_a_device() -> None:
    cadence = Cadence(10)
    cadence.serve(100_000.0)
    assert cadence.due_at(5003.0) == 5010.0
