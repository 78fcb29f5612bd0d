"""Definitions: what is wrong is said with where it stands and what to do; nothing else escapes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from meters.definition import (
    Definition,
    DefinitionError,
    Exact,
    Problem,
    read_document,
    validate,
)

if TYPE_CHECKING:
    from pathlib import Path


class Step(Definition):
    price: Exact
    upper_limit: int = Field(default=0, ge=0)


class Tariff(Definition):
    name: str
    step: tuple[Step, ...] = ()


def problems(document: dict[str, Any]) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        validate(Tariff, document, "t.toml")
    return [str(problem) for problem in caught.value.problems]


def test_a_problem_says_where_what_was_expected_and_what_was_found() -> None:
    problem = Problem("a.toml", "proof[1]", "decodes wrongly", expected="1", actual="2")

    assert str(problem) == "a.toml: proof[1]: decodes wrongly (expected 1, got 2)"
    assert str(Problem("a.toml", "", "is not TOML")) == "a.toml: is not TOML"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert problems({"step": [{"price": True}, {"upper_limit": -1, "price": "1"}]}) == [
        "t.toml: name: is missing",
        "t.toml: step[1].price: must be a number, got True",
        "t.toml: step[2].upper_limit: Input should be greater than or equal to 0, got -1",
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"nam": "x", "name": "x"}, "t.toml: nam: unknown key; did you mean 'name'?"),
        ({"name": "x", "zzz": 1}, "t.toml: zzz: unknown key"),
        (
            {"name": "x", "upper_limit": 1},
            "t.toml: upper_limit: unknown key here; it belongs into another table",
        ),
        (
            {"name": "x", "step": [{"price": 1, "uper_limit": 1}]},
            "t.toml: step[1].uper_limit: unknown key; did you mean 'upper_limit'?",
        ),
        ({"name": "x", "prise": 1}, "t.toml: prise: unknown key"),
        ({"name": "x", "step": [{"price": 1, "nam": 1}]}, "t.toml: step[1].nam: unknown key"),
    ],
)
def test_an_unknown_key_is_refused_with_the_one_that_was_meant(
    document: dict[str, Any], message: str
) -> None:
    assert problems(document) == [message]


@pytest.mark.parametrize("value", ["0.01", 1, -3, Decimal("0.5000"), "1e3", "0", " 7 "])
def test_an_exact_number_is_taken_as_it_is_written(value: Any) -> None:
    assert Step(price=value).price == Decimal(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.1, "must be a number, got 0.1"),  # a float has lost already
        (True, "must be a number, got True"),
        (None, "must be a number, got None"),
        ([1], r"must be a number, got \[1\]"),
        ("", "must be a number such as \"0.01\", got ''"),
        ("1,5", "must be a number such as \"0.01\", got '1,5'"),
        ("NaN", "must be finite, got 'NaN'"),
        ("-Infinity", "must be finite"),
        (Decimal("sNaN"), "must be finite"),
        ("1e18", "must have at most 18 digits before and after the point together, got '1e18'"),
        ("1e-19", "at most 18 digits"),
        ("1e999999999", "at most 18 digits"),
        ("0.1234567890123456789", "at most 18 digits"),
        (10**18, "at most 18 digits"),
        pytest.param(16**5000, "got a number that is too long", id="huge"),
    ],
)
def test_what_is_not_exact_is_refused_with_the_reason(value: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=f"t.toml: step\\[1\\].price: .*{message}"):
        validate(Tariff, {"name": "x", "step": [{"price": value}]}, "t.toml")


@pytest.mark.parametrize(
    "value", [pytest.param(16**5000, id="huge"), ["x" * 500], {"a": "x" * 500}]
)
def test_a_value_is_shown_on_one_line(value: Any) -> None:
    [message] = problems({"name": value})

    assert message.startswith("t.toml: name: Input should be a valid string, got ")
    assert len(message) < 160


def test_a_definition_does_not_change() -> None:
    step = Step(price=Decimal(1))

    with pytest.raises(ValueError, match="frozen"):
        step.price = Decimal(2)  # type: ignore[misc] # that is the point


# --- files ---------------------------------------------------------------------------------------


def test_decimals_of_a_file_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("a = 0.1\nb = 1.10\nc = 5\n", "utf-8")

    assert read_document(path) == {"a": Decimal("0.1"), "b": Decimal("1.10"), "c": 5}


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfname = '\xe6\xb0\xb4'\n")

    assert read_document(path) == {"name": "水"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfea\x00", "a.toml: byte 0: is not UTF-8; save the file as UTF-8"),
        (
            "name = '水表'".encode("gb18030"),
            "a.toml: byte 10: is not UTF-8; save the file as UTF-8",
        ),
        (b"name", "a.toml: is not TOML: Expected '=' after a key"),
        (b"a = 1\na = 2", "a.toml: is not TOML: Cannot overwrite a value"),
        (b"a = 2026-02-30", "a.toml: is not TOML: Invalid date or datetime"),
        pytest.param(b"a = " + b"[" * 100_000, "or is nested too deeply", id="deep"),
        pytest.param(b"a = " + b"9" * 5_000, "a.toml: holds a number that is too long", id="long"),
        (b"a = 1e9999999999999999999", "a.toml: holds a number that is too long"),
    ],
)
def test_a_file_that_is_no_document_says_what_to_do(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)

    with pytest.raises(DefinitionError, match=message):
        read_document(path)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"none.toml: cannot be read: No such file"):
        read_document(tmp_path / "none.toml")
    with pytest.raises(DefinitionError, match="cannot be read: Is a directory"):
        read_document(tmp_path)


TOML_LIKE = st.lists(
    st.sampled_from(
        [
            "a",
            ".",
            " = ",
            "1",
            "1e9",
            "nan",
            "inf",
            '"',
            "'",
            "[",
            "]",
            "{",
            "}",
            ",",
            "\n",
            "#",
            "true",
            "2026-01-01",
            "0x",
            "f" * 40,
            "\\u00e4",
            "水",
            "-",
            "_",
            "[[",
            "]]",
            "\x00",
        ]
    ),
    max_size=24,
).map("".join)


@given(TOML_LIKE | st.text(max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_raises_anything_but_a_definition_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        validate(Tariff, read_document(path), "a.toml")
    except DefinitionError as error:
        messages = [str(problem) for problem in error.problems]
        assert messages
        assert all("a.toml" in message for message in messages)
