"""Fees by formula, priced, prorated and rounded as any other charge."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import one_draw as st
import pytest
from hypothesis import assume, settings
from one_draw import given
from rating_clerk import (
    EVERY_ROUNDING,
    EXAMPLES,
    REGISTER,
    column,
    homes_as_columns,
    numbers,
    parts_of_periods,
    tariff_of,
)
from tariff_oracle import CENT, Home, rounded, scaled

from billing.formula.problem import FormulaBlockedError
from billing.money import OverflowInMoneyError
from billing.rating.rate import rate
from billing.rating.subjects import Needs

LINE_BY_LINE = st.sampled_from([each for each in EVERY_ROUNDING if each["place"] == "line"])
FEE = {"name": "fee", "kind": "fixed", "amount": "10"}


def by(formula: str, *, prorate: bool = False) -> dict[str, Any]:
    return {"name": "custom", "kind": "formula", "formula": formula, "prorate": prorate}


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.tuples(numbers(0, 10**5, 4), numbers(0, 10**5, 2)),
    st.booleans(),
    LINE_BY_LINE,
    parts_of_periods(),
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10**5)), min_size=1, max_size=3),
)
def test_every_formula_is_what_a_clerk_makes_it(
    terms: tuple[str, str],
    prorate: bool,  # noqa: FBT001  Hypothesis passes it
    rounding: dict[str, str],
    part: tuple[int, int, int],
    rows: list[tuple[int, int]],
) -> None:
    period_days, before, days = part
    formula = f"max(area × {terms[0]} [CNY/m2], {terms[1]} [CNY]) ÷ persons × 1 [person]"
    tariff = tariff_of([by(formula, prorate=prorate)], rounding)
    homes = [
        Home(attributes={"area": area, "persons": persons}, days=days, days_before=before)
        for area, persons in rows
    ]
    try:
        (line,) = rate(tariff, homes_as_columns(tariff, homes, period_days))
    except OverflowInMoneyError:
        assume(False)  # noqa: FBT003  it is refused, and nothing is billed wrongly
        return
    for amount, (area, persons) in zip(line.amount.tolist(), rows, strict=True):
        owed = max(scaled(area) * Fraction(terms[0]), Fraction(terms[1])) / scaled(persons)
        owed *= Fraction(days, period_days) if prorate else 1
        expected = rounded(owed, Fraction(rounding["unit"]), rounding["direction"])
        assert amount * CENT == expected


def test_a_formula_reads_use_earlier_charges_and_days() -> None:
    formula = f"use.{REGISTER} × 0.1 [CNY/kWh] + charge.fee × days ÷ period_days"
    tariff = tariff_of([FEE, by(formula)])
    home = Home(use={REGISTER: 100_000}, days=15)
    _, custom = rate(tariff, homes_as_columns(tariff, [home], 30))

    assert tariff.needs == Needs(registers=frozenset({REGISTER}))
    assert tariff.charges[1].of_charges == ("fee",)
    assert custom.unit == "CNY"
    assert custom.amount.tolist() == [100 + 250]


def test_a_third_is_rounded_once_and_not_before() -> None:
    tariff = tariff_of([by("area × 1 [CNY/m2] ÷ 3")])
    homes = [Home(attributes={"area": area}) for area in (10_000, 20_000, 30_000)]
    (line,) = rate(tariff, homes_as_columns(tariff, homes, 30))

    assert line.amount.tolist() == [33, 67, 100]


def test_a_row_without_a_result_blocks_and_is_not_billed_nothing() -> None:
    tariff = tariff_of([by("1 [CNY] × 1 [person] ÷ persons")])
    homes = [Home(attributes={"persons": 10_000}), Home(attributes={"persons": 0})]

    with pytest.raises(FormulaBlockedError) as caught:
        rate(tariff, homes_as_columns(tariff, homes, 30))
    assert [blocked.row for blocked in caught.value.rows] == [1]


def test_a_formula_for_a_class_is_not_tried_on_the_others() -> None:
    tariff = tariff_of([{**by("1 [CNY] × 1 [person] ÷ persons"), "classes": ["shop"]}])
    homes = [
        Home(attributes={"persons": persons}, customer_class=customer_class)
        for persons, customer_class in ((40_000, "shop"), (0, "home"))
    ]
    (line,) = rate(tariff, homes_as_columns(tariff, homes, 30))

    assert line.amount.tolist() == [25, 0]
    assert line.applies is not None
    assert line.applies.tolist() == [True, False]
    homes.append(replace(homes[1], customer_class="shop"))
    with pytest.raises(FormulaBlockedError) as caught:
        rate(tariff, homes_as_columns(tariff, homes, 30))
    assert [blocked.row for blocked in caught.value.rows] == [2]


def test_a_formula_gives_the_same_for_one_row_and_for_many() -> None:
    tariff = tariff_of([by("min(area × 0.333333 [CNY/m2], 50 [CNY])")])
    areas = column(range(0, 3_000_000, 77_777)).tolist()
    homes = [Home(attributes={"area": area}) for area in areas]
    (together,) = rate(tariff, homes_as_columns(tariff, homes, 30))
    alone = [int(rate(tariff, homes_as_columns(tariff, [home], 30))[0].amount[0]) for home in homes]

    assert together.amount.tolist() == alone
