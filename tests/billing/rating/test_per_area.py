"""Area at one price per m² and month."""

from __future__ import annotations

from typing import Any

import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from rating_clerk import (
    EXAMPLES,
    PRICES,
    PRORATIONS,
    ROUNDINGS,
    agree,
    document_of,
    parts_of_periods,
    rated,
    tariff_of,
)
from tariff_oracle import Home

from billing.rating.rate import rate
from billing.rating.subjects import Subjects, SubjectsError


def property_fee(price: str) -> dict[str, Any]:
    return {"name": "property-fee", "kind": "per-area", "price": price}


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    PRICES, ROUNDINGS, PRORATIONS, parts_of_periods(), st.lists(st.integers(0, 10**8), max_size=4)
)
def test_every_area_costs_what_a_clerk_makes_it(
    price: str,
    rounding: dict[str, str],
    proration: str,
    part: tuple[int, int, int],
    areas: list[int],
) -> None:
    period_days, before, days = part
    homes = [Home(attributes={"area": area}, days=days, days_before=before) for area in areas]
    agree(document_of([property_fee(price)], rounding, proration=proration), homes, period_days)


def test_a_property_fee_is_area_times_price() -> None:
    (line,) = rated(tariff_of([property_fee("2.8")]), [(0, 0, 895_000), (0, 0, 1_120_300)])

    assert line.unit == "m2"
    assert line.amount.tolist() == [25_060, 31_368]


def test_an_area_that_is_not_given_is_no_area_of_zero() -> None:
    with pytest.raises(SubjectsError, match="needs the attribute 'area'"):
        rate(tariff_of([property_fee("2.8")]), Subjects.one(period_days=30))
