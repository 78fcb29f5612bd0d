"""A fixed amount a month, a day or a period."""

from __future__ import annotations

import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from rating_clerk import (
    EXAMPLES,
    PRORATIONS,
    ROUNDINGS,
    agree,
    document_of,
    homes_as_columns,
    numbers,
    parts_of_periods,
    rated,
    tariff_of,
)
from tariff_oracle import Home

from billing.rating.rate import rate

AMOUNTS = numbers(-(10**11), 10**11, 6)
PER = st.sampled_from(["month", "day", "period"])


@settings(max_examples=EXAMPLES, deadline=None)
@given(AMOUNTS, PER, st.tuples(ROUNDINGS, PRORATIONS, parts_of_periods()), st.integers(0, 3))
def test_everybody_pays_what_a_clerk_makes_it(
    amount: str,
    per: str,
    rules: tuple[dict[str, str], str, tuple[int, int, int]],
    count: int,
) -> None:
    rounding, proration, (period_days, before, days) = rules
    fee = {"name": "fee", "kind": "fixed", "amount": amount, "per": per}
    homes = [Home(days=days, days_before=before)] * count
    agree(document_of([fee], rounding, proration=proration), homes, period_days)


def test_a_fee_counts_one_month_and_a_rebate_is_negative() -> None:
    fee = {"name": "parking", "kind": "fixed", "amount": "150"}
    rebate = {"name": "rebate", "kind": "fixed", "amount": "-20.5"}
    first, second = rated(tariff_of([fee, rebate]), [(0, 0, 0)] * 2)

    assert first.unit == "month"
    assert first.quantity.tolist() == [10_000, 10_000]
    assert first.amount.tolist() == [15_000, 15_000]
    assert second.amount.tolist() == [-2050, -2050]


@pytest.mark.parametrize(
    ("proration", "period_days", "fen"),
    [("days", 29, 621), ("days", 28, 643), ("thirty", 29, 600), ("thirty", 28, 600)],
)
def test_twelve_days_of_february(proration: str, period_days: int, fen: int) -> None:
    fee = {"name": "fee", "kind": "fixed", "amount": "15.00"}
    tariff = tariff_of([fee], proration=proration)
    (line,) = rate(tariff, homes_as_columns(tariff, [Home(days=12)], period_days))

    assert line.amount.tolist() == [fen]


def test_a_part_of_a_month_says_what_part_and_what_it_is_divided_by() -> None:
    tariff = tariff_of([{"name": "fee", "kind": "fixed", "amount": "15.00"}])
    (line,) = rate(tariff, homes_as_columns(tariff, [Home(days=12)], 29))

    assert line.quantity.tolist() == [4138]
    assert line.parts.quantity.tolist() == [[120_000]]
    assert line.parts.divisor is not None
    assert line.parts.divisor.tolist() == [29]


@pytest.mark.parametrize(("per", "fen"), [("day", 1200), ("period", 100)])
def test_a_fee_by_the_day_or_the_period(per: str, fen: int) -> None:
    tariff = tariff_of([{"name": "fee", "kind": "fixed", "amount": "1", "per": per}])
    first, later = Home(days=12), Home(days=18, days_before=12)
    (line,) = rate(tariff, homes_as_columns(tariff, [first, later], 30))

    assert line.unit == per
    assert line.amount.tolist() == [fen, 1800 if per == "day" else 0]
