"""Graduated steps by month and over the year."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from rating_clerk import EXAMPLES, PRICES, ROUNDINGS, agrees_with_the_clerk, rated, tariff_of

from billing.money import OverflowInMoneyError
from billing.rating.steps import step_quantities

BEIJING = [[240, "0.4883"], [400, "0.5383"], ["0.7883"]]
ZHEJIANG = [[2760, "0.538"], [4800, "0.588"], ["0.838"]]
BEIJING_WATER = [[180, "5"], [260, "7"], ["9"]]

BOUNDS = st.lists(st.integers(1, 10**8), max_size=5, unique=True).map(sorted)
USES = st.lists(st.integers(0, 3 * 10**7), min_size=1, max_size=12)


@st.composite
def step_lists(draw: st.DrawFn) -> list[list[str]]:
    bounds = draw(BOUNDS)
    steps = [[f"{bound // 10_000}.{bound % 10_000:04}", draw(PRICES)] for bound in bounds]
    return [*steps, [draw(PRICES)]]


def energy(steps: list[list[Any]], per: str = "year") -> dict[str, Any]:
    return {
        "name": "energy",
        "kind": "steps",
        "per": per,
        "register": "import_energy",
        "steps": steps,
    }


def column(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    step_lists(),
    st.sampled_from(["month", "year"]),
    ROUNDINGS,
    st.lists(st.tuples(st.integers(0, 2 * 10**8), st.integers(-(10**8), 2 * 10**8)), max_size=3),
)
def test_every_use_costs_what_a_clerk_makes_it(
    steps: list[list[str]],
    per: str,
    rounding: dict[str, str],
    rows: list[tuple[int, int]],
) -> None:
    agrees_with_the_clerk(
        [energy(steps, per)], rounding, [(before, use, 0) for before, use in rows]
    )


@pytest.mark.parametrize(
    ("steps", "per", "use", "fen"),
    [
        (BEIJING, "month", 200, 9766),
        (BEIJING, "month", 241, 11773),
        (BEIJING, "month", 450, 24274),
        (ZHEJIANG, "year", 5000, 285_200),
        (BEIJING_WATER, "year", 200, 104_000),
    ],
)
def test_published_examples(
    steps: list[list[Any]],
    per: str,
    use: int,
    fen: int,
) -> None:
    (line,) = rated(tariff_of([energy(steps, per)]), [(0, use * 10_000, 0)])

    assert line.amount.tolist() == [fen]


@settings(max_examples=500, deadline=None)
@given(BOUNDS, USES)
def test_twelve_months_fill_the_steps_as_one_year_does(bounds: list[int], uses: list[int]) -> None:
    starts = [sum(uses[:month]) for month in range(len(uses))]
    by_month = step_quantities(column(*starts), column(*uses), bounds)
    at_once = step_quantities(column(0), column(sum(uses)), bounds)

    assert [int(step.sum()) for step in by_month] == [int(step[0]) for step in at_once]


@settings(max_examples=500, deadline=None)
@given(
    BOUNDS,
    st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9)), min_size=1),
)
def test_the_steps_sum_to_the_use_whatever_its_sign(
    bounds: list[int], rows: list[tuple[int, int]]
) -> None:
    start, use = column(*[row[0] for row in rows]), column(*[row[1] for row in rows])
    steps = step_quantities(start, use, bounds)

    assert np.sum(steps, axis=0).tolist() == use.tolist()
    for low_and_high, step in zip(pairwise([0, *bounds]), steps, strict=False):
        inside = start >= 0
        assert (
            np.abs(step)[inside & (start + use >= 0)] <= low_and_high[1] - low_and_high[0]
        ).all()


@settings(max_examples=500, deadline=None)
@given(BOUNDS, st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=20))
def test_a_row_does_not_depend_on_the_rows_beside_it(
    bounds: list[int], rows: list[tuple[int, int]]
) -> None:
    def quantities(rows: list[tuple[int, int]]) -> list[tuple[int, ...]]:
        start, use = column(*[row[0] for row in rows]), column(*[row[1] for row in rows])
        steps = step_quantities(start, use, bounds)
        return list(zip(*(step.tolist() for step in steps), strict=True))

    together = quantities(rows)

    assert quantities(rows[::-1])[::-1] == together
    assert [row for single in rows for row in quantities([single])] == together


@settings(max_examples=500, deadline=None)
@given(BOUNDS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_correction_back_undoes_every_step(bounds: list[int], start: int, use: int) -> None:
    forth = step_quantities(column(start), column(use), bounds)
    back = step_quantities(column(start + use), column(-use), bounds)

    assert [(there + here).tolist() for there, here in zip(forth, back, strict=True)] == [
        [0]
    ] * len(forth)


def test_several_steps_crossed_in_one_month_are_each_billed() -> None:
    (line,) = rated(tariff_of([energy(ZHEJIANG)]), [(2700 * 10_000, 2200 * 10_000, 0)])

    assert line.parts.quantity.tolist() == [[60 * 10_000, 2040 * 10_000, 100 * 10_000]]
    assert line.parts.price.tolist() == [538_000, 588_000, 838_000]
    assert line.amount.tolist() == [3228 + 119_952 + 8380]


def test_a_fraction_between_whole_bounds_is_billed() -> None:
    (line,) = rated(tariff_of([energy(BEIJING, "month")]), [(0, 2_405_000, 0)])

    assert line.quantity.tolist() == [2_405_000]
    assert line.parts.quantity.tolist() == [[2_400_000, 5_000, 0]]


def test_bounds_may_be_fractions() -> None:
    tariff = tariff_of([energy([["7.5", "1"], ["2"]], "month")])
    (line,) = rated(tariff, [(0, 80_000, 0)])

    assert line.amount.tolist() == [850]


def test_each_step_is_cut_where_the_tariff_rounds_by_step() -> None:
    steps = energy([[1, "0.019"], ["0.019"]], "month")
    by_step = {"direction": "down", "unit": "0.01", "place": "step"}
    by_line = {"direction": "down", "unit": "0.01", "place": "line"}

    assert rated(tariff_of([steps], by_step), [(0, 20_000, 0)])[0].amount.tolist() == [2]
    assert rated(tariff_of([steps], by_line), [(0, 20_000, 0)])[0].amount.tolist() == [3]


def test_a_cumulative_use_beyond_64_bits_raises() -> None:
    with pytest.raises(OverflowInMoneyError):
        step_quantities(column(2**62), column(2**62), [10])
