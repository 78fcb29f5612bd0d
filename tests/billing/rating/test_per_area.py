"""Area at one price per m² and month."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rating_clerk import ROUNDINGS, agrees_with_the_clerk, rated, tariff_of

from billing.rating.rate import rate
from billing.rating.subjects import Subjects, SubjectsError

PRICES = st.decimals(0, 1000, places=6).map(str)


def property_fee(price: str) -> dict[str, Any]:
    return {"name": "property-fee", "kind": "per-area", "price": price}


@settings(max_examples=500, deadline=None)
@given(PRICES, ROUNDINGS, st.lists(st.integers(0, 10**8), max_size=8))
def test_every_area_costs_what_a_clerk_makes_it(
    price: str,
    rounding: dict[str, str],
    areas: list[int],
) -> None:
    agrees_with_the_clerk([property_fee(price)], rounding, [(0, 0, area) for area in areas])


def test_a_property_fee_is_area_times_price() -> None:
    (line,) = rated(tariff_of([property_fee("2.8")]), [(0, 0, 895_000), (0, 0, 1_120_300)])

    assert line.unit == "m2"
    assert line.amount.tolist() == [25_060, 31_368]


def test_an_area_that_is_not_given_is_no_area_of_zero() -> None:
    with pytest.raises(SubjectsError, match="needs the attribute 'area'"):
        rate(tariff_of([property_fee("2.8")]), Subjects.one(period_days=30))
