"""Whole tariffs: order, rounding of the bill, one row and many, overflow."""

from __future__ import annotations

import numpy as np
import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from rating_clerk import EXAMPLES, ROUNDINGS, agrees_with_the_clerk, rated, tariff_of

from billing.money import OverflowInMoneyError
from billing.rating.rate import rate, total
from billing.rating.subjects import Needs, Subjects, SubjectsError

CHARGES = [
    {
        "name": "energy",
        "kind": "steps",
        "per": "year",
        "register": "import_energy",
        "steps": [[2760, "0.538"], [4800, "0.588"], ["0.838"]],
    },
    {"name": "fund", "kind": "per-unit", "register": "import_energy", "price": "0.000123"},
    {"name": "property-fee", "kind": "per-area", "price": "2.85", "revenue": "property"},
    {"name": "parking", "kind": "fixed", "amount": "150.005"},
    {"name": "levy", "kind": "percentage", "of": ["energy", "fund"], "percent": "3.7"},
]
ROWS = st.lists(
    st.tuples(st.integers(0, 6 * 10**7), st.integers(-(10**7), 6 * 10**7), st.integers(0, 10**7)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(ROUNDINGS, ROWS)
def test_a_whole_bill_is_what_a_clerk_makes_it(
    rounding: dict[str, str],
    rows: list[tuple[int, int, int]],
) -> None:
    agrees_with_the_clerk(CHARGES, rounding, rows)


@settings(max_examples=500, deadline=None)
@given(ROUNDINGS, ROWS)
def test_one_row_alone_gives_what_it_gives_among_others(
    rounding: dict[str, str],
    rows: list[tuple[int, int, int]],
) -> None:
    tariff = tariff_of(CHARGES, rounding)
    together = [line.amount.tolist() for line in rated(tariff, rows)]
    alone = [[line.amount.tolist()[0] for line in rated(tariff, [row])] for row in rows]

    assert [list(amounts) for amounts in zip(*alone, strict=True)] == together


@settings(max_examples=500, deadline=None)
@given(ROUNDINGS, ROWS)
def test_quantities_at_prices_are_enough_to_recompute_a_line(
    rounding: dict[str, str],
    rows: list[tuple[int, int, int]],
) -> None:
    tariff = tariff_of(CHARGES, {**rounding, "place": "line"})
    for line in rated(tariff, rows):
        for row in range(len(rows)):
            exact = sum(
                quantity * price
                for quantity, price in zip(
                    line.parts.quantity[row].tolist(), line.parts.price.tolist(), strict=True
                )
            )
            assert tariff.rounding.amount(exact) == int(line.amount[row])
            assert int(line.parts.quantity[row].sum()) == int(line.quantity[row])


def test_a_total_rounded_to_ten_shows_the_difference_as_a_line() -> None:
    rounding = {"direction": "down", "unit": "10", "place": "bill"}
    charges = [
        {"name": "a", "kind": "fixed", "amount": "17.005"},
        {"name": "b", "kind": "fixed", "amount": "12.996"},
    ]
    lines = rated(tariff_of(charges, rounding), [(0, 0, 0)])

    assert [(line.charge, line.amount.tolist()) for line in lines] == [
        ("a", [1700]),
        ("b", [1299]),
        ("rounding", [1]),
    ]
    assert total(lines).tolist() == [3000]
    assert lines[-1].unit == "CNY"
    assert lines[-1].quantity.tolist() == [0]
    assert lines[-1].parts.quantity.shape == (1, 0)


def test_lines_come_in_the_tariffs_order_with_their_revenue() -> None:
    lines = rated(tariff_of(CHARGES), [(0, 0, 0)])

    assert [line.charge for line in lines] == ["energy", "fund", "property-fee", "parking", "levy"]
    assert [line.revenue for line in lines] == ["energy", "fund", "property", "parking", "levy"]


def test_a_tariff_says_what_it_needs() -> None:
    register = frozenset({"import_energy"})

    assert tariff_of(CHARGES).needs == Needs(register, register, attributes=frozenset({"area"}))
    assert tariff_of(CHARGES[1:2]).needs == Needs(register)
    assert not tariff_of(CHARGES[3:4]).needs.metered


def test_a_register_that_is_not_given_is_no_use_of_zero() -> None:
    other = Subjects.one(period_days=30, use={"volume": 0})
    no_year = Subjects.one(period_days=30, use={"import_energy": 0})

    with pytest.raises(SubjectsError, match="use of register 'import_energy'; given: \\['volume'"):
        rate(tariff_of(CHARGES), other)
    with pytest.raises(SubjectsError, match="in the year before the span"):
        rate(tariff_of(CHARGES), no_year)


@pytest.mark.parametrize(
    "column",
    [np.zeros(3, dtype=np.int64), np.zeros(2, dtype=np.int32), np.zeros((2, 1), dtype=np.int64)],
)
def test_a_column_of_another_length_or_type_is_refused(column: np.ndarray) -> None:
    two = np.zeros(2, dtype=np.int64)
    given = {"days": two, "days_before": two}
    for columns in (
        {"days": column},
        {"use": {"volume": column}},
        {"before_year": {"volume": column}},
        {"attributes": {"area": column}},
    ):
        with pytest.raises(SubjectsError, match=r"must be int64 of shape \(2,\)"):
            Subjects(count=2, period_days=30, **{**given, **columns})


def test_an_absurd_use_raises_instead_of_wrapping() -> None:
    subject = Subjects.one(
        period_days=30,
        use={"import_energy": 2**60},
        before_year={"import_energy": 0},
        attributes={"area": 10**6},
    )

    with pytest.raises(OverflowInMoneyError, match="look for a wrong reading"):
        rate(tariff_of(CHARGES), subject)
