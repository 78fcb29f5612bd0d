"""What a formula may say, what is refused when it is saved, and where."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from billing.canonical import canonical, from_canonical
from billing.formula.formula import Formula, parse_formula
from billing.formula.parsing import DEEPEST
from billing.formula.problem import FormulaError
from billing.formula.tokens import LONGEST_TEXT
from billing.formula.vocabulary import Vocabulary
from meters.definition import Definition

WATER = Vocabulary("water", ("water", "base-fee"))


def refused(text: str, vocabulary: Vocabulary = WATER) -> tuple[int, str]:
    """Return where and why `text` is refused, of the first problem."""
    with pytest.raises(FormulaError) as caught:
        parse_formula(text).check(vocabulary)
    first = caught.value.problems[0]
    return first.position, first.what


SPELT = {
    "area*0.350[ CNY / m2 ]": "area × 0.35 [CNY/m2]",
    "（area＋１ [m2]）×０.５ [CNY/m2]": "(area + 1 [m2]) × 0.5 [CNY/m2]",
    "if(persons>=4 [person], 3 [CNY], 0)": "if(persons ≥ 4 [person], 3 [CNY], 0)",
    "((charge.water)) / ((2))": "charge.water ÷ 2",
    "charge.water - (charge.base-fee - 1 [CNY])": ("charge.water − (charge.base-fee − 1 [CNY])"),
    "(charge.water - charge.base-fee) - 1 [CNY]": "charge.water − charge.base-fee − 1 [CNY]",
    "charge.water/(2*3)": "charge.water ÷ (2 × 3)",
    "--charge.water": "−−charge.water",
    "-(charge.water+1 [CNY])": "−(charge.water + 1 [CNY])",
    "if(not (days<>1 [day] and days!=2 [day] or days==3 [day]),0,1 [CNY])": (
        "if(not (days ≠ 1 [day] and days ≠ 2 [day] or days = 3 [day]), 0, 1 [CNY])"
    ),
    "if((days=1[day] or days=2[day]) and days<3[day],1 [CNY],0)": (
        "if((days = 1 [day] or days = 2 [day]) and days < 3 [day], 1 [CNY], 0)"
    ),
    "round(charge.water, 0.10 [CNY], half-even)": "round(charge.water, 0.1 [CNY], half-even)",
    "5 [CNY·m2/m2] × 2 [1]": "5 [CNY] × 2",
    "1 [kWh*CNY/kWh/day/person] × days × persons": "1 [CNY/day/person] × days × persons",
}


@pytest.mark.parametrize("text", SPELT)
def test_a_formula_has_one_canonical_text(text: str) -> None:
    formula = parse_formula(text)

    formula.check(WATER)
    assert formula.text == SPELT[text]
    assert parse_formula(formula.text).text == formula.text
    assert parse_formula(formula.text) == formula


def test_a_formula_says_what_it_reads() -> None:
    formula = parse_formula("max(use.volume × 1 [CNY/m3], charge.base-fee, charge.base-fee)")

    assert formula.names == ("charge.base-fee", "use.volume")


REFUSED: dict[str, tuple[int, str]] = {
    "": (1, "missing before the end"),
    "   ": (4, "missing before the end"),
    "area +": (7, "missing before the end"),
    "area × × 2": (8, "missing before '×'"),
    "(area": (6, "the ) of the ( at 1"),
    "area)": (5, "')' comes where a sign"),
    "area 2": (6, "'2' comes where a sign"),
    "1 < 2 < 3": (7, "compare two at a time"),
    "if(1 = 1, 2 [CNY])": (1, "2 arguments of if: write if(condition, then, else)"),
    "max(1 [CNY])": (1, "1 arguments of max"),
    "max()": (5, "missing before ')'"),
    f"max({', '.join(['1 [CNY]'] * 17)})": (1, "17 arguments of max"),
    "maxi(1, 2)": (1, "no function 'maxi'; did you mean max?"),
    "sum(1, 2)": (1, "no function 'sum'"),
    "min": (1, "min is a function: write min(a, b, …)"),
    "round(charge.water, 0.01 [CNY])": (1, "2 arguments of round"),
    "round(charge.water, 0.01 [CNY], nearest)": (33, "half-up, half-even, down, up; got 'nearest'"),
    "round(charge.water, area, up)": (21, "round to a number above 0"),
    "round(charge.water, 0 [CNY], up)": (21, "round to a number above 0"),
    "round(charge.water, 1, up)": (1, "CNY and a pure number do not go together"),
    "clip(charge.water, 5 [CNY], 1 [CNY])": (20, "clips between 5 and 1"),
    "use.volume + area": (12, "m3 and m2 do not go together here"),
    "use.volume × 2 [CNY/kWh]": (12, "the result is in CNY·m3/kWh, and CNY is wanted"),
    "area": (
        1,
        "the result is in m2, and CNY is wanted; give numbers their unit, such as 0.35 [CNY",
    ),
    "3": (1, "the result is in a pure number, and CNY is wanted"),
    "area > 3 [m2]": (6, "the result is a condition"),
    "if(area, 1 [CNY], 0)": (4, "a condition is wanted here"),
    "if(area > 3 [m2], 1 [CNY], area)": (1, "CNY and m2 do not go together"),
    "(area > 3 [m2]) + 1 [CNY]": (7, "a number is wanted here, and this is a condition"),
    "if((1 < 2) = (2 < 3), 1 [CNY], 0)": (7, "a number is wanted here"),
    "if(not area, 1 [CNY], 0)": (8, "a condition is wanted"),
    "if(persons > 4, 1 [CNY], 0)": (12, "person and a pure number do not go together"),
    "1 [CNY] ÷ 0": (9, "divides by 0"),
    "1 [CNY] ÷ −0.00": (9, "divides by 0"),
    "charge.later": (1, "'charge.later' is no earlier charge; earlier are: water, base-fee"),
    "aera × 1 [CNY/m2]": (1, "no name 'aera'; did you mean area?"),
    "colour": (1, "there are area, persons"),
    "persons-4 [person]": (11, "put spaces around the sign"),
    "area-persons": (1, "to subtract, put spaces around the sign"),
    "charge.water.more": (13, "a point stands inside a number or once in a name"),
    "1 [qm]": (4, "'qm' is no unit"),
    "1 []": (4, "a unit is missing"),
    "1 [CNY/]": (4, "a unit is missing"),
    "1 [CNY": (3, "write a unit in a pair of brackets"),
    ".5 [CNY]": (1, "a point stands inside a number"),
    "5. [CNY]": (2, "a point stands inside a number"),
    "1e5 [CNY]": (2, "comes where a sign"),
    "1234567890123456789 [CNY]": (1, "at most 18 digits"),
    "0.1234567890123456789 [CNY]": (1, "at most 18 digits"),
    "2 ** 3": (4, "missing before '×'"),
    "2 ^ 3": (3, "'^' has no meaning in a formula"),
    "3 % 2": (3, "'%' has no meaning in a formula"),
    "Area": (1, "names are written in small letters"),
    "面积 × 1": (1, "'面' has no meaning in a formula"),
    "'a'": (1, "formulas hold no texts"),
    f"1 [CNY]{' ' * LONGEST_TEXT}": (LONGEST_TEXT + 1, f"at most {LONGEST_TEXT} characters"),
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_is_refused_when_it_is_saved(text: str) -> None:
    position, words = REFUSED[text]

    at, what = refused(text)

    assert words in what
    assert at == position


INJECTIONS = [
    "__import__('os').system('id')",
    "().__class__.__bases__[0].__subclasses__()",
    "open('/etc/passwd').read()",
    "eval(1)",
    "exec(1)",
    "lambda: 1",
    "[x for x in (1, 2)]",
    "{1: 2}",
    "area.__class__",
    "use.volume.real",
    "9**9**9**9",
    "1 if area else 2",
    "f'{area}'",
    "area; area",
    "area\x00",
    "area # comment",
    "x := 5",
    "@area",
    "use.volume[0]",
    "getattr(area, persons)",
    "DROP TABLE bill",
    "1 or 1=1 --",
    "=cmd|' /C calc'!A0",
    "${jndi:ldap://x}",
    "{{ 7 * 7 }}",
    "area\u202e × 1 [CNY/m2]",
    "аrea × 1 [CNY/m2]",  # a Cyrillic а
    "1\u00b2 [CNY]",
    "٣ [CNY]",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_code_is_no_formula(text: str) -> None:
    with pytest.raises(FormulaError):
        parse_formula(text).check(WATER)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 450 + "1",
        "-" * 450 + "1 [CNY]",
        "not " * 120 + "1",
        "1" + "+1" * 240,
        "abs(" * 90 + "1" + ")" * 90,
        "if(1=1," * 60 + "1",
    ],
    ids=["parentheses", "signs", "nots", "a chain", "functions", "choices"],
)
def test_a_formula_of_many_levels_is_refused_before_it_is_computed(text: str) -> None:
    _, what = refused(text)

    assert f"{DEEPEST}" in what


def test_a_chain_of_thirty_terms_is_no_level_too_many() -> None:
    parse_formula(" + ".join(["1 [CNY]"] * 30)).check(WATER)


def test_all_that_does_not_fit_is_said_at_once() -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula("(use.volume + area) × aera + colour").check(WATER)

    assert [problem.position for problem in caught.value.problems] == [13, 23, 30]
    assert str(caught.value).startswith("at character 13: m3 and m2 do not go together here; at")


def test_a_register_wants_a_medium() -> None:
    assert "names no medium" in refused("use.volume × 1 [CNY/m3]", Vocabulary())[1]


def test_the_medium_gives_the_unit() -> None:
    parse_formula("use.import_energy × 1 [CNY/kWh]").check(Vocabulary("electricity"))

    assert "CNY·m3/kWh" in refused("use.volume × 1 [CNY/kWh]")[1]


class Fee(Definition):
    """A definition that holds a formula."""

    formula: Formula


def test_a_definition_keeps_the_canonical_text() -> None:
    fee = Fee.model_validate({"formula": "area*1[CNY/m2]"})

    assert canonical(fee) == '{"formula":"area × 1 [CNY/m2]"}'
    assert from_canonical(Fee, canonical(fee)) == fee


@pytest.mark.parametrize("value", [5, None, ["area"], "area +"])
def test_a_definition_with_something_else_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Fee.model_validate({"formula": value})


def test_a_misspelt_key_beside_a_formula_is_still_explained() -> None:
    assert Fee.model_json_schema()["properties"]["formula"]["type"] == "string"
