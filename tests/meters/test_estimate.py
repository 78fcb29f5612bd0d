"""Estimates: one formula for every method, exact, in steps of the display."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.estimate import (
    Estimate,
    Method,
    NoEstimateError,
    Sample,
    interpolated,
    like_days,
    previous_average,
)
from meters.interval import Interval, local_midnight

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def estimate(*samples: Sample, step: str = "0.1", modulus: str | None = None) -> Estimate:
    wrap = None if modulus is None else Decimal(modulus)
    return Estimate(Method.LIKE_DAY, START, Decimal("99.5"), samples, Decimal(step), wrap)


def test_an_estimate_is_the_last_register_and_the_weighted_samples_in_steps() -> None:
    whole = Interval(START, START + 3 * DAY)
    found = estimate(
        Sample(whole, Decimal(10), Fraction(1, 3)), Sample(whole, Decimal(1), Fraction(1, 2))
    )

    assert found.growth == Decimal("3.8")
    assert found.register == Decimal("103.3")


def test_half_a_step_goes_to_the_even_one() -> None:
    whole = Interval(START, START + DAY)

    assert estimate(Sample(whole, Decimal("0.25"), Fraction(1))).growth == Decimal("0.2")
    assert estimate(Sample(whole, Decimal("0.35"), Fraction(1))).growth == Decimal("0.4")


def test_an_estimate_passes_the_last_digit_as_the_counter_does() -> None:
    whole = Interval(START, START + DAY)

    assert estimate(Sample(whole, Decimal("0.7"), Fraction(1)), modulus="100").register == Decimal(
        "0.2"
    )


def test_between_two_readings_the_register_grows_with_time() -> None:
    known = Interval(START, START + 8 * DAY)

    found = estimate(interpolated(known, Decimal(16), START + 3 * DAY))

    assert found.growth == 6


def test_an_average_counts_by_how_much_is_missing() -> None:
    last = Interval(START - 30 * DAY, START)

    found = estimate(previous_average(last, Decimal(60), Interval(START, START + 31 * DAY)))

    assert found.growth == 62


def days_before(first: date, uses: list[int]) -> list[tuple[Interval, Decimal]]:
    days = [first + timedelta(days=n) for n in range(-len(uses), 0)]
    return [
        (
            Interval(local_midnight(day, BERLIN), local_midnight(day + DAY, BERLIN)),
            Decimal(use),
        )
        for day, use in zip(days, uses, strict=True)
    ]


def test_a_missing_day_is_the_mean_of_its_weekdays_before() -> None:
    monday = date(2026, 3, 2)
    known = days_before(monday, [1, 2, 3, 4, 5, 60, 70, 3, 2, 3, 4, 5, 80, 90])
    missing = Interval(local_midnight(monday, BERLIN), local_midnight(date(2026, 3, 3), BERLIN))

    assert estimate(*like_days(known, missing, BERLIN)).growth == 2


def test_a_day_of_23_hours_is_a_day_like_others() -> None:
    monday = date(2026, 3, 23)
    known = days_before(monday, [1, 2, 3, 4, 5, 6, 24])
    sunday = Interval(
        local_midnight(date(2026, 3, 29), BERLIN), local_midnight(date(2026, 3, 30), BERLIN)
    )
    assert sunday.length == timedelta(hours=23)

    assert estimate(*like_days(known, sunday, BERLIN)).growth == 24


def test_a_part_of_a_day_takes_its_part_of_the_mean() -> None:
    monday = date(2026, 3, 2)
    known = days_before(monday, [8, 2, 3, 4, 5, 6, 7])
    evening = local_midnight(monday, BERLIN) + timedelta(hours=18)
    missing = Interval(evening, evening + timedelta(hours=6))

    assert estimate(*like_days(known, missing, BERLIN)).growth == 2


def test_a_weekday_that_nobody_knows_is_no_estimate() -> None:
    monday = date(2026, 3, 2)
    known = days_before(monday, [6, 7])

    with pytest.raises(NoEstimateError, match="no Monday of the weeks before is known"):
        like_days(known, Interval(local_midnight(monday, BERLIN), START + 90 * DAY), BERLIN)


@given(
    uses=st.lists(st.integers(0, 1000), min_size=7, max_size=28),
    days=st.integers(1, 40),
)
def test_like_days_are_what_a_plain_sum_gives(uses: list[int], days: int) -> None:
    first = date(2026, 3, 16)
    known = days_before(first, uses)
    after = first + timedelta(days=days)
    missing = Interval(local_midnight(first, BERLIN), local_midnight(after, BERLIN))

    found = sum(
        (Fraction(each.quantity) * each.weight for each in like_days(known, missing, BERLIN)),
        Fraction(0),
    )

    by_weekday: dict[int, list[int]] = {}
    for n, use in enumerate(uses):
        by_weekday.setdefault((first - timedelta(days=len(uses) - n)).weekday(), []).append(use)
    oracle = Fraction(0)
    for n in range(days):
        alike = by_weekday[(first + timedelta(days=n)).weekday()]
        oracle += Fraction(sum(alike), len(alike))
    assert found == oracle
