"""Use in parts: differences of one register that sum to the whole, or a finding; never a guess."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meters.archive.protocol import BOUNDARY_WINDOW, Boundary
from meters.archive.rows import EPOCH, SECOND
from meters.edges import Edges, Gathered
from meters.estimate import Estimate, Method, Sample
from meters.history import History
from meters.installation import Installation, Ratio
from meters.interval import Interval
from meters.meter_type import Register
from meters.plain_steps import by_day_plain
from meters.reading import Reading, Reason, Series, Verdict
from meters.register_at import RegisterAt, Source
from meters.stepwise import (
    BRIDGED,
    INTERPOLATED,
    MISSING,
    READ,
    ContradictingEdges,
    MissingEdges,
    Steps,
    by_day,
    shown,
    shown_in_history,
    step,
)
from meters.usage import Usage, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NAME = "import_energy"
MODULUS = 100_000
PER_UNIT = 10_000


def counter(**changes: Any) -> Register:
    document = {"kind": "total", "unit": "kWh", "address": 0, "type": "uint32", "digits": 5}
    return Register.model_validate({**document, "max_rate": 200, **changes})


COUNTER = counter()
FINE = counter(digits=None, max_rate="1000000", resolution="0.01")


def reading(value: int | str, at: timedelta, *reasons: Reason, meter: str = "m") -> Reading:
    return Reading(Series(meter, NAME), START + at, Decimal(value), "0", Verdict.GOOD, reasons)


def edges_of(readings: Sequence[Reading], at: Sequence[timedelta]) -> Edges:
    """Return what an archive that holds `readings` tells of the instants."""
    series = {each.series for each in readings}
    instants = [(START + each - EPOCH) // SECOND for each in at]
    gathered = Gathered(series, instants, BOUNDARY_WINDOW // SECOND)
    for each in readings:
        gathered.offer_reading(gathered.series.index(each.series), each)
    return gathered.edges()


def boundary(readings: Sequence[Reading], meter: str, at: datetime) -> Boundary:
    near = [r for r in readings if r.series.meter == meter and abs(r.time - at) <= BOUNDARY_WINDOW]
    near.sort(key=lambda each: each.time)
    before = [each for each in near if each.time <= at]
    after = [each for each in near if each.time > at]
    return Boundary(at, before[-1] if before else None, after[0] if after else None)


def used(
    readings: Sequence[Reading],
    until: timedelta,
    *,
    register: Register = COUNTER,
    issued: RegisterAt | None = None,
    installations: Sequence[Installation] | None = None,
) -> Usage:
    standing = installations or [Installation("p", "m", "t", START - DAY)]
    ends = [START, START + until, *(ratio.since for one in standing for ratio in one.ratios)]
    return measure(
        point="p",
        name=NAME,
        interval=Interval(START, START + until),
        installations=standing,
        registers={"t": register},
        boundaries={
            (one.meter, at): boundary(readings, one.meter, at) for one in standing for at in ends
        },
        issued=issued,
    )


def divided(
    usage: Usage,
    readings: Sequence[Reading],
    at: Sequence[timedelta],
    *,
    register: Register = COUNTER,
    bridge: bool = False,
) -> Steps | MissingEdges | ContradictingEdges:
    edges = edges_of(readings, at)
    rows = edges.rows()
    shown_by = [
        shown(edges, rows[Series(segment.opening.meter, NAME)], register)
        for segment in usage.segments
    ]
    registers = [register] * len(usage.segments)
    return step(usage, edges.instants_s, shown_by, registers, bridge=bridge)


def quantities(found: object) -> list[Fraction]:
    assert isinstance(found, Steps), found
    return [Fraction(each, PER_UNIT) for each in found.quantities.tolist()]


def hourly(*values: int) -> list[Reading]:
    return [reading(value, n * HOUR) for n, value in enumerate(values)]


def test_the_parts_are_the_differences_of_the_register_at_the_edges() -> None:
    readings = hourly(1000, 1003, 1010, 1010, 1025)

    found = divided(used(readings, 4 * HOUR), readings, [1 * HOUR, 3 * HOUR])

    assert quantities(found) == [3, 7, 15]


def test_several_bands_end_inside_one_rollover_and_no_unit_is_lost() -> None:
    readings = hourly(99_998, 99_999, 0, 2, 3)

    found = divided(used(readings, 4 * HOUR), readings, [HOUR, 2 * HOUR, 3 * HOUR])

    assert quantities(found) == [1, 1, 2, 1]


def test_each_part_is_multiplied_and_together_they_are_the_whole() -> None:
    third = Decimal(1) / Decimal(8)
    readings = hourly(0, 1, 2, 8)
    usage = used(readings, 3 * HOUR, installations=[installed(multiplier=third)])

    found = divided(usage, readings, [HOUR, 2 * HOUR])

    assert quantities(found) == [Fraction(1, 8), Fraction(1, 8), Fraction(6, 8)]


def test_parts_that_are_finer_than_can_be_stated_still_sum_to_the_whole() -> None:
    ratio = Decimal("0.00003")
    readings = hourly(0, 1, 2, 20)
    usage = used(readings, 3 * HOUR, installations=[installed(multiplier=ratio)])

    found = divided(usage, readings, [HOUR, 2 * HOUR])

    assert quantities(found) == [0, 0, Fraction(6, PER_UNIT)]


def installed(meter: str = "m", **changes: Any) -> Installation:
    return Installation("p", meter, "t", changes.pop("start", START - DAY), **changes)


def test_an_exchange_inside_a_part_adds_what_both_meters_counted() -> None:
    at = START + 90 * timedelta(minutes=1)
    readings = [
        *(reading(10 + n, n * HOUR, meter="old") for n in range(2)),
        *(reading(100 * n, n * HOUR, meter="new") for n in range(2, 5)),
    ]
    usage = used(
        readings,
        4 * HOUR,
        installations=[
            installed("old", end=at, last={NAME: Decimal(15)}),
            installed("new", start=at, first={NAME: Decimal(190)}),
        ],
    )

    found = divided(usage, readings, [HOUR, 2 * HOUR, 3 * HOUR])

    assert quantities(found) == [1, 4 + 10, 100, 100]
    assert usage.quantity == 5 + 210


def test_a_ratio_that_changes_inside_a_part_counts_from_its_instant_on() -> None:
    ratio = Ratio(START + 2 * HOUR, Decimal(10), {NAME: Decimal(4)})
    readings = hourly(0, 1, 4, 6, 9)
    usage = used(readings, 4 * HOUR, installations=[installed(ratios=(ratio,))])

    found = divided(usage, readings, [1 * HOUR, 3 * HOUR])

    assert quantities(found) == [1, 3 + 20, 30]


def test_an_edge_that_was_not_read_lies_between_its_neighbours_and_says_so() -> None:
    readings = [reading("1", 0 * HOUR), reading("2", HOUR), reading("5", 2 * HOUR)]
    usage = used(readings, 2 * HOUR, register=FINE)

    found = divided(usage, readings, [HOUR + HOUR / 3], register=FINE)

    assert quantities(found) == [2, 2]
    assert isinstance(found, Steps)
    assert found.pieces[0].sources.tolist() == [READ, INTERPOLATED, READ]


def test_an_edge_that_nobody_knows_is_missing_and_never_zero() -> None:
    readings = [reading(0, 0 * HOUR), reading(10, 10 * HOUR)]

    found = divided(used(readings, 10 * HOUR), readings, [4 * HOUR, 5 * HOUR])

    assert found == MissingEdges("m", 2, START + 4 * HOUR)
    assert found.blocks


def test_missing_edges_are_bridged_in_proportion_to_time_where_that_is_accepted() -> None:
    readings = [reading(0, 0 * HOUR), reading(4, 2 * HOUR), reading(20, 10 * HOUR)]

    found = divided(
        used(readings, 10 * HOUR), readings, [2 * HOUR, 6 * HOUR, 8 * HOUR], bridge=True
    )

    assert quantities(found) == [4, 8, 4, 4]
    assert isinstance(found, Steps)
    assert found.pieces[0].sources.tolist() == [READ, READ, BRIDGED, BRIDGED, READ]


def test_a_glitch_at_an_edge_is_a_contradiction_not_a_use() -> None:
    readings = hourly(100, 110, 5000, 130, 140)

    found = divided(used(readings, 4 * HOUR), readings, [HOUR, 2 * HOUR, 3 * HOUR])

    assert isinstance(found, ContradictingEdges)
    assert found.at == START + 2 * HOUR


def test_a_glitch_that_later_readings_disprove_is_passed_over_with_hindsight() -> None:
    readings = [
        reading(100, 0 * HOUR),
        reading(110, 1 * HOUR),
        reading(600, 2 * HOUR - timedelta(minutes=1), Reason.UNCONFIRMED),
        reading(120, 2 * HOUR + timedelta(minutes=5), Reason.RESTARTED),
        reading(130, 3 * HOUR),
    ]
    usage = used(readings, 3 * HOUR)
    edges = edges_of(readings, [HOUR, 2 * HOUR])
    assert edges.unconfirmed.tolist() == [[True, True]]
    history = History(COUNTER, readings)

    seen = shown_in_history(history, edges.instants_s, meter="m", register=COUNTER)
    found = step(usage, edges.instants_s, [seen], [COUNTER])

    assert quantities(found) == [10, 10, 10]


def estimated(value: int) -> RegisterAt:
    sample = Sample(Interval(START - DAY, START), Decimal(value), Fraction(1))
    estimate = Estimate(Method.PREVIOUS_AVERAGE, START - DAY, Decimal(0), (sample,), Decimal(1))
    return RegisterAt("m", START, Decimal(value), Source.ESTIMATED, estimate=estimate)


def test_what_an_estimate_has_billed_already_is_not_billed_again_in_any_part() -> None:
    readings = hourly(100, 104, 110, 120)
    usage = used(readings, 3 * HOUR, issued=estimated(107))
    assert usage.quantity == 13

    assert quantities(divided(usage, readings, [HOUR, 2 * HOUR])) == [0, 3, 10]


def test_steps_are_joined_at_edges_only() -> None:
    readings = hourly(0, 1, 3, 6, 10)
    found = divided(used(readings, 4 * HOUR), readings, [HOUR, 2 * HOUR, 3 * HOUR])
    assert isinstance(found, Steps)
    edges = found.edges_s

    assert found.between(edges[[1]]).tolist() == [3 * PER_UNIT, 7 * PER_UNIT]
    assert found.between(edges[:0]).tolist() == [10 * PER_UNIT]
    with pytest.raises(ValueError, match="at its edges only"):
        found.between(edges[[1]] + 1)


def test_a_day_whose_midnights_are_not_known_is_not_known() -> None:
    readings = [reading(value, n * DAY) for n, value in ((0, 0), (1, 5), (3, 9), (4, 9))]
    usage = used(readings, 4 * DAY)
    edges = edges_of(readings, [DAY, 2 * DAY, 3 * DAY])

    days = by_day(usage, edges.instants_s, [shown(edges, 0, COUNTER)])

    assert days == [5 * PER_UNIT, None, None, 0]
    assert by_day(usage._replace(quantity=None), edges.instants_s, []) == [None] * 4


@given(
    meters=st.lists(
        st.tuples(
            st.integers(0, MODULUS - 1),
            st.lists(st.integers(0, 4000), min_size=4, max_size=4),
            st.sets(st.integers(1, 3)),
            st.sampled_from([Decimal(1), Decimal(40), Decimal("1.25")]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_days_of_many_meters_are_those_of_each(
    meters: list[tuple[int, list[int], set[int], Decimal]],
) -> None:
    readings: list[Reading] = []
    usages = []
    for number, (opening, grown, unread, multiplier) in enumerate(meters):
        name = f"m{number}"
        values = [opening, *(opening + sum(grown[: n + 1]) for n in range(4))]
        readings += [
            reading(value % MODULUS, n * DAY, meter=name)
            for n, value in enumerate(values)
            if n not in unread
        ]
        standing = [Installation("p", name, "t", START - DAY, multiplier=multiplier)]
        usages.append(used(readings, 4 * DAY, installations=standing))
    edges = edges_of(readings, [DAY, 2 * DAY, 3 * DAY])
    rows = np.array([edges.rows()[Series(f"m{n}", NAME)] for n in range(len(meters))])

    uses, known, plain = by_day_plain(usages, edges, rows, [COUNTER] * len(usages))

    for n, (_, _, _, multiplier) in enumerate(meters):
        assert plain[n] == (multiplier != Decimal("1.25"))
        if plain[n]:
            days = zip(uses[n].tolist(), known[n].tolist(), strict=True)
            told = by_day(usages[n], edges.instants_s, [shown(edges, int(rows[n]), COUNTER)])
            assert [use if sure else None for use, sure in days] == told


def test_days_that_contradict_their_use_are_not_plain() -> None:
    ends = [reading(0, timedelta()), reading(10, 2 * DAY)]
    usage = used(ends, 2 * DAY)
    for glitch, plain in ((4, True), (90, False)):
        edges = edges_of([*ends, reading(glitch, DAY)], [DAY])
        found = by_day_plain([usage], edges, np.array([0]), [FINE])
        assert found[2].tolist() == [plain]


@settings(max_examples=300)
@given(
    steps=st.lists(st.integers(0, 150), min_size=2, max_size=40),
    opening=st.integers(0, MODULUS - 1),
    chosen=st.data(),
    multiplier=st.sampled_from(["1", "40", "0.5", "1.25"]),
)
def test_parts_sum_to_the_whole_wherever_it_is_divided(
    steps: list[int], opening: int, chosen: st.DataObject, multiplier: str
) -> None:
    shows = [opening]
    for each in steps:
        shows.append((shows[-1] + each) % MODULUS)
    readings = hourly(*shows)
    inner = st.sets(st.integers(1, len(steps) - 1), max_size=8)
    places = sorted(chosen.draw(inner, label="edges"))
    usage = used(
        readings, len(steps) * HOUR, installations=[installed(multiplier=Decimal(multiplier))]
    )
    ends = [0, *places, len(steps)]
    oracle = [
        sum(steps[first:after]) * Fraction(multiplier) for first, after in itertools.pairwise(ends)
    ]

    if not places:
        return
    found = divided(usage, readings, [place * HOUR for place in places])

    assert quantities(found) == oracle
    assert usage.quantity is not None
    assert sum(oracle) == Fraction(usage.quantity)


@settings(max_examples=300)
@given(
    low=st.integers(0, 10**9),
    grown=st.integers(0, 10**7),
    seconds=st.integers(2000, 7000),
    share=st.integers(0, 10**6),
)
def test_an_edge_is_interpolated_as_a_boundary_is(
    low: int, grown: int, seconds: int, share: int
) -> None:
    at = 901 + share % max(1, seconds - 1802)
    second = timedelta(seconds=1)
    readings = [
        reading(str(Decimal(low) / 100), 0 * second),
        reading(str(Decimal(low + grown) / 100), seconds * second),
    ]
    seen = shown(edges_of(readings, [at * second]), 0, FINE)

    exact = Fraction(low, 100) + Fraction(round(Fraction(grown * at, seconds)), 100)
    assert seen.sources.tolist() == [INTERPOLATED]
    assert Fraction(int(seen.values[0]), PER_UNIT) == exact


def test_nothing_near_an_edge_is_nothing_known() -> None:
    edges = edges_of([reading(1, 10 * DAY)], [0 * DAY])

    assert shown(edges, 0, COUNTER).sources.tolist() == [MISSING]
    assert np.array_equal(edges.unconfirmed, [[False]])
