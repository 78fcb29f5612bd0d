"""A minimum, a cap and discounts move the sum of other lines, and no further than they may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
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

if TYPE_CHECKING:
    from billing.rating.exact import Carried

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


Spans = list[tuple[int, int]]
"""Days and use, kWh, of spans that follow each other and make a whole period."""


def moved_in_spans(charge: dict[str, Any], spans: Spans, **rules: Any) -> list[int]:
    """Return by how many fen each of `spans` is moved, at 1.00 a kWh."""
    tariff = tariff_of([{**ENERGY, "price": "1"}, {**MOVED, **charge}], **rules)
    carried: dict[str, tuple[Carried]] = {}
    before, moved = 0, []
    for days, use in spans:
        home = Home(use={REGISTER: use * 10_000}, days=days, days_before=before)
        subjects = homes_as_columns(tariff, [home], sum(each for each, _ in spans), carried)
        lines = rate(tariff, subjects)
        carried = {line.charge: (line.carry(0),) for line in lines}
        before += days
        moved.append(int(lines[1].amount[0]))
    return moved


MOVED = {"name": "moved", "of": ["energy"]}
MINIMUM = {"kind": "minimum", "amount": "31"}
CAP = {"kind": "cap", "amount": "31"}
DISCOUNT = {"kind": "discount", "amount": "31"}
OF_30_DAYS = {"amount": "30"}
TOGETHER: list[tuple[str, dict[str, Any], Spans, list[int]]] = [
    # 31.00 in 31 days: 10.00 are due after 10 days, 20.00 after 20, 31.00 in the end.
    ("days", MINIMUM, [(10, 4), (10, 20), (11, 2)], [600, -600, 500]),
    ("days", CAP, [(10, 25), (10, 1), (11, 1)], [-1500, 900, 600]),
    ("days", CAP, [(10, 25), (10, 9), (11, 1)], [-1500, 100, 1000]),
    ("days", CAP, [(10, 5), (10, 5), (11, 30)], [0, 0, -900]),
    ("days", DISCOUNT, [(10, 2), (10, 40), (11, 3)], [-200, -1800, -1100]),
    # Of 30 days: the 31st owes nothing; in February the last day owes what is missing to 30.
    ("thirty", {**MINIMUM, **OF_30_DAYS}, [(10, 4), (20, 20), (1, 2)], [600, 0, -200]),
    ("thirty", {**MINIMUM, **OF_30_DAYS}, [(27, 20), (1, 0)], [700, 300]),
    ("thirty", {**CAP, **OF_30_DAYS}, [(10, 20), (20, 0), (1, 15)], [-1000, 1000, -500]),
    # A month that is not prorated is whole from its first day on.
    ("whole", MINIMUM, [(10, 4), (10, 20), (11, 2)], [2700, -2000, -200]),
    ("whole", CAP, [(10, 25), (10, 9), (11, 1)], [0, -300, -100]),
    ("whole", DISCOUNT, [(10, 2), (10, 40), (11, 3)], [-200, -2900, 0]),
    # What is for a day is owed by the day, what is for a period at once, whatever months are.
    ("whole", {**MINIMUM, "amount": "1", "per": "day"}, [(10, 4), (21, 22)], [600, -100]),
    ("days", {**CAP, "per": "period"}, [(10, 25), (10, 9), (11, 1)], [0, -300, -100]),
]


@pytest.mark.parametrize(("proration", "charge", "spans", "moved"), TOGETHER)
def test_the_spans_of_a_month_are_bounded_together(
    proration: str, charge: dict[str, Any], spans: Spans, moved: list[int]
) -> None:
    assert moved_in_spans(charge, spans, proration=proration) == moved
    whole = sum(days for days, _ in spans), sum(use for _, use in spans)
    assert moved_in_spans(charge, [whole], proration=proration) == [sum(moved)]


@pytest.mark.parametrize("place", ["step", "line", "bill"])
def test_a_bound_is_rounded_once_whatever_place_is_rounded(place: str) -> None:
    """10.00 by 31 days: 3.2258, then 6.4516 together, and not a fen too much in the end."""
    rounding = {"direction": "up", "unit": "0.01", "place": place}
    spans = [(10, 0), (10, 0), (11, 0)]

    assert moved_in_spans({**MINIMUM, "amount": "10"}, spans, rounding=rounding) == [323, 323, 354]


def test_who_comes_on_the_31st_owes_no_part_of_a_month_of_30_days() -> None:
    tariff = tariff_of(
        [ENERGY, {**of_both("minimum", amount="9"), "of": ["energy"]}], proration="thirty"
    )
    home = Home(use={REGISTER: -10_000}, days=1, days_before=30)
    _, least = rate(tariff, homes_as_columns(tariff, [home], 31))

    assert least.amount.tolist() == [0]


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
