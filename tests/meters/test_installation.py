"""Installations: where and when a meter stood, and what it multiplies by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from meters.installation import Installation
from meters.interval import Interval

DAY = timedelta(days=1)
START = datetime(2026, 1, 10, tzinfo=UTC)


def standing(start: datetime = START, end: datetime | None = None) -> Installation:
    return Installation("p", "m-1", "t", start, end)


@pytest.mark.parametrize(
    ("first", "last", "end", "part"),
    [
        (5, 20, None, (10, 20)),
        (12, 20, None, (12, 20)),
        (5, 20, 15, (10, 15)),
        (12, 14, 15, (12, 14)),
        (10, 15, 15, (10, 15)),
        (15, 20, 15, None),  # the end is no longer part of it
        (5, 10, None, None),
        (5, 11, None, (10, 11)),
    ],
)
def test_a_meter_counts_for_the_part_of_an_interval_in_which_it_stood(
    first: int, last: int, end: int | None, part: tuple[int, int] | None
) -> None:
    def day(number: int) -> datetime:
        return datetime(2026, 1, number, tzinfo=UTC)

    installation = standing(end=None if end is None else day(end))
    expected = None if part is None else Interval(day(part[0]), day(part[1]))

    assert installation.within(Interval(day(first), day(last))) == expected


def test_times_are_kept_in_utc() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    installation = standing(
        datetime(2026, 1, 10, 8, tzinfo=shanghai), datetime(2026, 1, 11, 8, tzinfo=shanghai)
    )

    assert installation == standing(START, START + DAY)
    assert installation.start.tzinfo is UTC


@pytest.mark.parametrize("end", [START, START - DAY])
def test_a_meter_is_not_removed_before_it_came(end: datetime) -> None:
    with pytest.raises(ValueError, match="meter m-1 is removed from p before it came"):
        standing(end=end)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        standing(datetime(2026, 1, 10))


@pytest.mark.parametrize("multiplier", ["0", "-1", "NaN", "Infinity"])
def test_a_multiplier_is_a_number_above_zero(multiplier: str) -> None:
    with pytest.raises(ValueError, match="the multiplier of meter m-1 must be above zero"):
        Installation("p", "m-1", "t", START, multiplier=Decimal(multiplier))
