"""Demand: the highest average power, what it was before, and what was contracted."""

from __future__ import annotations

from typing import Any

import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from pydantic import ValidationError
from rating_clerk import (
    EXAMPLES,
    PRICES,
    PRORATIONS,
    REGISTER,
    ROUNDINGS,
    agree,
    document_of,
    homes_as_columns,
    numbers,
    parts_of_periods,
    tariff_of,
)
from tariff_oracle import Home

from billing.rating.rate import rate
from billing.rating.subjects import DemandNeed, Needs

SHARES = numbers(0, 10_000, 4)


def peak(price: str, **more: Any) -> dict[str, Any]:
    charge = {"name": "demand", "kind": "demand", "register": REGISTER, "minutes": 15}
    return {**charge, "price": price, **more}


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.tuples(PRICES, SHARES, SHARES),
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(ROUNDINGS, PRORATIONS, parts_of_periods()),
    st.lists(st.tuples(*[st.integers(0, 10**7)] * 3), max_size=4),
)
def test_every_demand_costs_what_a_clerk_makes_it(
    terms: tuple[str, str, str],
    applies: tuple[bool, bool],
    rules: tuple[dict[str, str], str, tuple[int, int, int]],
    rows: list[tuple[int, int, int]],
) -> None:
    rounding, proration, (period_days, before, days) = rules
    charge = peak(terms[0])
    if applies[0]:
        charge["ratchet"] = {"months": 11, "share": terms[1]}
    if applies[1]:
        charge["least"] = {"attribute": "subscribed_kva", "share": terms[2]}
    homes = [
        Home(
            use={REGISTER: 0},
            demand=demand,
            peak=earlier,
            attributes={"subscribed_kva": contracted},
            days=days,
            days_before=before,
        )
        for demand, earlier, contracted in rows
    ]
    agree(document_of([charge], rounding, proration=proration), homes, period_days)


@pytest.mark.parametrize(
    ("demand", "earlier", "contracted", "billed"),
    [
        (1_000_000, 0, 0, 1_000_000),
        (500_000, 1_000_000, 0, 800_000),
        (500_000, 0, 2_000_000, 800_000),
        (900_000, 1_000_000, 2_000_000, 900_000),
    ],
)
def test_the_highest_of_what_applies_is_billed(
    demand: int, earlier: int, contracted: int, billed: int
) -> None:
    charge = peak(
        "38",
        ratchet={"months": 11, "share": "0.8"},
        least={"attribute": "subscribed_kva", "share": "0.4"},
    )
    tariff = tariff_of([charge])
    home = Home(
        use={REGISTER: 0},
        demand=demand,
        peak=earlier,
        attributes={"subscribed_kva": contracted},
    )
    (line,) = rate(tariff, homes_as_columns(tariff, [home], 30))

    assert line.unit == "kW"
    assert line.quantity.tolist() == [billed]
    assert line.amount.tolist() == [billed * 38 // 100]


def test_a_demand_says_which_window_and_how_far_back_it_looks() -> None:
    plain, ratcheted = peak("1"), peak("1", minutes=30, ratchet={"months": 11, "share": "1"})

    assert tariff_of([plain]).needs == Needs(
        registers=frozenset({REGISTER}), demand=frozenset({DemandNeed(REGISTER, 15, 0)})
    )
    assert tariff_of([ratcheted]).needs.demand == {DemandNeed(REGISTER, 30, 11)}


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"minutes": 20}, "15, 30 or 60"),
        ({"ratchet": {"months": 11, "share": "80"}}, "is a share, such as 0.8"),
        ({"ratchet": {"months": 0, "share": "0.8"}}, "greater than or equal to 1"),
    ],
)
def test_a_window_or_share_that_cannot_be_is_refused(changes: dict[str, Any], advice: str) -> None:
    with pytest.raises(ValidationError, match=advice):
        tariff_of([peak("1") | changes])
