"""Payloads: JSON read exactly, plain values, and times in the forms that devices write."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.access import TimeFormat
from meters.payload import PayloadError, document_in, text_at, time_at, value_in

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = 1772366400


def test_numbers_are_exact() -> None:
    assert document_in(b'{"a": 0.1, "b": 12345678901234567890}') == {
        "a": Decimal("0.1"),
        "b": 12345678901234567890,
    }


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_does_not_cost_what_stands_beside_it(text: str) -> None:
    document = document_in(f'{{"a": {text}, "b": 1}}'.encode())

    assert not document["a"].is_finite()
    assert document["b"] == 1


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"217.405", Decimal("217.405")),
        (b" 12\n", Decimal(12)),
        (b"-0.5", Decimal("-0.5")),
        (b"+7", Decimal(7)),
        (b"1e3", Decimal(1000)),
        (b"7.", Decimal(7)),
        (b".5", Decimal("0.5")),
        (b"inf", Decimal("Infinity")),
        (b"", None),
        (b"  ", None),
        (b"true", "true"),
        (b"12 kWh", "12 kWh"),
        (b"1_000", "1_000"),
        ("１２".encode(), "１２"),
        (b"sNaN", "sNaN"),
        (b"--1", "--1"),
        (b"1e9999999999", "1e9999999999"),
    ],
)
def test_a_plain_value_is_a_number_text_or_nothing(
    payload: bytes, value: Decimal | str | None
) -> None:
    assert value_in(payload) == value


def test_nan_is_a_value_that_is_no_number() -> None:
    assert Decimal(value_in(b"nan") or 0).is_nan()


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_every_number_arrives_as_it_is_written(number: Decimal) -> None:
    assert value_in(str(number).encode()) == number


@given(st.text(max_size=20))
def test_any_other_text_is_itself(text: str) -> None:
    found = value_in(text.encode())

    assert isinstance(found, Decimal) or found == (text.strip() or None)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(PayloadError, match="not UTF-8 at byte 1"):
        value_in(b"1\xff")


@pytest.mark.parametrize(
    ("found", "form", "moment"),
    [
        ('"2026-03-01T12:00:00Z"', "iso", NOON),
        ('"2026-03-01T20:00:00+08:00"', "iso", NOON),
        ('"2026-03-01T12:00:00.123456789Z"', "iso", NOON.replace(microsecond=123456)),
        (f"{SECONDS}", "unix", NOON),
        (f'"{SECONDS}"', "unix", NOON),
        (f"{SECONDS}.25", "unix", NOON.replace(microsecond=250_000)),
        (f"{SECONDS}000", "unix-ms", NOON),
        (f"{SECONDS}001", "unix-ms", NOON.replace(microsecond=1000)),
        ("0", "unix", datetime(1970, 1, 1, tzinfo=UTC)),
        ("-1", "unix", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_the_form_that_the_type_states(
    found: str, form: str, moment: datetime
) -> None:
    document = document_in(f'{{"at": {found}}}'.encode())

    assert time_at(document, "/at", TimeFormat(form)) == moment


@pytest.mark.parametrize(
    ("found", "form", "message"),
    [
        ("1772366400", "iso", "/at must be an ISO 8601 time, got 1772366400"),
        ("null", "iso", "/at must be an ISO 8601 time, got None"),
        ('"2026-03-01T12:00:00Z"', "unix", "/at must be a Unix time, got '2026-"),
        ("true", "unix", "/at must be a Unix time, got True"),
        ("null", "unix", "/at must be a Unix time, got None"),
        ("{}", "unix-ms", "/at must be a Unix time, got {}"),
        ("NaN", "unix", "/at must be a Unix time, got Decimal"),
        ('"水"', "unix", "/at must be a Unix time"),
        ('""', "unix", "/at must be a Unix time"),
        (f"{SECONDS}000", "unix", "/at is beyond every calendar: 1772366400000"),
        ("1e999999", "unix", "/at is beyond every calendar"),
        ("-1e15", "unix", "/at is beyond every calendar"),
    ],
)
def test_a_time_in_another_form_is_refused(found: str, form: str, message: str) -> None:
    document = document_in(f'{{"at": {found}}}'.encode())

    with pytest.raises(PayloadError, match=message):
        time_at(document, "/at", TimeFormat(form))


def test_a_time_that_is_not_there_is_named() -> None:
    with pytest.raises(PayloadError, match="/at is not in the payload; it holds the time of the"):
        time_at({}, "/at")


@pytest.mark.parametrize(("found", "text"), [('"007"', "007"), ("7", "7"), ('"水"', "水")])
def test_the_number_of_a_meter_is_text(found: str, text: str) -> None:
    assert text_at(document_in(f'{{"id": {found}}}'.encode()), "/id") == text
