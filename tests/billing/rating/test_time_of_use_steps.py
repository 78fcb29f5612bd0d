"""Time of use with steps, filled in the order of time or in proportion."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from pydantic import ValidationError
from rating_clerk import (
    CENTS,
    EXAMPLES,
    PRICES,
    REGISTER,
    ROUNDINGS,
    agree,
    column,
    document_of,
    homes_as_columns,
    tariff_of,
)
from tariff_oracle import Home, walk

from billing.rating.filling import proportionally
from billing.rating.rate import rate
from billing.rating.subjects import BandUse

BANDS = ("peak", "valley")
CALENDAR = {"days": [{"bands": [["00:00", "valley"], ["08:00", "peak"], ["22:00", "valley"]]}]}
BOUNDS = st.lists(st.integers(1, 1000), max_size=3, unique=True).map(sorted)


def stepped(steps: list[list[Any]], **more: Any) -> dict[str, Any]:
    return {
        "name": "energy",
        "kind": "time-of-use-steps",
        "per": "month",
        "register": REGISTER,
        "fill": "chronological",
        "steps": steps,
        **more,
    }


@st.composite
def step_lists(draw: st.DrawFn) -> list[list[Any]]:
    def prices() -> dict[str, str]:
        return {band: draw(PRICES) for band in BANDS}

    return [*[[bound, prices()] for bound in draw(BOUNDS)], [prices()]]


RUNS = st.lists(
    st.tuples(st.sampled_from(BANDS), st.integers(0, 4 * 10**6)), min_size=1, max_size=6
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    step_lists(),
    st.sampled_from(["month", "quarter", "year"]),
    ROUNDINGS,
    RUNS,
    st.integers(0, 10**7),
)
def test_runs_in_the_order_of_time_cost_what_a_clerk_makes_it(
    steps: list[list[Any]],
    per: str,
    rounding: dict[str, str],
    runs: list[tuple[str, int]],
    before: int,
) -> None:
    home = Home(
        use={REGISTER: sum(use for _, use in runs)},
        runs=tuple(runs),
        before_year={REGISTER: before},
        before_quarter={REGISTER: before},
    )
    agree(document_of([stepped(steps, per=per)], rounding, calendar=CALENDAR), [home])


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    BOUNDS,
    st.integers(0, 10**7),
    st.lists(st.integers(0, 10**7), min_size=1, max_size=4),
    st.sampled_from([1, -1]),
)
def test_in_proportion_cells_sum_to_steps_and_bands_and_are_near_their_shares(
    bounds: list[int], start: int, uses: list[int], sign: int
) -> None:
    names = tuple(f"band-{place}" for place in range(len(uses)))
    use = [sign * each for each in uses]
    cells = proportionally(
        BandUse(names, column(use).reshape(1, -1)),
        column([start]),
        [bound * 10_000 for bound in bounds],
        names,
    )
    grid = [
        [int(cell[0]) for cell in cells[place : place + len(names)]]
        for place in range(0, len(cells), len(names))
    ]
    steps = walk(
        list(map(Fraction, (bound * 10_000 for bound in bounds))),
        Fraction(start),
        Fraction(sum(use)),
    )

    assert [sum(row) for row in grid] == steps
    assert [sum(band) for band in zip(*grid, strict=True)] == use
    for row, step in zip(grid, steps, strict=True):
        for cell, band in zip(row, use, strict=True):
            assert cell * sign >= 0
            if sum(use):
                assert abs(cell - step * band / sum(use)) < len(names) * len(grid)


def test_bands_that_cancel_out_are_billed_where_the_span_starts() -> None:
    cells = proportionally(
        BandUse(BANDS, column([50, -50]).reshape(1, -1)), column([120]), [100, 200], BANDS
    )

    assert [int(cell[0]) for cell in cells] == [0, 0, 50, -50, 0, 0]


def test_a_large_use_is_shared_without_wrapping() -> None:
    use = column([10**12, 3 * 10**12]).reshape(1, -1)
    cells = proportionally(BandUse(BANDS, use), column([0]), [10**12], BANDS)

    assert [int(cell[0]) for cell in cells] == [
        25 * 10**10,
        75 * 10**10,
        75 * 10**10,
        225 * 10**10,
    ]


STEPS = [[10, {"peak": "1", "valley": "0.5"}], [{"peak": "2", "valley": "1.5"}]]


def test_who_uses_the_valley_first_fills_the_cheap_step_with_it() -> None:
    tariff = tariff_of([stepped(STEPS)], calendar=CALENDAR)
    use = {REGISTER: 150_000}
    early = Home(use=use, runs=(("valley", 80_000), ("peak", 40_000), ("valley", 30_000)))
    late = Home(use=use, runs=(("valley", 0), ("peak", 40_000), ("valley", 110_000)))
    (line,) = rate(tariff, homes_as_columns(tariff, [early, late], 30))

    assert line.amount.tolist() == [400 + 200 + 400 + 450, 400 + 300 + 750]
    assert line.quantity.tolist() == [150_000, 150_000]


def test_in_proportion_it_does_not_matter_when_the_use_was() -> None:
    registers = {"peak": "import_energy_t1", "valley": "import_energy_t2"}
    charge = stepped(STEPS, register=None, registers=registers, fill="proportional")
    tariff = tariff_of([charge], CENTS)
    home = Home(use={"import_energy_t1": 40_000, "import_energy_t2": 160_000})
    (line,) = rate(tariff, homes_as_columns(tariff, [home], 30))

    assert line.parts.quantity.tolist() == [[20_000, 80_000, 20_000, 80_000]]
    assert line.amount.tolist() == [200 + 400 + 400 + 1200]


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"fill": "early"}, "'chronological' or 'proportional'"),
        (
            {"register": None, "registers": {"peak": "t1", "valley": "t2"}},
            "registers do not say when use was; give one register and a calendar",
        ),
        ({"steps": [[10, {"peak": "1"}], [{"valley": "1"}]]}, "step 2 must have a price for peak"),
        ({"steps": [[10, {"peak": "1"}]]}, "the last step ends at 10"),
        ({"per": "year", "days": "always"}, "leave out days"),
    ],
)
def test_what_does_not_say_how_steps_and_bands_meet_is_refused(
    changes: dict[str, Any], advice: str
) -> None:
    with pytest.raises(ValidationError, match=advice):
        tariff_of([{**stepped(STEPS), **changes}], calendar=CALENDAR)
