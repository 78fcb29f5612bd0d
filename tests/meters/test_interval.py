"""Intervals and periods: half-open, cut at local midnights, on days of 23 and 25 hours too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.interval import Interval, Period, local_midnight, utc

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

ZONES = st.sampled_from(
    [
        "Asia/Shanghai",
        "Europe/Berlin",
        "America/Sao_Paulo",  # skipped midnight until 2018
        "America/Havana",  # repeats midnight
        "America/St_Johns",  # changed its clocks at 00:01
        "America/Nuuk",  # changes them on the eve
        "Asia/Beirut",
        "Africa/Cairo",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",  # moves by half an hour
        "Pacific/Apia",  # left out a whole day
        "Pacific/Kiritimati",
        "UTC",
    ]
).map(ZoneInfo)
DAYS = st.dates(date(2000, 1, 1), date(2037, 12, 31))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))


def at(hours: int) -> datetime:
    return NOON + hours * HOUR


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-03-01T12:00:00 has no time zone"):
        utc(datetime(2026, 3, 1, 12))
    with pytest.raises(ValueError, match="no time zone"):
        Interval(datetime(2026, 3, 1), at(1))


def test_an_interval_holds_its_start_and_not_its_end() -> None:
    interval = Interval(at(0), at(2))

    assert at(0) in interval
    assert at(1) in interval
    assert at(2) not in interval
    assert interval.length == 2 * HOUR


def test_an_interval_is_kept_in_utc_whatever_zone_it_was_given_in() -> None:
    east = timezone(timedelta(hours=8))
    interval = Interval(at(0).astimezone(east), at(1).astimezone(SAO_PAULO))

    assert interval == Interval(at(0), at(1))
    assert interval.start.tzinfo is UTC


@pytest.mark.parametrize("end", [0, -1])
def test_an_interval_without_an_instant_does_not_exist(end: int) -> None:
    with pytest.raises(ValueError, match="holds no instant"):
        Interval(at(0), at(end))


@given(*[st.integers(0, 12)] * 4)
def test_intervals_intersect_exactly_where_both_hold_an_instant(
    one: int, two: int, three: int, four: int
) -> None:
    if one == two or three == four:
        return
    first = Interval(at(min(one, two)), at(max(one, two)))
    second = Interval(at(min(three, four)), at(max(three, four)))
    both = {hour for hour in range(13) if at(hour) in first and at(hour) in second}

    common = first.intersection(second)

    assert {hour for hour in range(13) if common is not None and at(hour) in common} == both
    assert first.overlaps(second) == second.overlaps(first) == (common is not None) == bool(both)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, date(2026, 3, 29), 23),
        (BERLIN, date(2026, 10, 25), 25),
        (BERLIN, date(2026, 10, 26), 24),
        (SHANGHAI, date(2026, 3, 29), 24),
        (SAO_PAULO, date(2018, 11, 4), 23),
        (SAO_PAULO, date(2018, 2, 17), 25),
        (SAO_PAULO, date(2026, 11, 1), 24),
        (ZoneInfo("America/Havana"), date(2026, 11, 1), 25),
    ],
)
def test_a_local_day_is_as_long_as_its_clocks_make_it(
    zone: ZoneInfo, day: date, hours: int
) -> None:
    assert Period(day, day + timedelta(days=1), zone).interval.length == hours * HOUR


def test_where_the_clocks_skip_midnight_the_day_begins_after_the_gap() -> None:
    begin = local_midnight(date(2018, 11, 4), SAO_PAULO)

    assert begin == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert begin.astimezone(SAO_PAULO).hour == 1


def test_where_the_clocks_repeat_midnight_the_day_begins_with_the_first() -> None:
    begin = local_midnight(date(2026, 11, 1), ZoneInfo("America/Havana"))

    assert begin == datetime(2026, 11, 1, 4, tzinfo=UTC)


@given(DAYS, ZONES)
def test_a_local_day_begins_at_its_first_instant(day: date, zone: ZoneInfo) -> None:
    begin = local_midnight(day, zone)

    assert begin.astimezone(zone).date() >= day
    assert (begin - timedelta(seconds=1)).astimezone(zone).date() < day


@given(st.integers(2000, 2036), ZONES)
def test_the_months_of_a_year_tile_it(year: int, zone: ZoneInfo) -> None:
    months = [Period.month(f"{year}-{number:02}", zone) for number in range(1, 13)]

    for earlier, later in pairwise(months):
        assert earlier.interval.end == later.interval.start
        assert later.previous == earlier
    assert sum(month.days for month in months) == (date(year + 1, 1, 1) - date(year, 1, 1)).days
    assert [month.key for month in months] == [f"{year}-{number:02}" for number in range(1, 13)]


@pytest.mark.parametrize(
    ("key", "days"), [("2024-02", 29), ("2026-02", 28), ("2026-12", 31), ("2026-09", 30)]
)
def test_a_month_has_its_days(key: str, days: int) -> None:
    assert Period.month(key, SHANGHAI).days == days


@pytest.mark.parametrize(
    "key",
    [
        "",
        "2026",
        "2026-1",
        "2026-00",
        "2026-13",
        "2026-10-01",
        "2026-10\n",
        " 2026-10",
        "26-10",
        "-2026-10",
        "0000-01",
        "0001-01",
        "9999-12",
        "２０２６-10",
        "٢٠٢٦-10",
    ],
)
def test_what_is_not_a_month_is_refused_with_how_to_write_one(key: str) -> None:
    with pytest.raises(ValueError, match="is not a month; write it as 2026-10"):
        Period.month(key, SHANGHAI)


@pytest.mark.parametrize(
    ("now", "zone", "key"),
    [
        (datetime(2026, 10, 31, 15, 59, 59, tzinfo=UTC), SHANGHAI, "2026-09"),
        (datetime(2026, 10, 31, 16, 0, 0, tzinfo=UTC), SHANGHAI, "2026-10"),
        (datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC), BERLIN, "2026-09"),
        (datetime(2026, 10, 31, 23, 0, 0, tzinfo=UTC), BERLIN, "2026-10"),
        (datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC), BERLIN, "2026-02"),
        (datetime(2026, 3, 31, 22, 0, 0, tzinfo=UTC), BERLIN, "2026-03"),
        (datetime(2026, 1, 1, 2, 59, 59, tzinfo=UTC), SAO_PAULO, "2025-11"),
        (datetime(2026, 1, 1, 3, 0, 0, tzinfo=UTC), SAO_PAULO, "2025-12"),
    ],
)
def test_a_month_has_ended_at_midnight_of_its_own_zone(
    now: datetime, zone: ZoneInfo, key: str
) -> None:
    assert Period.last_full_month(now, zone).key == key


@given(MOMENTS, ZONES)
def test_the_last_full_month_has_ended_and_the_next_one_has_not(
    now: datetime, zone: ZoneInfo
) -> None:
    last = Period.last_full_month(now, zone)
    running = Period.month(f"{last.after:%Y-%m}", zone)

    assert last.interval.end <= now
    assert now in running.interval


def test_now_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Period.last_full_month(datetime(2026, 3, 1), SHANGHAI)


@pytest.mark.parametrize(
    ("month", "of_the_quarter", "of_the_year"),
    [
        ("2026-01", [], []),
        ("2026-03", ["2026-01", "2026-02"], ["2026-01", "2026-02"]),
        ("2026-04", [], ["2026-01", "2026-02", "2026-03"]),
        ("2026-12", ["2026-10", "2026-11"], [f"2026-{each:02}" for each in range(1, 12)]),
    ],
)
def test_earlier_months_are_those_of_the_same_quarter_or_year(
    month: str, of_the_quarter: list[str], of_the_year: list[str]
) -> None:
    period = Period.month(month, SHANGHAI)

    assert period.earlier_months(3) == set(of_the_quarter)
    assert period.earlier_months(12) == set(of_the_year)


def test_the_month_before_january_is_december() -> None:
    assert Period.month("2026-01", SHANGHAI).previous.key == "2025-12"


@pytest.mark.parametrize(
    ("months", "key"),
    [(0, "2026-11"), (1, "2026-12"), (2, "2027-01"), (14, "2028-01"), (-11, "2025-12")],
)
def test_a_later_month_is_whole_and_of_the_same_zone(months: int, key: str) -> None:
    assert Period.month("2026-11", SHANGHAI).later(months) == Period.month(key, SHANGHAI)


def test_the_months_before_one_reach_over_the_year() -> None:
    found = Period.month("2026-02", SHANGHAI).months_before(3)
    assert found == {"2025-11", "2025-12", "2026-01"}


def test_an_instant_that_no_year_of_utc_holds_is_refused() -> None:
    with pytest.raises(OverflowError):
        utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))))
    with pytest.raises(OverflowError):
        utc(datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14))))
