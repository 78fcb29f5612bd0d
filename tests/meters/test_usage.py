"""Usage: a difference of registers that tiles time, or a finding that blocks; never a guess."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meters.archive.protocol import BOUNDARY_WINDOW, Boundary
from meters.finding import (
    AmbiguousRollover,
    CoarseRegister,
    Exchanged,
    FallingRegister,
    Finding,
    ImplausibleGrowth,
    Interpolated,
    MissingRegister,
    NotABillingRegister,
    NotInstalled,
    Overlapping,
    RatioChanged,
    Rescaled,
    RolledOver,
    Unconfirmed,
    VerificationExpired,
)
from meters.installation import Installation, Ratio
from meters.interval import Interval
from meters.meter_type import Register
from meters.reading import Reading, Series, Verdict
from meters.register_at import TOLERANCE, RegisterAt, Source, register_at
from meters.usage import Usage, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NAME = "import_energy"
MODULUS = 100_000


def counter(**changes: Any) -> Register:
    """Return a counter of five whole digits that counts at most 200 an hour."""
    document = {
        "kind": "total",
        "unit": "kWh",
        "address": 0,
        "type": "uint32",
        "digits": 5,
        "max_rate": 200,
    }
    return Register.model_validate({**document, **changes})


COUNTER = counter()


def reading(value: int | str, at: timedelta, meter: str = "old") -> Reading:
    return Reading(Series(meter, NAME), START + at, Decimal(value), "0000 0000", Verdict.GOOD)


def boundary(readings: Sequence[Reading], at: datetime) -> Boundary:
    """Return what an archive that holds `readings` of one meter answers for `at`."""
    ordered = sorted(readings, key=lambda each: each.time)
    near = [each for each in ordered if abs(each.time - at) <= BOUNDARY_WINDOW]
    before = [each for each in near if each.time <= at]
    after = [each for each in near if each.time > at]
    return Boundary(at, before[-1] if before else None, after[0] if after else None)


@dataclass
class Place:
    """A metering point with the meters that stood there, and what they reported."""

    installations: list[Installation]
    readings: list[Reading] = field(default_factory=list)
    register: Register = COUNTER

    def usage(self, first: timedelta, after: timedelta, issued: RegisterAt | None = None) -> Usage:
        interval = Interval(START + first, START + after)
        meters = {each.meter for each in self.installations}
        changes = [ratio.since for each in self.installations for ratio in each.ratios]
        return measure(
            point="p-1",
            name=NAME,
            interval=interval,
            installations=self.installations,
            registers={"t": self.register},
            boundaries={
                (meter, at): boundary([r for r in self.readings if r.series.meter == meter], at)
                for meter in meters
                for at in (interval.start, interval.end, *changes)
            },
            issued=issued,
        )


def installed(
    meter: str = "old",
    start: timedelta = -DAY,
    end: timedelta | None = None,
    **more: Any,
) -> Installation:
    for end_register in ("first", "last"):
        if end_register in more:
            more[end_register] = {NAME: Decimal(more[end_register])}
    return Installation(
        "p-1", meter, "t", START + start, None if end is None else START + end, **more
    )


def standing(*readings: Reading, **more: Any) -> Place:
    """Return a place where one meter stands all the time."""
    register = more.pop("register", COUNTER)
    return Place([installed(**more)], list(readings), register)


def kinds(usage: Usage) -> list[type[Finding]]:
    return [type(finding) for finding in usage.findings]


# --- one meter -----------------------------------------------------------------------------------


def test_usage_is_the_difference_of_the_registers_at_both_ends() -> None:
    place = standing(reading(1000, 0 * DAY), reading(1500, 30 * DAY))

    usage = place.usage(0 * DAY, 30 * DAY)

    assert (usage.point, usage.register, usage.unit) == ("p-1", NAME, "kWh")
    assert usage.quantity == 500
    assert usage.findings == ()
    [segment] = usage.segments
    assert [segment.opening.value, segment.closing.value, segment.growth] == [1000, 1500, 500]
    assert segment.opening.source is segment.closing.source is Source.READ
    assert segment.modulus == MODULUS
    assert usage.closing == segment.closing


def test_a_meter_that_stood_still_used_nothing_and_is_not_blocked() -> None:
    usage = standing(reading(1000, 0 * DAY), reading(1000, 30 * DAY)).usage(0 * DAY, 30 * DAY)

    assert usage.quantity == 0
    assert usage.findings == ()


def test_the_multiplier_multiplies_the_difference_exactly() -> None:
    place = standing(reading(1000, 0 * DAY), reading(1003, 30 * DAY), multiplier=Decimal("37.5"))

    assert place.usage(0 * DAY, 30 * DAY).quantity == Decimal("112.5")


def test_five_digits_that_turn_over_through_a_transformer() -> None:
    place = standing(reading(99_990, 0 * DAY), reading(15, DAY), multiplier=Decimal(40))

    usage = place.usage(0 * DAY, DAY)

    assert usage.quantity == 1_000
    assert usage.findings == (RolledOver("old"),)


@pytest.mark.parametrize("closing", ["999", "0"])
def test_a_register_that_fell_blocks(closing: str) -> None:
    usage = standing(reading(1000, 0 * DAY), reading(closing, DAY)).usage(0 * DAY, DAY)

    assert usage.quantity is None
    assert usage.segments == ()
    assert usage.closing is None
    assert usage.findings == (FallingRegister("old", Decimal(1000), Decimal(closing)),)


def test_a_register_that_grew_faster_than_it_can_blocks() -> None:
    usage = standing(reading(1000, 0 * DAY), reading(9000, DAY)).usage(0 * DAY, DAY)

    assert usage.quantity is None
    assert usage.findings == (ImplausibleGrowth("old", Decimal(1000), Decimal(9000)),)


# --- what is not known ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("readings", "missing"),
    [
        ([], [0, 30]),
        ([(1000, 0)], [30]),
        ([(1500, 30)], [0]),
        ([(1000, 0), (1500, 29)], [30]),
    ],
)
def test_a_register_that_nobody_read_blocks_and_is_never_zero(
    readings: list[tuple[int, int]], missing: list[int]
) -> None:
    place = standing(*(reading(value, day * DAY) for value, day in readings))

    usage = place.usage(0 * DAY, 30 * DAY)

    assert usage.quantity is None
    assert usage.closing is None
    assert usage.findings == tuple(MissingRegister("old", START + day * DAY) for day in missing)


def test_a_boundary_that_nobody_asked_for_blocks() -> None:
    usage = measure(
        point="p-1",
        name=NAME,
        interval=Interval(START, START + DAY),
        installations=[installed()],
        registers={"t": COUNTER},
        boundaries={},
    )

    assert usage.quantity is None
    assert kinds(usage) == [MissingRegister, MissingRegister]


def test_the_first_reading_of_a_meter_never_bills_its_whole_register() -> None:
    place = Place([installed(start=5 * DAY)], [reading(84_321, 5 * DAY), reading(84_400, 30 * DAY)])

    usage = place.usage(5 * DAY, 30 * DAY)

    assert usage.quantity is None
    assert usage.findings == (MissingRegister("old", START + 5 * DAY),)


def test_a_meter_counts_from_the_register_that_was_recorded_when_it_came() -> None:
    place = Place([installed(start=5 * DAY, first=84_321)], [reading(84_400, 30 * DAY)])

    usage = place.usage(5 * DAY, 30 * DAY)

    assert usage.quantity == 79
    assert usage.segments[0].opening == RegisterAt(
        "old", START + 5 * DAY, Decimal(84_321), Source.RECORDED
    )


def test_a_register_recorded_under_another_name_does_not_count() -> None:
    meter = Installation("p-1", "old", "t", START, first={"export_energy": Decimal(5)})

    assert kinds(Place([meter], [reading(9, DAY)]).usage(0 * DAY, DAY)) == [MissingRegister]


def test_time_without_a_meter_blocks_and_says_from_when_to_when() -> None:
    place = Place(
        [
            installed("old", 2 * DAY, 5 * DAY, first=0, last=10),
            installed("new", 6 * DAY, 8 * DAY, first=0, last=10),
        ]
    )

    usage = place.usage(0 * DAY, 10 * DAY)

    assert usage.quantity is None
    assert [f for f in usage.findings if isinstance(f, NotInstalled)] == [
        NotInstalled(Interval(START + first * DAY, START + after * DAY))
        for first, after in ((0, 2), (5, 6), (8, 10))
    ]


def test_a_point_where_no_meter_stood_in_the_interval_is_blocked() -> None:
    place = Place([installed(start=20 * DAY, first=0)])

    usage = place.usage(0 * DAY, 10 * DAY)

    assert usage.quantity is None
    assert usage.findings == (NotInstalled(Interval(START, START + 10 * DAY)),)


def test_two_meters_at_the_same_time_block_instead_of_billing_twice() -> None:
    place = Place(
        [
            installed("old", -DAY, 6 * DAY, last=1300),
            installed("new", 5 * DAY, first=0),
        ],
        [reading(1000, 0 * DAY), reading(200, 10 * DAY, "new")],
    )

    usage = place.usage(0 * DAY, 10 * DAY)

    assert usage.quantity is None
    both = Interval(START + 5 * DAY, START + 6 * DAY)
    assert Overlapping("old", "new", both) in usage.findings


def test_a_meter_inside_the_time_of_another_leaves_no_gap_behind_it() -> None:
    place = Place(
        [installed("old", -DAY), installed("new", 5 * DAY, 6 * DAY, first=0, last=9)],
        [reading(1000, 0 * DAY), reading(1200, 10 * DAY)],
    )

    usage = place.usage(0 * DAY, 10 * DAY)

    assert usage.quantity is None
    assert kinds(usage).count(Overlapping) == 1
    assert NotInstalled not in kinds(usage)


# --- exchange ------------------------------------------------------------------------------------


def exchange(**new: Any) -> Place:
    """Return a place whose meter was exchanged on the tenth day."""
    return Place(
        [
            installed("new", 10 * DAY, first=7, **new),
            installed("old", -DAY, 10 * DAY, last=1_200, multiplier=Decimal(40)),
        ],
        [reading(1_000, 0 * DAY), reading(107, 30 * DAY, "new")],
    )


def test_an_exchange_counts_each_meter_by_its_own_registers_and_multiplier() -> None:
    usage = exchange(multiplier=Decimal(60)).usage(0 * DAY, 30 * DAY)

    assert [segment.quantity for segment in usage.segments] == [200 * 40, 100 * 60]
    assert usage.quantity == 14_000
    assert usage.findings == (Exchanged(START + 10 * DAY, "old", "new"),)
    assert usage.closing == usage.segments[1].closing


def test_an_exchange_without_the_last_register_blocks() -> None:
    place = exchange()
    place.installations[1] = installed("old", -DAY, 10 * DAY)

    usage = place.usage(0 * DAY, 30 * DAY)

    assert usage.quantity is None
    assert MissingRegister("old", START + 10 * DAY) in usage.findings


def test_a_meter_that_was_exchanged_before_or_comes_after_does_not_count() -> None:
    place = exchange()
    place.readings.append(reading(57, 20 * DAY, "new"))

    assert place.usage(20 * DAY, 30 * DAY).quantity == 50
    assert place.usage(0 * DAY, 10 * DAY).quantity == 200 * 40


def test_a_reading_beside_a_boundary_does_not_make_full_load_implausible() -> None:
    place = standing(reading(1000, -14 * MINUTE), reading(1293, HOUR + 14 * MINUTE))

    assert place.usage(0 * HOUR, HOUR).quantity == 293


# --- dated ratios, verification, coarse registers -------------------------------------------------


def changed(at: timedelta, **more: Any) -> Ratio:
    if "shown" in more:
        more["shown"] = {NAME: Decimal(more["shown"])}
    return Ratio(START + at, Decimal(60), **more)


def test_a_ratio_that_changes_splits_the_use_at_the_reading_of_that_moment() -> None:
    place = Place(
        [installed(multiplier=Decimal(40), ratios=(changed(10 * DAY),))],
        [reading(1000, 0 * DAY), reading(1100, 10 * DAY), reading(1250, 30 * DAY)],
    )

    usage = place.usage(0 * DAY, 30 * DAY)

    assert [each.quantity for each in usage.segments] == [100 * 40, 150 * 60]
    assert usage.quantity == 13_000
    assert usage.segments[0].closing == usage.segments[1].opening
    assert usage.findings == (RatioChanged(START + 10 * DAY, "old", Decimal(40), Decimal(60)),)


def test_a_ratio_that_changes_counts_from_the_register_that_was_recorded() -> None:
    place = Place(
        [installed(ratios=(changed(10 * DAY, shown=1090, photo="2026/ct-7.jpg"),))],
        [reading(1000, 0 * DAY), reading(1100, 10 * DAY), reading(1250, 30 * DAY)],
    )

    usage = place.usage(0 * DAY, 30 * DAY)

    assert [each.quantity for each in usage.segments] == [90, 160 * 60]
    split = usage.segments[0].closing
    assert (split.source, split.photo) == (Source.RECORDED, "2026/ct-7.jpg")


def test_a_ratio_whose_register_nobody_knows_blocks() -> None:
    place = Place(
        [installed(ratios=(changed(10 * DAY),))],
        [reading(1000, 0 * DAY), reading(1250, 30 * DAY)],
    )

    usage = place.usage(0 * DAY, 30 * DAY)

    assert usage.quantity is None
    assert MissingRegister("old", START + 10 * DAY) in usage.findings


@pytest.mark.parametrize(
    ("first", "after", "quantity"),
    [(0, 10, 100 * 40), (10, 30, 150 * 60), (0, 30, 13_000), (20, 30, 50 * 60)],
)
def test_each_part_of_time_is_multiplied_by_the_ratio_of_its_time(
    first: int, after: int, quantity: int
) -> None:
    shown = [(1000, 0), (1100, 10), (1200, 20), (1250, 30)]
    place = Place(
        [installed(multiplier=Decimal(40), ratios=(changed(10 * DAY),))],
        [reading(value, day * DAY) for value, day in shown],
    )

    assert place.usage(first * DAY, after * DAY).quantity == quantity


@pytest.mark.parametrize(
    ("expires", "told"), [(-DAY, True), (29 * DAY, True), (30 * DAY, False), (31 * DAY, False)]
)
def test_a_meter_whose_verification_has_expired_is_told_and_billed(
    expires: timedelta, *, told: bool
) -> None:
    place = standing(
        reading(1000, 0 * DAY), reading(1500, 30 * DAY), verified_until=START + expires
    )

    usage = place.usage(0 * DAY, 30 * DAY)

    assert usage.quantity == 500
    expected = (VerificationExpired("old", START + expires),) if told else ()
    assert usage.findings == expected


def test_the_photo_of_a_recorded_register_is_kept() -> None:
    place = exchange()
    place.installations = [
        replace(each, first_photo=f"{each.meter}-in.jpg", last_photo=f"{each.meter}-out.jpg")
        for each in place.installations
    ]

    old, new = place.usage(0 * DAY, 30 * DAY).segments

    assert [old.opening.photo, old.closing.photo] == [None, "old-out.jpg"]
    assert [new.opening.photo, new.closing.photo] == ["new-in.jpg", None]


@pytest.mark.parametrize(
    ("closing", "changes", "coarse"),
    [
        (1000, {}, False),  # nothing was counted: a vacant flat, month after month
        (1003, {}, True),
        (1019, {}, True),
        (1020, {}, False),
        ("1000.03", {"scale": "0.01"}, False),
        ("1000.3", {"scale": "0.1"}, True),
    ],
)
def test_a_use_of_few_steps_of_the_display_is_coarse(
    closing: int | str, changes: dict[str, Any], *, coarse: bool
) -> None:
    place = standing(
        reading(1000, 0 * DAY), reading(closing, DAY), register=counter(**{"digits": 7, **changes})
    )

    assert (CoarseRegister in kinds(place.usage(0 * DAY, DAY))) == coarse


def test_a_use_through_a_transformer_is_coarse_by_the_step_that_it_bills() -> None:
    fine = counter(scale="0.01", digits=7)
    place = standing(
        reading(1000, 0 * DAY), reading("1000.1", DAY), register=fine, multiplier=Decimal(40)
    )

    usage = place.usage(0 * DAY, DAY)

    assert usage.quantity == 4
    assert usage.findings == (CoarseRegister("old", Decimal("0.4"), Decimal(4)),)


@pytest.mark.parametrize("kind", ["partial", "gauge"])
def test_no_bill_rests_on_a_register_that_may_be_reset(kind: str) -> None:
    place = standing(reading(1000, 0 * DAY), reading(1500, DAY), register=counter(kind=kind))

    usage = place.usage(0 * DAY, DAY)

    assert usage.quantity is None
    assert usage.findings == (NotABillingRegister("old", NAME, kind),)


# --- issued --------------------------------------------------------------------------------------

ISSUED = RegisterAt("old", START, Decimal(990), Source.READ, (reading(990, -MINUTE),))


def test_the_register_that_closed_the_last_bill_opens_the_next() -> None:
    place = standing(reading(1000, 0 * DAY), reading(1500, 30 * DAY))

    usage = place.usage(0 * DAY, 30 * DAY, issued=ISSUED)

    assert usage.quantity == 510
    opening = usage.segments[0].opening
    assert opening.source is Source.ISSUED
    assert opening.value == 990
    assert opening.readings == ISSUED.readings


@pytest.mark.parametrize(
    "issued",
    [
        RegisterAt("other", START, Decimal(990), Source.READ),
        RegisterAt("old", START - DAY, Decimal(990), Source.READ),
    ],
    ids=["of another meter", "of another time"],
)
def test_another_register_that_was_issued_opens_nothing(issued: RegisterAt) -> None:
    place = standing(reading(1000, 0 * DAY), reading(1500, 30 * DAY))

    assert place.usage(0 * DAY, 30 * DAY, issued=issued).quantity == 500


def test_a_meter_that_came_with_the_period_opens_with_its_own_first_register() -> None:
    place = Place([installed(start=0 * DAY, first=3)], [reading(50, 30 * DAY)])

    usage = place.usage(0 * DAY, 30 * DAY, issued=ISSUED)

    assert usage.quantity == 47
    assert usage.segments[0].opening.source is Source.RECORDED


def test_an_issued_opening_needs_no_reading_and_still_blocks_where_the_register_fell() -> None:
    assert standing(reading(1500, 30 * DAY)).usage(0 * DAY, 30 * DAY, issued=ISSUED).quantity == 510
    fallen = standing(reading(10, DAY)).usage(0 * DAY, DAY, issued=ISSUED)
    assert fallen.findings == (FallingRegister("old", Decimal(990), Decimal(10)),)


# --- the register at a boundary ------------------------------------------------------------------


def at_noon(*readings: tuple[int | str, timedelta], **changes: Any) -> RegisterAt | MissingRegister:
    shown = [reading(value, offset) for value, offset in readings]
    return register_at(
        boundary(shown, START), meter="old", register=counter(**changes) if changes else COUNTER
    )


@pytest.mark.parametrize(
    ("readings", "value"),
    [
        ([(10, 0 * MINUTE), (11, MINUTE)], 10),
        ([(10, -3 * MINUTE), (11, 2 * MINUTE)], 11),
        ([(10, -2 * MINUTE), (11, 3 * MINUTE)], 10),
        ([(10, -2 * MINUTE), (11, 2 * MINUTE)], 10),  # of two as near, the earlier
        ([(10, -TOLERANCE)], 10),
        ([(11, TOLERANCE)], 11),
        ([(10, -HOUR), (20, TOLERANCE)], 20),
    ],
)
def test_the_nearest_reading_within_the_tolerance_stands_as_it_is(
    readings: list[tuple[int | str, timedelta]], value: int
) -> None:
    found = at_noon(*readings)

    assert isinstance(found, RegisterAt)
    assert (found.source, found.at) == (Source.READ, START)
    assert found.value == value
    assert [each.value for each in found.readings] == [value]


@pytest.mark.parametrize(
    ("readings", "changes", "value"),
    [
        ([("10", -20 * MINUTE), ("20", 20 * MINUTE)], {}, "15"),
        ([("10", -20 * MINUTE), ("20", 30 * MINUTE)], {}, "14"),
        ([("10", -20 * MINUTE), ("11", 40 * MINUTE)], {}, "10"),  # whole steps of the display
        ([("10", -40 * MINUTE), ("11", 20 * MINUTE)], {}, "11"),
        ([("10", -20 * MINUTE), ("13", 20 * MINUTE)], {}, "12"),  # the even one of 11.5's two
        ([("10", -20 * MINUTE), ("10", 20 * MINUTE)], {}, "10"),
        ([("1.00", -20 * MINUTE), ("2.00", 40 * MINUTE)], {"scale": "0.01"}, "1.33"),
        ([("99990", -20 * MINUTE), ("30", 20 * MINUTE)], {}, "10"),  # across the rollover
        ([("99990", -30 * MINUTE), ("10", 20 * MINUTE)], {}, "2"),
    ],
)
def test_between_two_readings_the_register_is_interpolated_in_steps_of_the_display(
    readings: list[tuple[int | str, timedelta]], changes: dict[str, Any], value: str
) -> None:
    found = at_noon(*readings, **changes)

    assert isinstance(found, RegisterAt)
    assert (found.value, found.source) == (Decimal(value), Source.INTERPOLATED)
    assert len(found.readings) == 2


@pytest.mark.parametrize(
    "readings",
    [
        [],
        [(10, -TOLERANCE - timedelta(seconds=1))],
        [(10, TOLERANCE + timedelta(seconds=1))],
        [(20, -20 * MINUTE), (10, 20 * MINUTE)],  # a fall is not divided
        [(20, -20 * MINUTE), (9000, 20 * MINUTE)],  # nor is a leap
    ],
)
def test_what_two_sound_readings_do_not_enclose_is_missing(
    readings: list[tuple[int | str, timedelta]],
) -> None:
    assert at_noon(*readings) == MissingRegister("old", START)


def test_a_usage_that_rests_on_interpolation_says_so() -> None:
    place = standing(
        reading(1000, -20 * MINUTE), reading(1010, 20 * MINUTE), reading(1500, 30 * DAY)
    )

    usage = place.usage(0 * DAY, 30 * DAY)

    assert usage.quantity == 495
    assert usage.findings == (Interpolated("old", START, START - 20 * MINUTE, START + 20 * MINUTE),)


@given(
    st.integers(0, MODULUS - 1),
    st.integers(0, 130),
    st.integers(16, 119),
    st.integers(16, 119),
)
def test_an_interpolated_register_lies_between_its_readings(
    low: int, grown: int, before: int, after: int
) -> None:
    assume(grown * 60 <= 200 * (before + after))
    found = at_noon((low, -before * MINUTE), ((low + grown) % MODULUS, after * MINUTE))

    assert isinstance(found, RegisterAt)
    assert (found.value - low) % MODULUS <= grown
    assert 0 <= found.value < MODULUS
    assert found.value == found.value.to_integral_value()


# --- against a plain oracle ----------------------------------------------------------------------

HOURS = st.integers(1, 150)
SEGMENTS = st.lists(
    st.tuples(
        HOURS,  # how long the meter stood
        st.integers(0, 100),  # percentage of what it could count
        st.integers(0, MODULUS - 1),  # its first register
        st.decimals("0.01", 1000, places=2),  # its multiplier
    ),
    min_size=1,
    max_size=4,
)


@given(SEGMENTS, st.randoms())
def test_usage_is_what_each_meter_truly_counted_times_its_multiplier(
    segments: list[tuple[int, int, int, Decimal]], chance: Any
) -> None:
    installations, turned, expected, hour = [], 0, Decimal(0), 0
    for index, (hours, percent, first, multiplier) in enumerate(segments):
        counted = 200 * hours * percent // 100
        expected += counted * multiplier
        turned += first + counted >= MODULUS
        installations.append(
            installed(
                f"m-{index}",
                hour * HOUR,
                (hour + hours) * HOUR,
                first=first,
                last=(first + counted) % MODULUS,
                multiplier=multiplier,
            )
        )
        hour += hours
    chance.shuffle(installations)

    usage = Place(installations).usage(0 * HOUR, hour * HOUR)

    assert usage.quantity == expected
    assert kinds(usage).count(Exchanged) == len(segments) - 1
    assert kinds(usage).count(RolledOver) == turned


STEPS = st.lists(st.tuples(st.integers(1, 70), st.integers(0, 100)), min_size=60, max_size=120)


@given(
    st.integers(0, MODULUS - 1),
    STEPS,
    st.lists(st.integers(1, 39), min_size=1, max_size=4, unique=True),
    st.sampled_from(["issued", "read"]),
)
def test_parts_of_an_interval_sum_to_the_whole_wherever_it_is_cut(
    first: int, steps: list[tuple[int, int]], cuts: list[int], opened_by: str
) -> None:
    minutes, counted, shown = 0, first, [reading(first, -MINUTE)]
    for gap, percent in steps:
        minutes += gap
        counted += 200 * gap * percent // 6000
        shown.append(reading(counted % MODULUS, minutes * MINUTE))
    end = minutes // 60
    assume(end > max(cuts))
    place = standing(*shown, multiplier=Decimal("1.25"))

    whole = place.usage(0 * HOUR, end * HOUR)
    parts: list[Usage] = []
    for opening, closing in pairwise([0, *sorted(cuts), end]):
        issued = parts[-1].closing if opened_by == "issued" and parts else None
        parts.append(place.usage(opening * HOUR, closing * HOUR, issued=issued))

    assert whole.quantity is not None
    assert sum((part.quantity or 0 for part in parts), Decimal(0)) == whole.quantity
    assert all(part.quantity is not None for part in parts)
    for earlier, later in pairwise(parts):
        assert earlier.segments[-1].closing.value == later.segments[0].opening.value


# --- findings ------------------------------------------------------------------------------------

OPENING, CLOSING = Decimal("10.50"), Decimal("9.00")
DAY_ONE = Interval(START, START + DAY)


@pytest.mark.parametrize(
    ("finding", "consequence", "texts"),
    [
        (NotInstalled(DAY_ONE), "blocks", ["2026-01-01", "2026-01-02", "record the installation"]),
        (Overlapping("m1", "m2", DAY_ONE), "blocks", ["m1 and m2", "end the installation of m1"]),
        (MissingRegister("m1", START), "blocks", ["m1", "2026-01-01", "read it, or record"]),
        (
            FallingRegister("m1", OPENING, CLOSING),
            "blocks",
            ["m1 fell from 10.5 to 9;", "confirm an exchange or a wrong reading"],
        ),
        (
            ImplausibleGrowth("m1", CLOSING, OPENING),
            "blocks",
            ["from 9 to 10.5", "check its readings"],
        ),
        (Interpolated("m1", START, START, START), "tells", ["m1 was not read", "interpolated"]),
        (RolledOver("m1"), "tells", ["m1 passed its last digit"]),
        (Exchanged(START, "m1", "m2"), "tells", ["m1 was exchanged for m2 at 2026-01-01"]),
        (AmbiguousRollover("m1", OPENING, CLOSING), "blocks", ["10.5 and 9", "record an exchange"]),
        (Unconfirmed("m1", START, OPENING, START), "blocks", ["10.5", "wait for its next ones"]),
        (
            NotABillingRegister("m1", "trip", "partial"),
            "blocks",
            ["trip of meter m1", "never bills"],
        ),
        (RatioChanged(START, "m1", OPENING, CLOSING), "tells", ["m1 changed from 10.5 to 9"]),
        (Rescaled("m1", CLOSING, OPENING), "tells", ["changed between 9 and 10.5", "display"]),
        (VerificationExpired("m1", START), "tells", ["m1 expired at 2026-01-01", "exchange it"]),
        (CoarseRegister("m1", CLOSING, OPENING), "tells", ["steps of 9", "10.5 may be off"]),
    ],
)
def test_a_finding_says_what_it_is_and_what_to_do_where_it_blocks(
    finding: Finding, consequence: str, texts: list[str]
) -> None:
    assert finding.blocks == (consequence == "blocks")
    assert [text for text in texts if text not in str(finding)] == []


@given(
    ends=st.tuples(*[st.none() | st.tuples(st.integers(0, 2100), st.integers(-40, 40))] * 2),
    stood=st.tuples(
        st.sampled_from([-DAY, timedelta(0), DAY]),
        st.sampled_from([None, 5 * DAY, 10 * DAY, 20 * DAY]),
    ),
    verified=st.sampled_from([None, None, DAY, 10 * DAY, 20 * DAY]),
    issued=st.sampled_from([None, None, ("old", 5), ("old", 99_999), ("other", 5)]),
    register=st.sampled_from([COUNTER, COUNTER, counter(check_only=True)]),
    multiplier=st.sampled_from([Decimal(1), Decimal("1.25"), Decimal(40)]),
)
def test_a_meter_that_needs_few_steps_is_measured_as_any_other(
    *,
    ends: tuple[tuple[int, int] | None, ...],
    stood: tuple[timedelta, timedelta | None],
    verified: timedelta | None,
    issued: tuple[str, int] | None,
    register: Register,
    multiplier: Decimal,
) -> None:
    interval = Interval(START, START + 10 * DAY)
    instants = (interval.start, interval.end)
    standing = Installation(
        "p-1",
        "old",
        "t",
        START + stood[0],
        end=None if stood[1] is None else START + stood[1],
        multiplier=multiplier,
        first={NAME: Decimal(3)},
        last={NAME: Decimal(2000)},
        verified_until=None if verified is None else START + verified,
    )
    readings = [
        reading(end[0], at - START + end[1] * MINUTE)
        for end, at in zip(ends, instants, strict=True)
        if end is not None
    ]
    closed = issued and RegisterAt(issued[0], START, Decimal(issued[1]), Source.READ)
    told = partial(
        measure,
        point="p-1",
        name=NAME,
        interval=interval,
        installations=[standing],
        registers={"t": register},
        boundaries={("old", at): boundary(readings, at) for at in instants},
        issued=closed,
    )

    assert told() == told(histories={})  # where histories are asked for, every step is taken
