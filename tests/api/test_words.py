"""How numbers, units and days are written; nothing is rounded on the way."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.formats import MINUS, Formats
from api.language import languages

ENGLISH, CHINESE = Formats(languages()["en"]), Formats(languages()["zh-CN"])
FEN = st.integers(-(10**15), 10**15)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)


def read(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace("¥", "").replace(MINUS, "-"))


@given(FEN)
def test_money_is_written_to_the_cent(fen: int) -> None:
    text = ENGLISH.money(fen)
    assert read(text) * 100 == fen
    assert text[-3] == "."


@given(DECIMALS)
def test_a_number_is_written_exactly(value: Decimal) -> None:
    assert read(ENGLISH.number(value)) == value
    assert read(ENGLISH.exact_money(value)) == value


@pytest.mark.parametrize(
    ("fen", "text"),
    [(285200, "¥2,852.00"), (-795, "−¥7.95"), (0, "¥0.00"), (123456789, "¥1,234,567.89")],
)
def test_amounts(fen: int, text: str) -> None:
    assert ENGLISH.money(fen) == CHINESE.money(fen) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.538", "¥0.538"), ("5", "¥5.00"), ("168.0712", "¥168.0712"), ("-0.05", "−¥0.05")],
)
def test_prices_keep_all_their_decimals(amount: str, text: str) -> None:
    assert ENGLISH.exact_money(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 3), "0.333333…"),
        (Fraction(-1, 3), "−0.333333…"),
        (Fraction(1, 8), "0.125"),
        (Fraction(75690601, 10**6), "75.690601"),
        (Fraction(10**6), "1,000,000"),
    ],
)
def test_a_fraction_that_goes_on_says_so(value: Fraction, text: str) -> None:
    assert ENGLISH.fraction(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "english", "chinese"),
    [
        ("312.4", "kWh", "312.4 kWh", "312.4 kWh"),
        ("8.28", "m3", "8.28 m³", "8.28 m³"),
        ("1", "month", "1 month", "1 个月"),
        ("1", "household", "1 household", "1 户"),
        ("24", "household", "24 households", "24 户"),
        ("0", "m2", "0 m²", "0 m²"),
        ("159.05", "CNY", "¥159.05", "¥159.05"),
        ("3", "1", "3", "3"),
    ],
)
def test_units(value: str, unit: str, english: str, chinese: str) -> None:
    assert ENGLISH.measure(Decimal(value), unit) == english
    assert CHINESE.measure(Decimal(value), unit) == chinese


def test_days_are_written_as_each_language_does() -> None:
    day = date(2026, 11, 30)
    assert (ENGLISH.day(day), CHINESE.day(day)) == ("30 Nov 2026", "2026年11月30日")
    assert (ENGLISH.month_of(day), CHINESE.month_of(day)) == ("November 2026", "2026年11月")
    assert (ENGLISH.short_day(day), CHINESE.short_day(day)) == ("30 Nov", "11月30日")
