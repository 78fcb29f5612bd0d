"""Category schedules: the use chooses the steps that price all of it."""

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

RISING = st.lists(st.integers(1, 40), max_size=2, unique=True).map(sorted)


def by_category(categories: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": "energy", "kind": "categories", "register": REGISTER, "category": categories}


@st.composite
def category_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    def steps() -> list[list[Any]]:
        return [*[[bound, draw(PRICES)] for bound in draw(RISING)], [draw(PRICES)]]

    found: list[dict[str, Any]] = [{"until": end, "steps": steps()} for end in draw(RISING)]
    return [*found, {"steps": steps()}]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    category_lists(),
    ROUNDINGS,
    parts_of_periods(),
    st.lists(st.integers(-(10**5), 6 * 10**5), max_size=4),
)
def test_every_use_costs_what_a_clerk_makes_it(
    categories: list[dict[str, Any]],
    rounding: dict[str, str],
    part: tuple[int, int, int],
    uses: list[int],
) -> None:
    period_days, before, days = part
    homes = [Home(use={REGISTER: use}, days=days, days_before=before) for use in uses]
    agree(document_of([by_category(categories)], rounding), homes, period_days)


@pytest.mark.parametrize(
    ("use", "fen"), [(500_000, 1500), (500_001, 4000), (1_000_000, 8000), (1_500_000, 15_000)]
)
def test_the_total_chooses_the_schedule(use: int, fen: int) -> None:
    categories = [
        {"until": 50, "steps": [["0.3"]]},
        {"until": 100, "steps": [["0.8"]]},
        {"steps": [["1"]]},
    ]
    (line,) = rated(tariff_of([by_category(categories)]), [(0, use, 0)])

    assert line.amount.tolist() == [fen]
    assert line.quantity.tolist() == [use]
