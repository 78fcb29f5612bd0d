"""A price for each of what a unit has."""

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
    homes_as_columns,
    numbers,
    parts_of_periods,
    tariff_of,
)
from tariff_oracle import Home

from billing.rating.rate import rate
from billing.rating.subjects import SubjectsError

PER = st.sampled_from(["month", "day", "period"])


def spaces(price: str, **more: Any) -> dict[str, Any]:
    return {"name": "parking", "kind": "per-count", "of": "car_spaces", "price": price, **more}


def having(count: int, **more: Any) -> Home:
    return Home(attributes={"car_spaces": count}, **more)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    PRICES,
    numbers(0, 50_000, 4),
    PER,
    st.tuples(ROUNDINGS, PRORATIONS, parts_of_periods()),
    st.lists(st.integers(0, 10**6), max_size=4),
)
def test_every_count_costs_what_a_clerk_makes_it(
    price: str,
    above: str,
    per: str,
    rules: tuple[dict[str, str], str, tuple[int, int, int]],
    counts: list[int],
) -> None:
    rounding, proration, (period_days, before, days) = rules
    charge = spaces(price, above=above, per=per)
    homes = [having(count, days=days, days_before=before) for count in counts]
    agree(document_of([charge], rounding, proration=proration), homes, period_days)


def test_two_car_spaces_cost_twice_one() -> None:
    tariff = tariff_of([spaces("150")])
    homes = [having(0), having(10_000), having(20_000)]
    (line,) = rate(tariff, homes_as_columns(tariff, homes, 30))

    assert line.unit == "car_spaces"
    assert line.amount.tolist() == [0, 15_000, 30_000]


def test_only_those_above_a_number_are_counted() -> None:
    tariff = tariff_of([spaces("150", above=1)])
    homes = [having(0), having(10_000), having(30_000)]
    (line,) = rate(tariff, homes_as_columns(tariff, homes, 30))

    assert line.amount.tolist() == [0, 0, 30_000]


def test_a_negative_count_is_refused() -> None:
    tariff = tariff_of([spaces("150")])

    with pytest.raises(SubjectsError, match="attribute car_spaces: is negative"):
        homes_as_columns(tariff, [having(-1)], 30)
