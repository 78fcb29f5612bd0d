"""Use at one price."""

from __future__ import annotations

from typing import Any

import numpy as np
import one_draw as st
from hypothesis import settings
from one_draw import given
from rating_clerk import (
    EXAMPLES,
    PRICES,
    ROUNDINGS,
    agrees_with_the_clerk,
    numbers,
    rated,
    tariff_of,
)

SHARES = st.none() | numbers(0, 20_000, 4)
USES = st.lists(st.integers(-(10**9), 10**9), max_size=4)


def energy(price: str, share: str | None = None) -> dict[str, Any]:
    charge = {"name": "energy", "kind": "per-unit", "register": "import_energy", "price": price}
    return charge if share is None else {**charge, "share": share}


@settings(max_examples=EXAMPLES, deadline=None)
@given(PRICES, SHARES, ROUNDINGS, USES)
def test_every_use_costs_what_a_clerk_makes_it(
    price: str,
    share: str | None,
    rounding: dict[str, str],
    uses: list[int],
) -> None:
    agrees_with_the_clerk([energy(price, share)], rounding, [(0, use, 0) for use in uses])


@settings(max_examples=500, deadline=None)
@given(PRICES, USES)
def test_splitting_a_period_at_a_reading_changes_no_unrounded_amount(
    price: str, uses: list[int]
) -> None:
    tariff = tariff_of([energy(price)])
    (whole,) = rated(tariff, [(0, sum(uses), 0)])
    (split,) = rated(tariff, [(0, use, 0) for use in uses])

    assert int(split.parts.total_unrounded().sum()) == int(whole.parts.total_unrounded()[0])


def test_a_price_of_four_decimals_is_not_cut_to_cents() -> None:
    (line,) = rated(tariff_of([energy("0.5283")]), [(0, 1000 * 10_000, 0)])

    assert line.amount.tolist() == [52_830]
    assert line.unit == "kWh"
    assert line.quantity.tolist() == [10_000_000]
    assert line.parts.price.tolist() == [528_300]


def test_sewage_is_billed_on_a_share_of_the_water_and_shows_it() -> None:
    (line,) = rated(tariff_of([energy("1.36", "0.9")]), [(0, 123_456, 0), (0, -123_456, 0)])

    assert line.quantity.tolist() == [111_110, -111_110]
    assert line.amount.tolist() == [1511, -1511]


def test_negative_use_is_a_credit_and_not_zero() -> None:
    (line,) = rated(tariff_of([energy("0.5")]), [(0, -100_000, 0)])

    assert line.amount.tolist() == [-500]


def test_the_line_is_of_int64_however_many_rows() -> None:
    for rows in (0, 1, 3):
        (line,) = rated(tariff_of([energy("1")]), [(0, 10_000, 0)] * rows)
        assert line.amount.dtype == np.int64
        assert line.amount.shape == (rows,)
        assert line.parts.quantity.shape == (rows, 1)
