"""What a formula gives: exact, row by row, and never 0 by error."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from billing.formula.formula import parse_formula
from billing.formula.problem import FormulaBlockedError
from billing.formula.vocabulary import Vocabulary
from billing.money import OverflowInMoneyError

if TYPE_CHECKING:
    from billing.money import Column

WATER = Vocabulary("water", ("water",))


def column(*values: int) -> Column:
    return np.array(values, dtype=np.int64)


def results(text: str, **columns: Column) -> list[Fraction]:
    """Return the exact results of `text` in CNY; `charge_water` stands for `charge.water`."""
    formula = parse_formula(text)
    formula.check(WATER)
    named = {
        name.replace("_", ".", 1) if "_" in name else name: each for name, each in columns.items()
    }
    count = len(next(iter(columns.values()))) if columns else 1
    top, bottom = formula.evaluate(named, WATER, count=count)
    assert top.dtype == bottom.dtype == np.int64
    assert (bottom > 0).all()
    return [Fraction(int(a), int(b) * 10_000) for a, b in zip(top, bottom, strict=True)]


def test_a_fee_by_area_with_a_minimum() -> None:
    given = results("max(area × 0.35 [CNY/m2], 15 [CNY])", area=column(88_5000, 40_0000, 0))

    assert given == [Fraction("30.975"), 15, 15]


def test_a_choice_by_persons() -> None:
    text = "if(persons > 4 [person], (persons − 4 [person]) × 2.50 [CNY/person], 0)"

    assert results(text, persons=column(3_0000, 4_0000, 6_0000)) == [0, 0, 5]


def test_a_third_stays_a_third() -> None:
    assert results("charge.water ÷ 3", charge_water=column(100_00, -1)) == [
        Fraction(100, 3),
        Fraction(-1, 300),
    ]


def test_days_are_whole_and_their_quotient_is_exact() -> None:
    given = parse_formula("15 [CNY] × days ÷ period_days")
    given.check(WATER)

    top, bottom = given.evaluate({"days": column(12), "period_days": column(29)}, WATER, count=1)

    assert Fraction(int(top[0]), int(bottom[0])) / 10_000 == Fraction(15 * 12, 29)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("down", ["0.1", "0.2", "-0.1", "-0.2"]),
        ("up", ["0.2", "0.3", "-0.2", "-0.3"]),
        ("half-up", ["0.2", "0.3", "-0.2", "-0.3"]),
        ("half-even", ["0.2", "0.2", "-0.2", "-0.2"]),
    ],
)
def test_rounding_looks_at_size_not_sign(direction: str, expected: list[str]) -> None:
    given = results(
        f"round(charge.water, 0.1 [CNY], {direction})", charge_water=column(15, 25, -15, -25)
    )

    assert given == [Fraction(each) for each in expected]


def test_floor_and_ceil_look_at_the_number_line() -> None:
    columns = {"charge_water": column(150, -150, 200)}

    assert results("floor(charge.water)", **columns) == [1, -2, 2]
    assert results("ceil(charge.water)", **columns) == [2, -1, 2]
    assert results("abs(charge.water)", **columns) == [Fraction("1.5"), Fraction("1.5"), 2]


def test_clip_holds_between_its_bounds() -> None:
    given = results("clip(charge.water, 1 [CNY], 2 [CNY])", charge_water=column(50, 150, 250))

    assert given == [1, Fraction("1.5"), 2]


def test_a_division_by_a_rows_zero_blocks_that_row_and_is_never_0() -> None:
    formula = parse_formula("charge.water ÷ persons × 1 [person]")
    columns = {"charge.water": column(5, 5, 5), "persons": column(1_0000, 0, 0)}

    with pytest.raises(FormulaBlockedError) as caught:
        formula.evaluate(columns, WATER, count=3)

    assert [each.row for each in caught.value.rows] == [1, 2]
    assert caught.value.rows[0].problem.position == 14
    assert "row 2 at character 14: it divides by 0 here; guard it" in str(caught.value)


def test_a_message_about_a_thousand_blocked_rows_is_short() -> None:
    with pytest.raises(FormulaBlockedError, match=r"row 5 .*; and 995 more$") as caught:
        parse_formula("1 [CNY·person] ÷ persons").evaluate(
            {"persons": np.zeros(1000, dtype=np.int64)}, WATER, count=1000
        )

    assert len(caught.value.rows) == 1000


def test_a_computed_zero_blocks_too() -> None:
    with pytest.raises(FormulaBlockedError, match="divides by 0"):
        results("1 [CNY] ÷ (2 − 2)")


@pytest.mark.parametrize(
    "text",
    [
        "if(persons = 0, 7 [CNY], 8 [CNY·person] ÷ persons)",
        "if(persons = 0 or 8 [CNY·person] ÷ persons > 9 [CNY], 7 [CNY], 8 [CNY])",
        "if(persons ≠ 0 and 8 [CNY·person] ÷ persons < 9 [CNY], 8 [CNY], 7 [CNY])",
        "if(not (persons = 0), 8 [CNY·person] ÷ persons, 7 [CNY])",
    ],
)
def test_a_guard_keeps_a_division_from_the_rows_with_zero(text: str) -> None:
    assert results(text, persons=column(1_0000, 0)) == [8, 7]
    assert results(text, persons=column(0, 0)) == [7, 7]
    assert results(text, persons=column(1_0000, 1_0000)) == [8, 8]


def test_bounds_that_cross_block() -> None:
    with pytest.raises(FormulaBlockedError, match="lowest bound is above its highest"):
        results(
            "clip(charge.water, persons × 1 [CNY/person], 2 [CNY])",
            charge_water=column(150),
            persons=column(3_0000),
        )


def test_what_does_not_fit_64_bits_raises() -> None:
    with pytest.raises(OverflowInMoneyError, match="more than 64 bits hold"):
        results("charge.water × 999999999999", charge_water=column(10**15))


def test_what_only_passes_through_more_than_64_bits_is_exact() -> None:
    given = results(
        "charge.water × 999999999999999999 ÷ 333333333333333333",
        charge_water=column(-(2**50), 2**50),
    )

    assert given == [Fraction(-3 * 2**50, 100), Fraction(3 * 2**50, 100)]


def test_the_least_of_64_bits_is_a_number_like_any() -> None:
    given = results("abs(charge.water) ÷ 1000000", charge_water=column(-(2**63)))

    assert given == [Fraction(2**63, 10**8)]


def test_a_formula_without_names_fills_every_row() -> None:
    formula = parse_formula("2 [CNY] + 0.50 [CNY]")

    top, bottom = formula.evaluate({}, WATER, count=3)

    assert top.tolist() == [25_000] * 3
    assert bottom.tolist() == [1] * 3


def test_no_rows_give_no_rows() -> None:
    formula = parse_formula("if(persons > 1 [person], 8 [CNY·person] ÷ persons, 0)")

    top, bottom = formula.evaluate({"persons": column()}, WATER, count=0)

    assert top.shape == bottom.shape == (0,)


def test_an_explanation_shows_the_numbers_and_each_step_taken() -> None:
    formula = parse_formula(
        "if(persons > 4 [person] and area > 0, (persons − 4 [person]) × 2.5 [CNY/person], "
        "1 [CNY·person] ÷ persons)"
    )

    explained = formula.explain({"persons": 6_0000, "area": 88_5000}, WATER)

    assert explained.document == {
        "formula": formula.text,
        "values": {"area": "88.5 m2", "persons": "6 person"},
        "steps": [
            "6 person > 4 person = true",
            "88.5 m2 > 0 = true",
            "6 person − 4 person = 2 person",
            "2 person × 2.5 CNY/person = 5 CNY",
        ],
        "result": "5 CNY",
    }
    fewer = formula.explain({"persons": 3_0000, "area": 0}, WATER)
    assert [str(step) for step in fewer.steps] == [
        "3 person > 4 person = false",
        "1 CNY·person ÷ 3 person = 1/3 CNY",
    ]


def test_an_explanation_puts_negative_numbers_in_parentheses() -> None:
    explained = parse_formula("round(−charge.water − 1 [CNY], 0.1 [CNY], half-up)").explain(
        {"charge.water": 12_34}, WATER
    )

    assert [str(step) for step in explained.steps] == [
        "(-12.34 CNY) − 1 CNY = -13.34 CNY",
        "round((-13.34 CNY), 0.1 CNY, half-up) = -13.3 CNY",
    ]


def test_what_blocks_has_no_explanation() -> None:
    with pytest.raises(FormulaBlockedError):
        parse_formula("1 [CNY·person] ÷ persons").explain({"persons": 0}, WATER)
