"""Packages: a price for every block that was started."""

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
    agrees_with_the_clerk,
    numbers,
    rated,
    tariff_of,
)


def packs(size: str, price: str) -> dict[str, Any]:
    return {
        "name": "packs",
        "kind": "packages",
        "register": REGISTER,
        "size": size,
        "price": price,
    }


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    numbers(10_000, 10**6, 4), PRICES, ROUNDINGS, st.lists(st.integers(-(10**6), 10**6), max_size=4)
)
def test_every_use_costs_what_a_clerk_makes_it(
    size: str, price: str, rounding: dict[str, str], uses: list[int]
) -> None:
    agrees_with_the_clerk([packs(size, price)], rounding, [(0, use, 0) for use in uses])


@pytest.mark.parametrize(
    ("use", "started"), [(0, 0), (1, 1), (100_000, 1), (100_001, 2), (-1, -1), (-100_001, -2)]
)
def test_a_started_package_counts_and_a_credit_is_its_mirror(use: int, started: int) -> None:
    (line,) = rated(tariff_of([packs("10", "5")]), [(0, use, 0)])

    assert line.unit == "package"
    assert line.quantity.tolist() == [started * 10_000]
    assert line.amount.tolist() == [started * 500]
