"""Two chains of readings: what persists asks a person; only what nothing confirmed gives way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_counter import (
    ENERGY,
    FIVE_DIGITS,
    QUARTER,
    RATE,
    SERIES,
    START,
    every_quarter,
    judged,
    register,
    seen,
    shown,
    verdicts,
)

from meters.baseline import Baseline, Rival, rebase
from meters.question import Cause, Question
from meters.reading import Reading, Reason, Verdict

if TYPE_CHECKING:
    from meters.reading import Observation

STEADY = ("100", "100.1", "100.2")
"""Three readings that agree: from here on, only a person ends what they say."""
OUTAGE = timedelta(days=3)


def asked(baseline: Baseline | None) -> Question | None:
    return None if baseline is None else Question.asked(SERIES, baseline)


def reasons(reading: Reading) -> set[str]:
    return set(map(str, reading.reasons))


def later(after: timedelta, *values: str) -> list[Observation]:
    """Return what was seen every quarter of an hour from `after` the start."""
    return [seen(value, after + index * QUARTER) for index, value in enumerate(values)]


# --- what persists --------------------------------------------------------------------------------


def test_a_reset_that_persists_asks_a_person_and_books_nothing() -> None:
    readings, baseline = judged(every_quarter(*STEADY, "0", "0.1", "0.2"))

    assert verdicts(readings) == ["good"] * 3 + ["falling"] * 3
    assert shown(baseline) == (START + 2 * QUARTER, Decimal("100.2"))
    question = asked(baseline)
    assert question is not None
    assert question.likely is Cause.RESET
    assert (question.known, question.first, question.value) == (
        Decimal("100.2"),
        Decimal(0),
        Decimal("0.2"),
    )
    assert (question.known_at, question.since) == (START + 2 * QUARTER, START + 3 * QUARTER)


@pytest.mark.parametrize("values", [("0",), ("0", "0.1"), ("0", "5000", "0", "5000")])
def test_a_glitch_asks_nobody(values: tuple[str, ...]) -> None:
    assert asked(judged(every_quarter(*STEADY, *values))[1]) is None


def test_three_readings_within_a_minute_do_not_persist() -> None:
    zeros = [seen("0", 3 * QUARTER + timedelta(seconds=each)) for each in (0, 20, 40)]

    assert asked(judged([*every_quarter(*STEADY), *zeros])[1]) is None


def test_a_question_ends_when_the_counter_goes_on_where_it_was() -> None:
    readings, baseline = judged(every_quarter(*STEADY, "0", "0", "0", "100.5"))

    assert verdicts(readings)[-1] == "good"
    assert asked(baseline) is None


@pytest.mark.parametrize(
    ("shown_now", "likely"),
    [
        ("0.3", Cause.RESET),
        ("57.2", Cause.EXCHANGE),
        ("4000", Cause.EXCHANGE),
        ("1002", Cause.MAP),
        ("0.1", Cause.MAP),
        ("100200.7", Cause.MAP),
        ("-100.2", Cause.MAP),
        ("2000000", Cause.EXCHANGE),  # one digit more than its type knows
    ],
)
def test_a_question_says_what_most_likely_happened(shown_now: str, likely: Cause) -> None:
    question = asked(judged(every_quarter(*STEADY, *[shown_now] * 3))[1])

    assert question is not None
    assert question.likely is likely
    assert "m-1" in str(question)
    assert "confirm what it shows" in str(question)


def test_an_answer_makes_the_next_reading_good() -> None:
    _, baseline = judged(every_quarter(*STEADY, "0", "0.1", "0.2"))
    question = asked(baseline)
    assert question is not None

    answered = rebase(question.since, question.first)
    readings, baseline = judged(later(6 * QUARTER, "0.3", "0.4"), baseline=answered)

    assert verdicts(readings) == ["good", "good"]
    assert asked(baseline) is None


def test_an_exchange_is_not_booked_when_time_makes_it_plausible() -> None:
    """4,900 kWh are plausible after 66 hours: but the counter did not grow, it was another one."""
    values = [str(5000 + index) for index in range(4 * 24 * 5)]

    readings, baseline = judged(every_quarter(*STEADY, *values))

    assert set(verdicts(readings[3:])) == {"rate", "unanswered"}
    assert shown(baseline) == (START + 2 * QUARTER, Decimal("100.2"))
    question = asked(baseline)
    assert question is not None
    assert question.readings == len(values)


def test_a_reset_counter_that_climbs_to_where_it_was_is_not_taken_for_the_old_one() -> None:
    values = [str(index) for index in range(150)]

    readings, _ = judged(every_quarter(*STEADY, *values))

    assert set(verdicts(readings[3:])) == {"falling", "unanswered"}


def test_after_zeros_and_an_outage_the_counter_goes_on_where_it_was() -> None:
    readings, _ = judged([*every_quarter(*STEADY, "0", "0", "0"), *later(OUTAGE, "130", "130.1")])

    assert verdicts(readings)[-2:] == ["good", "good"]


def test_after_one_zero_and_an_outage_whatever_was_counted_is_good() -> None:
    readings, _ = judged([*every_quarter(*STEADY, "0"), *later(OUTAGE, "2000", "2000.1")])

    assert verdicts(readings)[-2:] == ["good", "good"]


def test_a_spike_just_over_the_rate_asks_nobody() -> None:
    readings, baseline = judged(every_quarter(*STEADY, "125", "130", "135"))

    assert verdicts(readings)[3:] == ["rate", "good", "good"]
    assert asked(baseline) is None


def test_digits_that_the_type_does_not_know_ask_a_person() -> None:
    readings, baseline = judged(every_quarter(99_990, 99_991, 99_992, 100_001, 100_002, 100_003),
                                FIVE_DIGITS)  # fmt: skip

    assert verdicts(readings)[3:] == ["out-of-range"] * 3
    assert asked(baseline) is not None


# --- what nothing confirms ------------------------------------------------------------------------


def test_the_first_readings_are_good_and_say_that_nothing_confirms_them() -> None:
    readings, baseline = judged(every_quarter("100", "100.1", "100.2", "100.3"))

    assert [reasons(each) for each in readings] == [{"unconfirmed"}, {"unconfirmed"}, set(), set()]
    assert baseline is not None
    assert baseline.probation is None


@pytest.mark.parametrize("glitch", ["5000", "99999", "0"])
def test_a_first_reading_that_was_a_glitch_gives_way_to_three_that_agree(glitch: str) -> None:
    truth = ("4180.1", "4180.2", "4180.3", "4180.4")

    readings, baseline = judged(every_quarter(glitch, *truth))

    assert [each.verdict for each in readings[1:]] == [
        Verdict.SUSPECT,
        Verdict.SUSPECT,
        Verdict.GOOD,
        Verdict.GOOD,
    ]
    assert reasons(readings[3]) == {"restarted"}
    assert shown(baseline) == (START + 4 * QUARTER, Decimal("4180.4"))
    assert asked(baseline) is None


def test_a_register_that_a_person_recorded_is_confirmed() -> None:
    recorded = rebase(START - QUARTER, Decimal(100))

    readings, _ = judged(every_quarter("5000", "5000", "5000", "100.2"), baseline=recorded)

    assert verdicts(readings) == ["rate", "rate", "rate", "good"]
    assert reasons(readings[-1]) == set()


def test_the_first_readings_compare_with_what_was_recorded() -> None:
    recorded = rebase(START - QUARTER, Decimal(100))
    [reading], _ = judged(every_quarter("100.1"), baseline=recorded)

    assert (reading.verdict, reading.reasons) == (Verdict.GOOD, ())


def test_a_jump_after_an_outage_is_unconfirmed_and_what_was_before_stands_by() -> None:
    before = every_quarter(*STEADY)

    readings, baseline = judged([*before, *later(OUTAGE, "5000", "100.9", "101")])

    assert reasons(readings[3]) == {"unconfirmed"}
    assert reasons(readings[4]) == {"restarted"}
    assert verdicts(readings) == ["good"] * 6
    assert shown(baseline) == (START + OUTAGE + 2 * QUARTER, Decimal(101))


def test_a_jump_after_an_outage_that_goes_on_is_confirmed() -> None:
    readings, baseline = judged(
        [*every_quarter(*STEADY), *later(OUTAGE, "5000", "5000.1", "5000.2", "5000.3")]
    )

    assert [reasons(each) for each in readings[3:]] == [
        {"unconfirmed"},
        {"unconfirmed"},
        set(),
        set(),
    ]
    assert baseline is not None
    assert baseline.rival is None


def test_a_jump_after_a_jump_confirms_it() -> None:
    """A meter that is read once in three days, and busy, jumps each time."""
    jumps = [seen(value, (i + 1) * OUTAGE) for i, value in enumerate(("5000", "9000", "13000"))]

    readings, baseline = judged([*every_quarter(*STEADY), *jumps])

    assert [reasons(each) for each in readings[3:]] == [{"unconfirmed"}, {"unconfirmed"}, set()]
    assert shown(baseline) == (START + 3 * OUTAGE, Decimal(13_000))


def test_a_jump_does_not_confirm_the_first_reading() -> None:
    readings, _ = judged([*every_quarter("0"), *later(OUTAGE, "5000", "5000.1", "5000.2")])

    assert [reasons(each) for each in readings] == [*[{"unconfirmed"}] * 3, set()]


def test_a_meter_that_is_read_once_a_day_does_not_jump() -> None:
    days = [seen(str(100 + 300 * day), day * timedelta(days=1)) for day in range(10)]

    readings, _ = judged(days)

    assert [reasons(each) for each in readings[2:]] == [set()] * 8


def test_what_was_before_a_jump_stands_by_until_the_jump_is_confirmed() -> None:
    readings, _ = judged([*every_quarter(*STEADY), *later(OUTAGE, "5000", "5000.1", "100.9")])

    assert reasons(readings[-1]) == {"restarted"}


def test_two_glitches_in_a_row_after_an_outage_give_way_too() -> None:
    readings, baseline = judged(
        [*every_quarter(*STEADY), *later(OUTAGE, "5000", "9000", "100.9", "101", "101.1")]
    )

    assert verdicts(readings)[-1] == "good"
    assert shown(baseline) == (START + OUTAGE + 4 * QUARTER, Decimal("101.1"))


def test_what_is_out_of_range_never_replaces_an_unconfirmed_reading() -> None:
    readings, baseline = judged(every_quarter("100", "-1", "-1", "-1", "-1"))

    assert verdicts(readings) == ["good", *["out-of-range"] * 4]
    assert shown(baseline) == (START, Decimal(100))
    assert asked(baseline) is not None


# --- rollover -------------------------------------------------------------------------------------


def test_a_rollover_is_good_and_confirmed_by_what_follows() -> None:
    tenths = register(resolution="0.1", digits=6)

    readings, baseline = judged(
        every_quarter("99999.7", "99999.8", "99999.9", "0.3", "0.4", "0.5"), tenths
    )

    assert verdicts(readings) == ["good"] * 6
    assert reasons(readings[3]) == {"rollover", "unconfirmed"}
    assert reasons(readings[5]) == set()
    assert baseline is not None
    assert baseline.rival is None


def test_a_zero_shortly_before_the_last_digit_is_no_rollover() -> None:
    readings, baseline = judged(every_quarter(99_988, 99_989, 99_990, 0, 99_991, 99_992),
                                FIVE_DIGITS)  # fmt: skip

    assert verdicts(readings) == ["good"] * 6
    assert reasons(readings[3]) == {"rollover", "unconfirmed"}
    assert reasons(readings[4]) == {"restarted"}
    assert shown(baseline) == (START + 5 * QUARTER, Decimal(99_992))


def test_a_fall_after_time_enough_for_a_whole_turn_asks_a_person() -> None:
    """100 an hour turn five digits in 1,000 hours: after that, no fall says how often it did."""
    before = [seen(each, index * QUARTER) for index, each in enumerate((50_000, 50_001, 50_002))]
    outage = timedelta(hours=1_001)

    readings, baseline = judged([*before, *later(outage, "300", "301", "302")], FIVE_DIGITS)

    assert verdicts(readings)[3:] == ["ambiguous"] * 3
    assert shown(baseline) == (START + 2 * QUARTER, Decimal(50_002))
    assert asked(baseline) is not None


@pytest.mark.parametrize(("hours", "verdict"), [(99, "good"), (1_000, "ambiguous")])
def test_a_fall_is_a_rollover_until_a_whole_turn_is_possible(hours: int, verdict: str) -> None:
    counted = [seen(99_000, timedelta(0)), seen(200, timedelta(hours=hours))]

    assert verdicts(judged(counted, FIVE_DIGITS)[0])[1] == verdict


# --- whatever comes -------------------------------------------------------------------------------

TRUTH = st.lists(st.tuples(st.integers(300, 7_200), st.integers(0, 50)), min_size=12, max_size=30)
"""Seconds since the last reading, and which percentage of what it could count the meter counted."""
GLITCHES = st.sampled_from([None, "0", "0.01", "-1", "150000", "600000", "999999.99", "12345678"])


def counted(steps: list[tuple[int, int]]) -> list[Observation]:
    seconds, hundredths, found = 0, 30_000_000, [seen("300000.00", timedelta(0))]
    for elapsed, percent in steps:
        seconds += elapsed
        hundredths += RATE * elapsed * percent // 3600
        found.append(seen(Decimal(hundredths).scaleb(-2), timedelta(seconds=seconds)))
    return found


@given(TRUTH, st.data())
def test_nothing_is_booked_from_a_glitch_wherever_it_comes(
    steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    """A glitch in place of any reading, the first one too, as long as each run of them is short."""
    truth = counted(steps)
    noisy, glitched = [], set[int]()
    for index, observation in enumerate(truth):
        alone = (
            index - 1 not in glitched and index - 2 not in glitched and index - 3 not in glitched
        )
        if alone and data.draw(st.integers(0, 4)) == 0:
            glitched.add(index)
            value = data.draw(GLITCHES)
            noisy.append(observation._replace(value=None if value is None else Decimal(value)))
        else:
            noisy.append(observation)

    readings, baseline = judged(noisy)

    true = {each.time: each.value for each in truth}
    confirmed = [
        r for r in readings if r.verdict is Verdict.GOOD and "unconfirmed" not in r.reasons
    ]
    assert [r for r in confirmed if r.value != true[r.time]] == []
    assert baseline is not None
    assert baseline.value in true.values()


@given(TRUTH, st.lists(st.integers(0, 40), max_size=10))
def test_readings_that_come_twice_change_nothing(
    steps: list[tuple[int, int]], again: list[int]
) -> None:
    truth = counted(steps)
    _, once = judged(truth)

    _, twice = judged(
        [each for index, each in enumerate(truth) for _ in range(again.count(index) + 1)]
    )

    assert twice == once


def test_a_suspect_reading_that_comes_again_late_changes_nothing() -> None:
    observations = every_quarter(*STEADY, "0", "0.1")
    _, once = judged(observations)

    [again], twice = judged([observations[3]], baseline=once)

    assert verdicts([again]) == ["falling"]
    assert twice == once


@given(TRUTH, st.lists(GLITCHES, min_size=1, max_size=5))
def test_judging_a_batch_again_leaves_the_same_baseline(
    steps: list[tuple[int, int]], glitches: list[str | None]
) -> None:
    truth = counted(steps)
    end = truth[-1].time - START
    batch = [*truth, *later(end + QUARTER, *[each or "0" for each in glitches])]
    _, baseline = judged(batch)

    assert judged(batch, baseline=baseline)[1] == baseline


@given(TRUTH, st.integers(4, 20))
def test_a_reset_is_never_booked_however_long_nobody_answers(
    steps: list[tuple[int, int]], readings: int
) -> None:
    truth = counted(steps)
    end = truth[-1].time - START
    reset = later(end + QUARTER, *[str(index) for index in range(readings)])
    _, known = judged(truth)

    found, baseline = judged([*truth, *reset])

    assert {each.verdict for each in found[len(truth) :]} == {Verdict.SUSPECT}
    assert shown(baseline) == shown(known)
    assert asked(baseline) is not None


def test_a_rival_is_kept_with_its_baseline() -> None:
    _, baseline = judged(every_quarter(*STEADY, "0", "0.1"))

    assert baseline == Baseline(
        START + 2 * QUARTER,
        Decimal("100.2"),
        START + 2 * QUARTER,
        Rival(START + 3 * QUARTER, Decimal(0), START + 4 * QUARTER, Decimal("0.1"), 2),
    )


def test_no_reading_is_suspect_without_a_reason() -> None:
    readings, _ = judged(every_quarter("1", "5", None, "99", "3", "800000", "-4", "7"), ENERGY)

    assert all(each.reasons for each in readings if each.verdict is not Verdict.GOOD)
    assert {reason for each in readings for reason in each.reasons} <= set(Reason)
