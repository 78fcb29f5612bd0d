"""A period that is split bills what it bills in one, where use is priced by the unit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from rating_clerk import (
    EXAMPLES,
    PRICES,
    PRORATIONS,
    REGISTER,
    ROUNDINGS,
    TOGETHER,
    document_of,
    homes_as_columns,
    tariff_of,
)
from tariff_oracle import Home, Oracle

from billing.money import from_fen
from billing.rating.exact import Carried
from billing.rating.rate import ChargeColumns, rate

if TYPE_CHECKING:
    from billing.tariff import Tariff

ENERGY = {"name": "energy", "kind": "per-unit", "register": REGISTER, "price": "0.5383"}
YEARLY = {
    "name": "steps",
    "kind": "steps",
    "per": "year",
    "register": REGISTER,
    "steps": [[100, "0.4883"], [200, "0.5383"], ["0.7883"]],
}
FEE = {"name": "fee", "kind": "per-area", "price": "2.35"}
LEAST = {"name": "least", "kind": "minimum", "of": ["energy", "fee"], "amount": "250"}
MOST = {"name": "most", "kind": "cap", "of": ["steps"], "amount": "60"}
REBATES: list[dict[str, Any]] = [
    {"name": "by-amount", "kind": "discount", "of": ["energy", "steps"], "amount": "50"},
    {"name": "by-percent", "kind": "discount", "of": ["energy", "fee"], "percent": "7.5"},
    {"name": "surcharge", "kind": "percentage", "of": ["energy", "least"], "percent": "3.3"},
]
TAXES = [
    {"name": "vat", "title": {"en": "VAT"}, "percent": "13", "included": True},
    {"name": "duty", "title": {"en": "Duty"}, "percent": "3.7", "included": False},
]
USES = st.lists(st.integers(0, 3 * 10**6), min_size=1, max_size=5)


def in_spans(
    tariff: Tariff, homes: list[Home], period_days: int
) -> list[tuple[ChargeColumns, ...]]:
    """Rate the spans of a unit one after the other, each with what the one before left over."""
    carried: dict[str, tuple[Carried]] = {}
    rated = []
    for home in homes:
        lines = rate(tariff, homes_as_columns(tariff, [home], period_days, carried))
        carried = {line.charge: (line.carry(0),) for line in lines}
        rated.append(lines)
    return rated


def spans_of(uses: list[int], period_days: int) -> list[Home]:
    first = [period_days * place // len(uses) for place in range(len(uses) + 1)]
    return [
        Home(
            use={REGISTER: use},
            before_year={REGISTER: sum(uses[:place])},
            attributes={"area": 885_001},
            days=first[place + 1] - first[place],
            days_before=first[place],
        )
        for place, use in enumerate(uses)
    ]


@settings(max_examples=500, deadline=None)
@given(USES, PRICES, TOGETHER, PRORATIONS, st.integers(28, 31))
def test_a_split_period_bills_to_the_fen_what_it_bills_in_one(
    uses: list[int], price: str, rounding: dict[str, str], proration: str, period_days: int
) -> None:
    tariff = tariff_of(
        [
            {**ENERGY, "price": price, "tax": "duty"},
            {**YEARLY, "tax": "vat"},
            {**FEE, "tax": "duty"},
            *(LEAST, MOST, *REBATES),
        ],
        rounding,
        proration=proration,
        tax=TAXES,
    )
    split = in_spans(tariff, spans_of(uses, period_days), period_days)
    (whole,) = in_spans(tariff, spans_of([sum(uses)], period_days), period_days)
    for place, line in enumerate(whole):
        assert sum(int(lines[place].amount[0]) for lines in split) == int(line.amount[0])
        stated = [lines[place].tax for lines in split]
        if line.tax is not None:
            assert sum(int(t.amount[0]) for t in stated if t) == int(line.tax.amount[0])


@settings(max_examples=EXAMPLES, deadline=None)
@given(USES, TOGETHER)
def test_what_is_carried_is_what_the_oracle_says(uses: list[int], rounding: dict[str, str]) -> None:
    charges: list[dict[str, Any]] = [ENERGY, YEARLY, FEE]
    oracle = Oracle(document_of(charges, rounding), 31)
    carried: dict[str, tuple[Fraction, Fraction]] = {}
    homes = spans_of(uses, 31)
    for home, lines in zip(homes, in_spans(tariff_of(charges, rounding), homes, 31), strict=True):
        bill = oracle.bill(home, carried)
        named = {line.charge: line for line in lines}
        for name, exact in bill.exact.items():
            assert from_fen(int(named[name].amount[0])) == bill.lines[name]
            billed = carried.get(name, (0, Fraction(0)))[1] + bill.lines[name]
            assert named[name].carry(0) == Carried(exact, int(billed * 100))
            carried[name] = (exact, billed)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=6), ROUNDINGS)
def test_the_order_of_rows_changes_no_row(uses: list[int], rounding: dict[str, str]) -> None:
    charges: list[dict[str, Any]] = [ENERGY, YEARLY, FEE]
    tariff = tariff_of(charges, rounding)
    homes = [spans_of([use], 30)[0] for use in uses]
    forth = rate(tariff, homes_as_columns(tariff, homes, 30))
    back = rate(tariff, homes_as_columns(tariff, homes[::-1], 30))

    assert [line.amount.tolist() for line in forth] == [line.amount.tolist()[::-1] for line in back]


@settings(max_examples=500, deadline=None)
@given(st.integers(-(10**7), 10**7), PRICES)
def test_twice_the_use_costs_twice_as_much_by_the_unit(use: int, price: str) -> None:
    tariff = tariff_of([{**ENERGY, "price": price}])
    homes = [Home(use={REGISTER: use}), Home(use={REGISTER: 2 * use})]
    (line,) = rate(tariff, homes_as_columns(tariff, homes, 30))

    assert line.exact.row(1) == 2 * line.exact.row(0)


def test_steps_that_are_rounded_by_themselves_carry_nothing() -> None:
    rounding = {"direction": "down", "unit": "0.01", "place": "step"}
    tariff = tariff_of([ENERGY], rounding)
    (line,) = rate(tariff, homes_as_columns(tariff, [Home(use={REGISTER: 10_001})], 30))

    assert line.carry(0) == Carried(Fraction(53, 100), 53)


@pytest.mark.parametrize("direction", ["half-up", "half-even", "down", "up"])
@pytest.mark.parametrize("uses", [[100, 0], [100, 0, 0], [300, 0], [100, 100, 100], [301, 0, 0]])
def test_a_span_without_use_never_takes_back_what_was_rounded_up(
    direction: str, uses: list[int]
) -> None:
    rounding = {"direction": direction, "unit": "0.01", "place": "line"}
    tariff = tariff_of([{**ENERGY, "price": "0.5"}], rounding)

    spans = in_spans(tariff, spans_of(uses, 31), 31)

    amounts = [int(line.amount[0]) for (line,) in spans]
    assert min(amounts) >= 0
    assert sum(amounts) == sum(
        int(line.amount[0]) for (line,) in in_spans(tariff, spans_of([sum(uses)], 31), 31)
    )
