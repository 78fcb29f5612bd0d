"""A wall clock is believed while it runs as evenly as the one that nobody sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import WatchedClock

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)


class Clocks:
    """The two clocks of a machine."""

    def __init__(self, wall: datetime) -> None:
        self.wall = wall
        self.mono = 5000.0
        self.watched = WatchedClock(lambda: self.wall, monotonic=lambda: self.mono)

    def run(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.mono += seconds


def test_a_clock_that_runs_evenly_is_believed() -> None:
    clocks = Clocks(NOON)
    for _ in range(3):
        assert clocks.watched.look() == (clocks.wall, clocks.wall.timestamp(), True, 0)
        clocks.run(86400)


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(-0.5, 0.5)), max_size=30))
def test_what_a_time_server_corrects_little_by_little_is_no_jump(
    corrections: list[tuple[float, float]],
) -> None:
    clocks = Clocks(NOON)
    for seconds, by_s in corrections:
        clocks.watched.look()
        clocks.run(seconds)
        clocks.wall += timedelta(seconds=by_s)
    assert clocks.watched.look()[2:] == (True, 0)


def test_a_clock_that_was_never_set_is_not_believed_and_is_once_it_is_set() -> None:
    clocks = Clocks(datetime(1970, 1, 1, tzinfo=UTC))
    assert not clocks.watched.look().trusted
    clocks.run(5)
    clocks.wall = NOON
    assert clocks.watched.look()[2:] == (True, 1)


def test_after_a_jump_a_clock_is_believed_once_it_has_run_evenly_for_a_minute() -> None:
    for jump in (timedelta(hours=1), timedelta(days=-400), timedelta(seconds=-31)):
        clocks = Clocks(NOON)
        clocks.watched.look()
        clocks.wall += jump
        seen = []
        for _ in range(8):
            seen.append(clocks.watched.look().trusted)
            clocks.run(10)
        assert seen == [False] * 6 + [True] * 2
        assert clocks.watched.look().steps == 1


def test_a_clock_that_jumps_again_and_again_is_never_believed() -> None:
    clocks = Clocks(NOON)
    clocks.watched.look()
    seen = []
    for _ in range(10):
        clocks.run(30)
        clocks.wall += timedelta(minutes=5)
        seen.append(clocks.watched.look())
    assert not any(moment.trusted for moment in seen)
    assert all(after.steps == before.steps + 1 for before, after in pairwise(seen))
