"""Whose a meter was at which time."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.store.views.meter_times import Change, OwnTimes

FIRST, SECOND = 1, 2


def day(number: int) -> datetime:
    return datetime(2026, 11, number, tzinfo=UTC)


MOVED = {"E-1": (Change(day(3), FIRST), Change(day(5), SECOND), Change(day(9), FIRST))}


def test_a_meter_belongs_to_where_it_stood_last_and_before_all_to_the_first() -> None:
    mine, theirs = OwnTimes(FIRST, MOVED), OwnTimes(SECOND, MOVED)
    assert [each for each in range(1, 12) if mine.is_own("E-1", day(each))] == [
        1,
        2,
        3,
        4,
        9,
        10,
        11,
    ]
    assert [each for each in range(1, 12) if theirs.is_own("E-1", day(each))] == [5, 6, 7, 8]
    assert (mine.end("E-1"), theirs.end("E-1")) == (None, day(9))


def test_meters_of_one_project_and_who_sees_all_are_kept_from_nothing() -> None:
    assert OwnTimes(SECOND, MOVED).is_own("E-2", day(1))
    assert OwnTimes(None, MOVED).is_own("E-1", day(6))
    assert OwnTimes(None, MOVED).end("E-1") is None
