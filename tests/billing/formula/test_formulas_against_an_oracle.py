"""Random formulas against fractions: the same result in every row, or blocked in both."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.formula.formula import Formula, parse_formula
from billing.formula.problem import FormulaBlockedError, FormulaError
from billing.formula.tokens import LONGEST_TEXT
from billing.formula.vocabulary import Vocabulary
from billing.money import OverflowInMoneyError

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("attribute.a", "attribute.b", "attribute.c")
VOCABULARY = Vocabulary()

# An expression is a list of its sign or word and its operands. `written` gives its text, `valued`
# what it is worth in a row: Python's own fractions and control flow, and nothing of the product.
Expression = list[Any]
Row = dict[str, Fraction]
Outcome = tuple[str, list[Any]]


class BlockedInOracleError(Exception):
    """The row has no result."""


def written(expression: Expression) -> str:
    match expression:
        case ["literal", digits, places]:
            text = f"{digits:0{places + 1}}"
            return f"{text[:-places]}.{text[-places:]}" if places else text
        case ["name", name]:
            return str(name)
        case ["negative", operand]:
            return f"(-{written(operand)})"
        case ["not", operand]:
            return f"(not {written(operand)})"
        case ["round", operand, unit, direction]:
            return f"round({written(operand)}, {unit}, {direction})"
        case [("if" | "min" | "max" | "clip" | "abs" | "floor" | "ceil") as word, *operands]:
            return f"{word}({', '.join(map(written, operands))})"
        case [sign, left, right]:
            return f"({written(left)} {sign} {written(right)})"
    raise AssertionError(expression)


def valued(expression: Expression, row: Row) -> Any:
    match expression:
        case ["literal", digits, places]:
            return Fraction(digits, 10**places)
        case ["name", name]:
            return row[name]
        case ["if", held, then, otherwise]:
            return valued(then if valued(held, row) else otherwise, row)
        case ["and", left, right]:
            return valued(left, row) and valued(right, row)
        case ["or", left, right]:
            return valued(left, row) or valued(right, row)
        case ["round", operand, unit, direction]:
            return rounded(valued(operand, row), Fraction(unit), direction)
        case [word, *operands]:
            return PLAIN[word](*(valued(operand, row) for operand in operands))
    raise AssertionError(expression)


def divided(left: Fraction, right: Fraction) -> Fraction:
    if right == 0:
        raise BlockedInOracleError
    return left / right


def clipped(value: Fraction, low: Fraction, high: Fraction) -> Fraction:
    if low > high:
        raise BlockedInOracleError
    return min(max(value, low), high)


def rounded(value: Fraction, unit: Fraction, direction: str) -> Fraction:
    size = abs(value) / unit
    match direction:
        case "down":
            whole = floor(size)
        case "up":
            whole = ceil(size)
        case "half-up":
            whole = floor(size + Fraction(1, 2))
        case _:
            whole = round(size)  # of a Fraction: to even
    return (-1 if value < 0 else 1) * whole * unit


PLAIN: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divided,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "not": lambda a: not a,
    "negative": lambda a: -a,
    "abs": abs,
    "floor": lambda a: Fraction(floor(a)),
    "ceil": lambda a: Fraction(ceil(a)),
    "min": min,
    "max": max,
    "clip": clipped,
}


@st.composite
def numbers(draw: st.DrawFn, depth: int = 3) -> Expression:
    """An expression that gives a number; at most `depth` levels."""
    word = draw(st.sampled_from(LEAVES if depth == 0 else LEAVES + INNER))
    inner = numbers(depth - 1)
    match word:
        case "literal":
            return [word, draw(st.integers(0, 10**6)), draw(st.integers(0, 4))]
        case "name":
            return [word, draw(st.sampled_from(NAMES))]
        case "negative" | "abs" | "floor" | "ceil":
            return [word, draw(inner)]
        case "clip" | "min" | "max":
            return [word, draw(inner), draw(inner), draw(inner)]
        case "round":
            direction = draw(st.sampled_from(["half-up", "half-even", "down", "up"]))
            unit = draw(st.sampled_from(["0.01", "0.1", "1", "10", "0.25"]))
            return [word, draw(inner), unit, direction]
        case "if":
            return [word, draw(conditions(depth - 1)), draw(inner), draw(inner)]
        case sign:
            return [sign, draw(inner), draw(inner)]


@st.composite
def conditions(draw: st.DrawFn, depth: int) -> Expression:
    """An expression that holds or does not."""
    word = draw(st.sampled_from(COMPARED if depth <= 0 else COMPARED + LOGIC))
    if word == "not":
        return [word, draw(conditions(depth - 1))]
    operand = conditions(depth - 1) if word in LOGIC else numbers(max(depth - 1, 0))
    return [word, draw(operand), draw(operand)]


LEAVES = ["literal", "name", "name"]
INNER = [
    "+",
    "-",
    "*",
    "/",
    "negative",
    "abs",
    "floor",
    "ceil",
    "clip",
    "min",
    "max",
    "round",
    "if",
]
COMPARED = ["<", "<=", ">", ">=", "=", "!="]
LOGIC = ["and", "or", "not"]
integers = st.integers(-(10**6), 10**6) | st.just(0) | st.integers(-(2**63), 2**63 - 1)
rows = st.lists(st.tuples(integers, integers, integers), min_size=1, max_size=4)


def expected_of(expression: Expression, row: tuple[int, int, int]) -> Fraction | None:
    values = {name: Fraction(value, 10_000) for name, value in zip(NAMES, row, strict=True)}
    try:
        return Fraction(valued(expression, values))
    except BlockedInOracleError:
        return None


def read(text: str) -> Formula | str:
    """Return the formula, read from its canonical text, or why it is refused."""
    try:
        formula = parse_formula(text)
        formula.check(VOCABULARY)
    except FormulaError as error:
        return str(error)
    again = parse_formula(formula.text)
    assert again.text == formula.text
    return again


def evaluated(formula: Formula, given_rows: list[tuple[int, int, int]]) -> Outcome:
    columns = {
        name: np.array([row[at] for row in given_rows], dtype=np.int64)
        for at, name in enumerate(NAMES)
    }
    try:
        top, bottom = formula.evaluate(columns, VOCABULARY, count=len(given_rows))
    except FormulaBlockedError as error:
        return "blocked", [each.row for each in error.rows]
    except OverflowInMoneyError:
        return "overflow", []
    return "right", [Fraction(int(a), int(b)) / 10_000 for a, b in zip(top, bottom, strict=True)]


@settings(max_examples=2000, deadline=None)
@given(expression=numbers(), given_rows=rows)
def test_a_formula_gives_what_fractions_give(
    expression: Expression, given_rows: list[tuple[int, int, int]]
) -> None:
    text = f"{written(expression)} × 1 [CNY]"
    if len(text) > LONGEST_TEXT:
        return
    formula = read(text)
    if isinstance(formula, str):
        assert "divides by 0" in formula or "clips between" in formula
        return
    expected = [expected_of(expression, row) for row in given_rows]
    blocked = [at for at, value in enumerate(expected) if value is None]
    sizes = [abs(value * 10_000) for value in expected if value is not None]
    if blocked:
        outcome: Outcome = ("blocked", blocked)
    elif max(max(each.numerator, each.denominator) for each in sizes) >= 2**63:
        outcome = ("overflow", [])
    else:
        outcome = ("right", expected)

    assert evaluated(formula, given_rows) == outcome
