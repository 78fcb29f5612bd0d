"""Volume steps: all of the use at the price that it reaches."""

from __future__ import annotations

from typing import Any

import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from rating_clerk import (
    EXAMPLES,
    PRICES,
    REGISTER,
    ROUNDINGS,
    agree,
    document_of,
    parts_of_periods,
    rated,
    tariff_of,
)
from tariff_oracle import Home

BOUNDS = st.lists(st.integers(1, 40), max_size=4, unique=True).map(sorted)


def all_at(steps: list[list[Any]], **more: Any) -> dict[str, Any]:
    return {"name": "energy", "kind": "volume", "register": REGISTER, "steps": steps, **more}


@st.composite
def volume_steps(draw: st.DrawFn) -> list[list[str]]:
    bounds = draw(BOUNDS)
    prices = [draw(PRICES) for _ in range(len(bounds) + 1)]
    return [[str(bound), price] for bound, price in zip(bounds, prices[1:], strict=True)] + [
        [prices[0]]
    ]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    volume_steps(),
    ROUNDINGS,
    st.sampled_from(["never", "always", {"outside": [29, 30]}]),
    parts_of_periods(),
    st.lists(
        st.integers(-(10**6), 10**6) | st.integers(-2, 45).map(lambda x: x * 10_000), max_size=4
    ),
)
def test_every_use_costs_what_a_clerk_makes_it(
    steps: list[list[str]],
    rounding: dict[str, str],
    width: Any,
    part: tuple[int, int, int],
    uses: list[int],
) -> None:
    period_days, before, days = part
    homes = [Home(use={REGISTER: use}, days=days, days_before=before) for use in uses]
    agree(document_of([all_at(steps, days=width)], rounding), homes, period_days)


@pytest.mark.parametrize(
    ("use", "fen"), [(100_000, 1000), (100_001, 2000), (200_000, 4000), (0, 0), (-50_000, -500)]
)
def test_all_units_cost_what_the_reached_step_costs_and_not_each_its_own(
    use: int, fen: int
) -> None:
    (line,) = rated(tariff_of([all_at([[10, "1"], [15, "2"], ["2"]])]), [(0, use, 0)])

    assert line.amount.tolist() == [fen]
    assert int(line.parts.quantity.sum()) == use


def test_volume_and_graduated_steps_differ_where_a_bound_is_crossed() -> None:
    graduated = all_at([[10, "1"], ["2"]], kind="steps", per="month", name="graduated")
    volume, steps = rated(tariff_of([all_at([[10, "1"], ["2"]]), graduated]), [(0, 200_000, 0)])

    assert volume.amount.tolist() == [4000]
    assert steps.amount.tolist() == [3000]
