"""Parts of a month are a month, whichever rule counts them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rating_clerk import column

from billing.rating.proration import Proration


@st.composite
def split_months(draw: st.DrawFn) -> list[int]:
    """Return the days of the parts of a month."""
    left = draw(st.integers(28, 31))
    parts = []
    while left:
        parts.append(draw(st.integers(1, left)))
        left -= parts[-1]
    return parts


@given(split_months(), st.sampled_from(Proration))
def test_the_parts_of_a_month_are_one_month(parts: list[int], rule: Proration) -> None:
    before = [sum(parts[:place]) for place in range(len(parts))]
    months = rule.months(column(before), column(parts), sum(parts))
    divisors = [1] * len(parts) if months.divisor is None else months.divisor.tolist()
    shares = [
        Fraction(part, divisor)
        for part, divisor in zip(months.numerator.tolist(), divisors, strict=True)
    ]

    assert sum(shares) == 1
    assert min(shares) >= 0


@pytest.mark.parametrize("period_days", [28, 29, 30, 31])
@pytest.mark.parametrize("rule", Proration)
def test_a_whole_month_is_one_and_is_not_divided(rule: Proration, period_days: int) -> None:
    months = rule.months(column([0]), column([period_days]), period_days)

    assert months.numerator.tolist() == [1]
    assert months.divisor is None


def test_whoever_comes_first_owes_all_of_a_month_that_is_not_prorated() -> None:
    months = Proration.WHOLE.months(column([0, 12]), column([12, 18]), 30)

    assert months.numerator.tolist() == [1, 0]
