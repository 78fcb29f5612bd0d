"""A minimum, a cap and discounts move the sum of other lines, and no further than they may."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rating_clerk import (
    EXAMPLES,
    PRORATIONS,
    REGISTER,
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

from billing.money import from_fen
from billing.rating.rate import rate

ENERGY = {"name": "energy", "kind": "per-unit", "register": REGISTER, "price": "0.5383"}
FEE = {"name": "fee", "kind": "fixed", "amount": "7.77"}
AMOUNTS = numbers(1, 10**5, 2)
PER = st.sampled_from(["month", "day", "period"])
RULES = st.tuples(ROUNDINGS, PRORATIONS, parts_of_periods())
USES = st.lists(st.integers(-(10**6), 10**7), max_size=4)


def of_both(kind: str, name: str = "moved", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "of": ["energy", "fee"], **more}


def hold_against_the_clerk(
    charges: list[dict[str, Any]],
    rules: tuple[dict[str, str], str, tuple[int, int, int]],
    uses: list[int],
) -> None:
    rounding, proration, (period_days, before, days) = rules
    homes = [Home(use={REGISTER: use}, days=days, days_before=before) for use in uses]
    agree(document_of([ENERGY, FEE, *charges], rounding, proration=proration), homes, period_days)


@settings(max_examples=EXAMPLES, deadline=None)
@given(AMOUNTS, PER, RULES, USES)
def test_every_minimum_is_what_a_clerk_makes_it(
    amount: str, per: str, rules: tuple[dict[str, str], str, tuple[int, int, int]], uses: list[int]
) -> None:
    hold_against_the_clerk([of_both("minimum", amount=amount, per=per)], rules, uses)


@settings(max_examples=EXAMPLES, deadline=None)
@given(AMOUNTS, PER, RULES, USES)
def test_every_cap_is_what_a_clerk_makes_it(
    amount: str, per: str, rules: tuple[dict[str, str], str, tuple[int, int, int]], uses: list[int]
) -> None:
    hold_against_the_clerk([of_both("cap", amount=amount, per=per)], rules, uses)


@settings(max_examples=EXAMPLES, deadline=None)
@given(AMOUNTS, numbers(1, 10**6, 4), PER, RULES, USES)
def test_every_discount_is_what_a_clerk_makes_it(
    amount: str,
    percent: str,
    per: str,
    rules: tuple[dict[str, str], str, tuple[int, int, int]],
    uses: list[int],
) -> None:
    by_amount = of_both("discount", "by-amount", amount=amount, per=per)
    by_percent = of_both("discount", "by-percent", percent=percent)
    hold_against_the_clerk([by_amount, by_percent], rules, uses)


@settings(max_examples=EXAMPLES, deadline=None)
@given(AMOUNTS, RULES, USES)
def test_a_discount_is_never_more_than_what_it_discounts(
    amount: str, rules: tuple[dict[str, str], str, tuple[int, int, int]], uses: list[int]
) -> None:
    rounding, proration, (period_days, before, days) = rules
    charges = [ENERGY, FEE, of_both("discount", amount=amount)]
    tariff = tariff_of(charges, rounding, proration=proration)
    homes = [Home(use={REGISTER: use}, days=days, days_before=before) for use in uses]
    energy, fee, discount, *_ = rate(tariff, homes_as_columns(tariff, homes, period_days))
    for row in range(len(uses)):
        base = int(energy.amount[row] + fee.amount[row])
        assert 0 <= -int(discount.amount[row]) <= max(base, 0)


def test_a_minimum_fills_up_and_a_cap_takes_off_and_neither_appears_where_it_does_nothing() -> None:
    charges = [ENERGY, FEE, of_both("minimum", "least", amount="20"), of_both("cap", amount="30")]
    *_, least, most = rated(tariff_of(charges), [(0, use, 0) for use in (0, 300_000, 10**6)])

    assert least.amount.tolist() == [1223, 0, 0]
    assert most.amount.tolist() == [0, 0, 3000 - 5383 - 777]
    assert least.applies is not None
    assert most.applies is not None
    assert least.applies.tolist() == [True, False, False]
    assert most.applies.tolist() == [False, False, True]


def test_a_part_of_a_month_has_its_part_of_the_minimum() -> None:
    tariff = tariff_of([ENERGY, {**of_both("minimum", amount="29.00"), "of": ["energy"]}])
    home = Home(use={REGISTER: 0}, days=12)
    _, least = rate(tariff, homes_as_columns(tariff, [home], 29))

    assert from_fen(int(least.amount[0])) == 12


WHOLE: dict[str, dict[str, Any]] = {
    "a month that is not prorated": {"proration": "whole"},
    "a period": {},
}


def in_two_halves(
    kind: str, rule: str, uses: tuple[int, int], *, sold: bool = False
) -> tuple[int, int]:
    """Return what a bound of 100.00 moves in each half of a month, of one account or of two."""
    per = "period" if rule == "a period" else "month"
    energy = {**ENERGY, "price": "1"}
    bound = {**of_both(kind, amount="100", per=per), "of": ["energy"]}
    tariff = tariff_of([energy, bound], **WHOLE[rule])
    halves = [
        Home(use={REGISTER: use * 10_000}, days=15, days_before=before)
        for use, before in zip(uses, (0, 15), strict=True)
    ]
    first = rate(tariff, homes_as_columns(tariff, halves[:1], 30))
    carried = {} if sold else {line.charge: (line.carry(0),) for line in first}
    second = rate(tariff, homes_as_columns(tariff, halves[1:], 30, carried))
    return int(first[1].amount[0]), int(second[1].amount[0])


@pytest.mark.parametrize("rule", WHOLE)
def test_a_cap_holds_for_all_that_an_account_pays_in_a_month_that_is_split(rule: str) -> None:
    assert in_two_halves("cap", rule, (60, 30)) == (0, 0)
    assert in_two_halves("cap", rule, (60, 70)) == (0, -3000)
    assert in_two_halves("cap", rule, (150, 20)) == (-5000, -2000)
    assert in_two_halves("cap", rule, (150, -80)) == (-5000, 5000)


@pytest.mark.parametrize("rule", WHOLE)
def test_who_buys_within_the_month_has_a_cap_of_his_own_and_owes_no_second_minimum(
    rule: str,
) -> None:
    assert in_two_halves("cap", rule, (60, 70), sold=True) == (0, 0)
    assert in_two_halves("cap", rule, (60, 130), sold=True) == (0, -3000)
    assert in_two_halves("minimum", rule, (60, 30), sold=True) == (4000, 0)
    assert in_two_halves("minimum", rule, (60, -30), sold=True) == (4000, 0)


@pytest.mark.parametrize("rule", WHOLE)
def test_what_filled_up_a_minimum_is_given_back_where_the_rest_of_the_month_reaches_it(
    rule: str,
) -> None:
    assert in_two_halves("minimum", rule, (60, 30)) == (4000, -3000)
    assert in_two_halves("minimum", rule, (60, 70)) == (4000, -4000)
    assert in_two_halves("minimum", rule, (120, 30)) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({}, "either percent or amount"),
        ({"percent": 5, "amount": 5}, "either percent or amount"),
        ({"percent": 101}, "more than all cannot be taken off"),
        ({"percent": -5}, "must be above 0, got -5; a discount is taken off by itself"),
        ({"amount": 0}, "must be above 0"),
        ({"percent": 5, "per": "day"}, "leave out per"),
        ({"amount": 5, "of": []}, "is empty"),
    ],
)
def test_a_discount_that_cannot_be_is_refused(changes: dict[str, Any], advice: str) -> None:
    with pytest.raises(ValidationError, match=advice):
        tariff_of([ENERGY, FEE, {**of_both("discount"), **changes}])
