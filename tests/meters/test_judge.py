"""The judge: a glitch never becomes the baseline, and whatever is plausible passes."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_counter import (
    ENERGY,
    FIVE_DIGITS,
    QUARTER,
    RATE,
    START,
    every_quarter,
    judged,
    register,
    seen,
    shown,
    verdicts,
)

from meters.baseline import Baseline, from_text, to_text
from meters.growth import growth, plausible_growth
from meters.judge import judge
from meters.meter_type import Kind, Register
from meters.reading import Observation, Reading, Reason, Verdict


def grown(readings: list[Reading]) -> Decimal:
    good = [r.value for r in readings if r.verdict is Verdict.GOOD and r.value is not None]
    return good[-1] - good[0]


def after(opening: str, closing: str, elapsed: timedelta, counter: Register = ENERGY) -> Reading:
    """Return the judged second of two readings."""
    return judged([seen(opening, timedelta(0)), seen(closing, elapsed)], counter)[0][1]


# --- sequences from the field --------------------------------------------------------------------


def test_zeros_between_readings_are_suspect_and_count_nothing() -> None:
    readings, baseline = judged(every_quarter("40482.83", "0.0", "40482.83", "0.0", "40484.52"))

    assert verdicts(readings) == ["good", "falling", "good", "falling", "good"]
    assert [reading.verdict for reading in readings].count(Verdict.SUSPECT) == 2
    assert grown(readings) == Decimal("1.69")
    assert shown(baseline) == (START + 4 * QUARTER, Decimal("40484.52"))


def test_the_plausible_counter_of_another_device_is_suspect() -> None:
    readings, baseline = judged(every_quarter("180.1", "180.2", "5000", "180.4"))

    assert verdicts(readings) == ["good", "good", "rate", "good"]
    assert grown(readings) == Decimal("0.3")
    assert baseline is not None
    assert baseline.value == Decimal("180.4")


def test_a_glitch_that_stays_is_suspect_each_time() -> None:
    readings, baseline = judged(
        every_quarter("180", "180", "180.1", "5000", "5000.1", "5000.2", "180.4")
    )

    assert verdicts(readings) == ["good", "good", "good", "rate", "rate", "rate", "good"]
    assert baseline is not None
    assert baseline.value == Decimal("180.4")


def test_a_meter_that_stands_still_is_good() -> None:
    assert verdicts(judged(every_quarter("5", "5", "5.00", "5.0"))[0]) == ["good"] * 4


def test_a_reading_keeps_what_was_observed() -> None:
    observation = seen("180.1", QUARTER)

    reading, baseline = judge(observation, ENERGY, None)

    assert (reading.series, reading.time) == (observation.series, observation.time)
    assert (reading.value, reading.raw) == (observation.value, observation.raw)
    assert (reading.verdict, reading.reasons) == (Verdict.GOOD, (Reason.UNCONFIRMED,))
    assert shown(baseline) == (observation.time, Decimal("180.1"))


# --- how fast a meter can count ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elapsed", "closing", "verdict"),
    [
        # 36 kWh an hour are 0.01 a second; a minute of grace, and one step of the display
        (timedelta(0), "100.61", "good"),
        (timedelta(0), "100.62", "rate"),
        (timedelta(seconds=1), "100.62", "good"),
        (timedelta(minutes=10), "106.61", "good"),
        (timedelta(minutes=10), "106.62", "rate"),
        (timedelta(hours=1), "136.61", "good"),
        (timedelta(hours=1), "136.62", "rate"),
        (timedelta(days=31), "26884.61", "good"),
        (timedelta(days=31), "26884.62", "rate"),
    ],
)
def test_growth_is_limited_by_the_rate_over_the_elapsed_time(
    elapsed: timedelta, closing: str, verdict: str
) -> None:
    assert verdicts([after("100", closing, elapsed, register(max_rate=36))]) == [verdict]


def test_after_an_outage_what_was_counted_meanwhile_is_good() -> None:
    readings, _ = judged([seen("100", timedelta(0)), seen("5000", timedelta(days=3))])

    assert verdicts(readings) == ["good", "good"]


@given(st.integers(0, 10**7), st.integers(1, 1000), st.sampled_from(["0.01", "0.1", "1"]))
def test_the_limit_is_rate_times_time_and_one_step(seconds: int, rate: int, step: str) -> None:
    limit = plausible_growth(register(max_rate=rate, resolution=step), timedelta(seconds=seconds))

    assert limit is not None
    exact = Fraction(rate * (seconds + 60), 3600) + Fraction(step)
    assert abs(Fraction(limit) - exact) < Fraction(1, 10**12)


def test_a_register_without_a_rate_has_no_limit() -> None:
    free = register(kind="partial", max_rate=None)

    assert plausible_growth(free, QUARTER) is None
    assert growth(free, Decimal(0), Decimal(10**6), QUARTER) == 10**6
    assert growth(free, Decimal(1), Decimal(0), QUARTER) is Reason.FALLING


# --- rollover ------------------------------------------------------------------------------------


def test_a_rollover_counts_every_unit() -> None:
    assert growth(FIVE_DIGITS, Decimal(99990), Decimal(15), timedelta(hours=1)) == 25
    assert growth(FIVE_DIGITS, Decimal(99999), Decimal(0), timedelta(hours=1)) == 1


def test_a_plausible_rollover_is_good_says_so_and_moves_the_baseline() -> None:
    readings, baseline = judged(
        [seen(99990, timedelta(0)), seen(15, timedelta(hours=1)), seen(20, timedelta(hours=2))],
        FIVE_DIGITS,
    )

    assert verdicts(readings) == ["good", "good", "good"]
    assert readings[1].reasons == (Reason.ROLLOVER, Reason.UNCONFIRMED)
    assert shown(baseline) == (START + timedelta(hours=2), Decimal(20))


@pytest.mark.parametrize(
    ("opening", "closing"), [("99000", "15"), ("50000", "49999"), ("99990", "200"), ("15", "0")]
)
def test_a_fall_that_no_rollover_explains_is_suspect(opening: str, closing: str) -> None:
    assert after(opening, closing, timedelta(hours=1), FIVE_DIGITS).reasons == (Reason.FALLING,)


def test_a_fall_of_a_register_without_digits_is_never_a_rollover() -> None:
    free = register(digits=None)

    assert after("999999.99", "0.01", timedelta(hours=1), free).reasons == (Reason.FALLING,)


@given(
    st.integers(0, 99_999),
    st.integers(0, 99_999),
    st.integers(0, 2_000_000),
)
def test_growth_is_the_one_that_the_display_and_the_rate_allow(
    opening: int, closing: int, seconds: int
) -> None:
    limit = Fraction(100 * (seconds + 60), 3600) + 1
    expected: int | Reason
    if closing >= opening:
        expected = closing - opening if closing - opening <= limit else Reason.RATE
    else:
        turned = closing + 100_000 - opening
        expected = turned if turned <= limit else Reason.FALLING

    elapsed = timedelta(seconds=seconds)

    assert growth(FIVE_DIGITS, Decimal(opening), Decimal(closing), elapsed) == expected


# --- range, gauges, what is no value -------------------------------------------------------------


@pytest.mark.parametrize("value", ["-0.01", "-5", "1000000", "1000000.01", "99999999"])
def test_a_counter_beyond_its_digits_or_below_zero_is_suspect(value: str) -> None:
    [reading], baseline = judged([seen(value, timedelta(0))])

    assert (reading.verdict, reading.reasons) == (Verdict.SUSPECT, (Reason.OUT_OF_RANGE,))
    assert baseline is None


@pytest.mark.parametrize("value", ["0", "-0.00", "999999.99"])
def test_every_value_of_the_display_may_be_the_first(value: str) -> None:
    assert verdicts(judged([seen(value, timedelta(0))])[0]) == ["good"]


@pytest.mark.parametrize("kind", [Kind.GAUGE, Kind.PARTIAL])
def test_gauges_and_resettable_counters_move_either_way(kind: Kind) -> None:
    readings, _ = judged(every_quarter("230", "-5", "1e9", "0", "229"), register(kind=kind))

    assert verdicts(readings) == ["good"] * 5


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("fault", [Reason.SENTINEL, Reason.NOT_A_NUMBER, Reason.OUT_OF_RANGE, None])
def test_what_holds_no_value_is_invalid_and_moves_nothing(kind: Kind, fault: Reason | None) -> None:
    before = Baseline(START, Decimal(100))

    reading, baseline = judge(seen(None, QUARTER, fault), register(kind=kind), before)

    assert reading.verdict is Verdict.INVALID
    assert reading.reasons == (fault or Reason.NOT_A_NUMBER,)
    assert baseline is before


# --- late readings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("100", "good"),
        ("99.5", "good"),
        ("100.01", "late"),  # more than the counter shows now
        ("5000", "late"),
        ("0", "late"),  # it cannot have counted 100 in a quarter of an hour
    ],
)
def test_a_late_reading_is_good_where_it_leads_to_the_baseline(value: str, verdict: str) -> None:
    readings, baseline = judged([seen("100", 2 * QUARTER), seen(value, QUARTER)])

    assert verdicts(readings)[1] == verdict
    assert shown(baseline) == (START + 2 * QUARTER, Decimal(100))


def test_a_late_reading_from_before_a_rollover_is_good() -> None:
    readings, baseline = judged(
        [seen(15, timedelta(hours=1)), seen(99990, timedelta(0))], FIVE_DIGITS
    )

    assert verdicts(readings) == ["good", "good"]
    assert shown(baseline) == (START + timedelta(hours=1), Decimal(15))


def test_a_second_reading_at_the_same_time_does_not_move_the_baseline() -> None:
    readings, baseline = judged([seen("100", QUARTER), seen("100.5", QUARTER)])

    assert verdicts(readings) == ["good", "good"]
    assert shown(baseline) == (START + QUARTER, Decimal(100))


# --- whatever comes ------------------------------------------------------------------------------

VALUES = st.none() | st.decimals(-1000, 2_000_000, places=2) | st.decimals(100, 200, places=2)
OBSERVATIONS = st.lists(
    st.builds(
        lambda value, quarters: seen(value, quarters * QUARTER), VALUES, st.integers(0, 1000)
    ),
    max_size=30,
)


@given(OBSERVATIONS)
def test_the_baseline_is_always_a_good_reading_and_never_goes_back(
    observations: list[Observation],
) -> None:
    baseline: Baseline | None = None
    good: list[tuple[datetime, Decimal | None]] = []
    for observation in observations:
        before = baseline
        reading, baseline = judge(observation, ENERGY, before)
        if reading.verdict is Verdict.GOOD:
            good.append((reading.time, reading.value))
        else:
            assert shown(baseline) == shown(before)
            assert reading.reasons
        if baseline is not None:
            assert (baseline.time, baseline.value) in good
            assert baseline.time == max(time for time, _ in good)
            assert before is None or baseline.time >= before.time
            assert from_text(to_text(baseline)) == baseline


TRUTH = st.lists(st.tuples(st.integers(60, 86_400), st.integers(0, 100)), min_size=1, max_size=15)
"""Seconds since the last reading, and which percentage of what it could count the meter counted."""


def counter(steps: list[tuple[int, int]]) -> list[Observation]:
    """Return what a sound meter shows: it starts at 300,000 kWh and never counts too fast."""
    seconds, hundredths = 0, 30_000_000
    shown = [seen("300000.00", timedelta(0))]
    for elapsed, percent in steps:
        seconds += elapsed
        hundredths += RATE * elapsed * percent // 3600
        shown.append(seen(Decimal(hundredths).scaleb(-2), timedelta(seconds=seconds)))
    return shown


GLITCHES = st.sampled_from(
    [None, "0", "0.01", "-1", "1000", "200000", "600000", "999999.99", "12345678"]
)


@given(TRUTH, st.data())
def test_no_glitch_changes_what_a_sound_meter_counted(
    steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    truth = counter(steps)
    noisy: list[Observation] = [truth[0]]
    for observation in truth[1:]:
        shortly_before = observation.time - START - timedelta(seconds=1)
        glitches = data.draw(st.lists(GLITCHES, max_size=2))
        noisy += [*(seen(glitch, shortly_before) for glitch in glitches), observation]

    readings, baseline = judged(noisy)

    good = [reading.value for reading in readings if reading.verdict is Verdict.GOOD]
    assert good == [observation.value for observation in truth]
    assert baseline is not None
    assert (baseline.time, baseline.value) == (truth[-1].time, good[-1])


@given(TRUTH, st.randoms())
def test_readings_that_come_again_or_out_of_order_are_good_and_change_nothing(
    steps: list[tuple[int, int]], chance: Any
) -> None:
    truth = counter(steps)
    first, *rest = truth
    again = [*rest, *chance.choices(truth, k=5)]
    chance.shuffle(again)

    readings, baseline = judged([first, *again])

    assert verdicts(readings) == ["good"] * len(readings)
    assert shown(baseline) == shown(judged(truth)[1])
