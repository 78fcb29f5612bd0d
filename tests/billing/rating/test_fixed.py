"""A fixed amount a month."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rating_clerk import ROUNDINGS, agrees_with_the_clerk, rated, tariff_of

AMOUNTS = st.decimals(-100_000, 100_000, places=6).map(str)


@settings(max_examples=500, deadline=None)
@given(st.lists(AMOUNTS, min_size=1, max_size=4), ROUNDINGS, st.integers(0, 4))
def test_everybody_pays_what_a_clerk_makes_it(
    amounts: list[str],
    rounding: dict[str, str],
    rows: int,
) -> None:
    charges = [
        {"name": f"fee-{number}", "kind": "fixed", "amount": amount}
        for number, amount in enumerate(amounts)
    ]
    agrees_with_the_clerk(charges, rounding, [(0, 0, 0)] * rows)


def test_a_fee_counts_one_month_and_a_rebate_is_negative() -> None:
    fee = {"name": "parking", "kind": "fixed", "amount": "150"}
    rebate = {"name": "rebate", "kind": "fixed", "amount": "-20.5"}
    first, second = rated(tariff_of([fee, rebate]), [(0, 0, 0)] * 2)

    assert first.unit == "month"
    assert first.quantity.tolist() == [10_000, 10_000]
    assert first.amount.tolist() == [15_000, 15_000]
    assert second.amount.tolist() == [-2050, -2050]
