"""A history with hindsight: what came later confirms or disproves a reading after a jump."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_counter import ENERGY, FIVE_DIGITS, QUARTER, START, every_quarter, judged, seen
from judged_counter import register as counter

from meters.archive.protocol import BOUNDARY_WINDOW
from meters.baseline import rebase
from meters.finding import AmbiguousRollover, FallingRegister, RolledOver, Unconfirmed
from meters.history import History
from meters.installation import Installation
from meters.interval import Interval
from meters.usage import is_unsettled, measure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from meters.meter_type import Register
    from meters.reading import Observation, Reading
    from meters.usage import Usage

OUTAGE = timedelta(days=3)


def later(after: timedelta, *values: str | int) -> list[Observation]:
    return [seen(value, after + index * QUARTER) for index, value in enumerate(values)]


def history(
    observations: Sequence[Observation], register: Register = ENERGY
) -> tuple[list[Reading], History]:
    readings = judged(observations, register)[0]
    return readings, History(register, readings)


def test_a_first_reading_that_later_ones_continue_is_confirmed() -> None:
    readings, found = history(every_quarter("100", "100.1", "100.2"))

    assert found.standing == readings
    assert all(found.confirms(each) for each in readings)


def test_a_first_reading_that_gave_way_is_disproved() -> None:
    readings, found = history(every_quarter("5000", "100", "100.1", "100.2", "100.3"))

    assert found.disproved == readings[:1]
    assert found.standing == readings[3:]
    assert [found.confirms(each) for each in readings] == [False, False, False, True, True]


def test_readings_that_nothing_settles_yet_stand_unconfirmed() -> None:
    readings, found = history(every_quarter("100", "100.1"))

    assert found.standing == readings
    assert not any(found.confirms(each) for each in readings)


def test_a_jump_before_anything_confirmed_the_first_leaves_it_unconfirmed() -> None:
    readings, found = history([*every_quarter("0"), *later(OUTAGE, "5000", "5000.1", "5000.2")])

    assert [found.confirms(each) for each in readings] == [False, True, True, True]


def test_a_zero_at_the_last_digit_is_disproved_and_a_rollover_is_confirmed() -> None:
    glitch = history(every_quarter(99_988, 99_989, 99_990, 0, 99_991), FIVE_DIGITS)
    turned = history(every_quarter(99_988, 99_989, 99_990, 0, 1, 2), FIVE_DIGITS)

    assert [each.value for each in glitch[1].disproved] == [0]
    assert turned[1].disproved == []
    assert turned[1].confirms(turned[0][3])


@pytest.mark.parametrize(
    ("at", "before", "after"),
    [
        (0 * QUARTER, "100", "100.1"),
        (timedelta(minutes=20), "100.1", "100.2"),
        (2 * QUARTER, "100.2", None),
        (2 * QUARTER + BOUNDARY_WINDOW, "100.2", None),
        (3 * QUARTER + BOUNDARY_WINDOW, None, None),
        (-QUARTER, None, "100"),
    ],
)
def test_a_boundary_lies_between_the_readings_that_stand(
    at: timedelta, before: str | None, after: str | None
) -> None:
    _, found = history(every_quarter("100", "100.1", "100.2"))

    boundary = found.boundary(START + at)

    shown = [None if e is None else e.value for e in (boundary.before, boundary.after)]
    assert shown == [None if e is None else Decimal(e) for e in (before, after)]


# --- what usage makes of it -----------------------------------------------------------------------


def used(
    observations: Sequence[Observation],
    register: Register = ENERGY,
    *,
    until: timedelta | None = None,
    with_history: bool = True,
) -> Usage:
    """Return the usage from the first to the last observation, the meter standing all the time."""
    readings, found = history(observations, register)
    interval = Interval(START, observations[-1].time if until is None else START + until)
    good = History(register, [r._replace(reasons=()) for r in readings])
    marked = {each.time: each for each in readings}

    def boundary(at: datetime) -> object:
        """Return what an archive answers: good readings, whatever came later."""
        near = good.boundary(at)
        return type(near)(
            at,
            near.before and marked[near.before.time],
            near.after and marked[near.after.time],
        )

    series = readings[0].series
    return measure(
        point="p-1",
        name=series.register,
        interval=interval,
        installations=[Installation("p-1", series.meter, "t", START - OUTAGE)],
        registers={"t": register},
        boundaries={
            (series.meter, at): boundary(at)  # type: ignore[misc] # the same type, made anew
            for at in (interval.start, interval.end)
        },
        histories={series.meter: found} if with_history else None,
    )


@pytest.mark.parametrize(
    ("values", "quantity"),
    [
        (("40482.83", "0.0", "40482.83", "0.0", "40484.52"), "1.69"),
        (("180.1", "180.2", "5000", "180.4"), "0.3"),
    ],
)
def test_nothing_is_booked_from_the_glitches_of_the_field(
    values: tuple[str, ...], quantity: str
) -> None:
    assert used(every_quarter(*values)).quantity == Decimal(quantity)


def test_a_rollover_counts_what_the_display_passed() -> None:
    usage = used(every_quarter(99_998, 99_998, 99_999, 0, 3, 4), FIVE_DIGITS)

    assert usage.quantity == 6
    assert RolledOver("m-1") in usage.findings


def test_an_opening_on_a_disproved_reading_is_not_booked() -> None:
    observations = every_quarter("0", "400", "400.1", "400.2", "400.3", "400.4")

    blind, seeing = used(observations, with_history=False), used(observations)

    assert blind.quantity is None
    assert any(isinstance(each, Unconfirmed) for each in blind.findings)
    assert is_unsettled(blind)
    assert seeing.quantity is None or seeing.quantity < 1


def test_an_opening_that_later_readings_confirm_counts() -> None:
    observations = every_quarter("400", "400.1", "400.2", "400.3")

    assert is_unsettled(used(observations, with_history=False))
    settled = used(observations)
    assert settled.quantity == Decimal("0.3")
    assert not is_unsettled(settled)


def test_a_closing_on_a_jump_that_nothing_confirms_yet_blocks() -> None:
    usage = used([*every_quarter("400", "400.1", "400.2"), *later(OUTAGE, "3000")])

    assert usage.quantity is None
    assert Unconfirmed("m-1", START + OUTAGE, Decimal(3000), START + OUTAGE) in usage.findings


def test_a_reset_that_a_person_confirmed_is_no_rollover() -> None:
    """Over 21 days five digits at 200 an hour can have turned; the readings say that they fell."""
    fast = counter(type="uint32", resolution=None, digits=5, max_rate=200)
    before = every_quarter(50_000, 50_001, 50_002)
    answered = rebase(START + 3 * QUARTER, Decimal(0))
    after = later(timedelta(days=22), 300, 301, 302)
    readings = judged(before, fast)[0]
    readings += judged([*later(4 * QUARTER, 1, 2, 3), *after], fast, answered)[0]
    interval = Interval(before[-1].time, after[-1].time)
    found = History(fast, readings)

    usage = measure(
        point="p-1",
        name="import_energy",
        interval=interval,
        installations=[Installation("p-1", "m-1", "t", START - OUTAGE)],
        registers={"t": fast},
        boundaries={("m-1", at): found.boundary(at) for at in (interval.start, interval.end)},
    )
    assert usage.findings[-1] == AmbiguousRollover("m-1", Decimal(50_002), Decimal(302))
    assert is_unsettled(usage)

    settled = measure(
        point="p-1",
        name="import_energy",
        interval=interval,
        installations=[Installation("p-1", "m-1", "t", START - OUTAGE)],
        registers={"t": fast},
        boundaries={},
        histories={"m-1": found},
    )
    assert settled.findings == (FallingRegister("m-1", Decimal(50_002), Decimal(302)),)


def test_more_than_one_turn_is_left_to_a_person() -> None:
    turned_twice = [
        seen(index * 24_000 % 100_000, index * timedelta(hours=240)) for index in range(10)
    ]

    usage = used(turned_twice, FIVE_DIGITS)

    assert usage.quantity is None
    assert any(isinstance(each, (AmbiguousRollover, Unconfirmed)) for each in usage.findings)


STEPS = st.lists(st.tuples(st.integers(600, 7200), st.integers(0, 60)), min_size=10, max_size=30)
GLITCHES = st.sampled_from(["0", "0.01", "99000", "250000", "-1", "12345678"])


@given(STEPS, st.data())
def test_usage_is_the_truth_or_blocked_wherever_glitches_come(
    steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    """A glitch may stand at either end, where the register that counts is read."""
    seconds, hundredths, truth = 0, 10_000_000, [seen("100000.00", timedelta(0))]
    for elapsed, percent in steps:
        seconds += elapsed
        hundredths += 75 * elapsed * percent // 3600
        truth.append(seen(Decimal(hundredths).scaleb(-2), timedelta(seconds=seconds)))
    noisy = list(truth)
    for index in data.draw(st.sets(st.sampled_from([0, 4, 8, len(truth) - 1]), min_size=1)):
        noisy[index] = noisy[index]._replace(value=Decimal(data.draw(GLITCHES)))
    # the meter goes on, so that what stands at the end can be confirmed
    end = truth[-1].time - START
    noisy += [truth[-1]._replace(time=START + end + n * QUARTER) for n in (1, 2, 3, 4)]

    usage = used(noisy, until=end)

    shown = {each.time: each.value for each in [*truth, *noisy[len(truth) :]]}
    if usage.quantity is not None:
        [segment] = usage.segments
        for register in (segment.opening, segment.closing):
            assert [r for r in register.readings if r.value != shown[r.time]] == []
