"""Exact quantities: scaled integers, display steps, plain text, units."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.quantity import (
    INT64_MAX,
    UNITS,
    InexactQuantityError,
    from_scaled,
    number_in,
    plain,
    quantise,
    to_scaled,
)

INT64 = st.integers(-INT64_MAX, INT64_MAX)
SHORT = st.decimals(-(10**9), 10**9, places=6, allow_nan=False, allow_infinity=False)


@given(INT64)
def test_every_64_bit_integer_is_a_quantity_and_comes_back(scaled: int) -> None:
    value = from_scaled(scaled)

    assert Fraction(value) == Fraction(scaled, 10_000)
    assert to_scaled(value) == scaled


@pytest.mark.parametrize("text", ["1", "1.0", "1.0000", "1.00000000000", "1e0", "0.1e1"])
def test_how_a_quantity_is_written_does_not_matter(text: str) -> None:
    assert to_scaled(Decimal(text)) == 10_000


@pytest.mark.parametrize(
    "text",
    [
        "0.00001",
        "10909.28223",
        "1.0000000000000000000000000000000000001",
        "-0.00005",
        "1e-5",
        "1e-999999999",
    ],
)
def test_a_quantity_with_more_than_four_decimals_is_refused_not_rounded(text: str) -> None:
    with pytest.raises(InexactQuantityError, match="more than 4 decimals"):
        to_scaled(Decimal(text))


@pytest.mark.parametrize(
    "value", [from_scaled(INT64_MAX + 1), from_scaled(-INT64_MAX - 1), Decimal("1e999999999")]
)
def test_a_quantity_beyond_64_bits_is_refused(value: Decimal) -> None:
    with pytest.raises(InexactQuantityError, match="beyond 64 bits"):
        to_scaled(value)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_no_quantity(text: str) -> None:
    with pytest.raises(InexactQuantityError, match="no quantity"):
        to_scaled(Decimal(text))


@given(SHORT, st.sampled_from(["0.0001", "0.001", "0.01", "0.1", "1", "10", "0.25", "0.003"]))
def test_quantising_finds_the_nearest_step_and_the_even_one_of_two(
    value: Decimal, resolution: str
) -> None:
    step = Fraction(resolution)
    nearest = round(Fraction(value) / step)  # a Fraction rounds half to even, exactly

    assert Fraction(quantise(value, Decimal(resolution))) == nearest * step


@pytest.mark.parametrize(
    ("value", "resolution", "expected"),
    [
        ("10909.28223", "0.01", "10909.28"),
        ("10909.28320", "0.01", "10909.28"),
        ("0.005", "0.01", "0"),
        ("0.015", "0.01", "0.02"),
        ("-0.015", "0.01", "-0.02"),
        ("7", "5", "5"),
    ],
)
def test_quantising_by_hand(value: str, resolution: str, expected: str) -> None:
    assert quantise(Decimal(value), Decimal(resolution)) == Decimal(expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12.50", "12.5"),
        ("0.00", "0"),
        ("-0.00", "0"),
        ("-0", "0"),
        ("1000", "1000"),
        ("1E+3", "1000"),
        ("1E-4", "0.0001"),
        ("-12.500", "-12.5"),
        ("100.00", "100"),
    ],
)
def test_plain_text_has_no_exponent_no_trailing_zero_and_no_negative_zero(
    value: str, text: str
) -> None:
    assert plain(Decimal(value)) == text


@given(INT64)
def test_plain_text_loses_nothing_and_is_the_same_for_equal_quantities(scaled: int) -> None:
    value = from_scaled(scaled)

    assert Decimal(plain(value)) == value
    assert plain(value.normalize()) == plain(value)


def test_every_unit_is_an_exact_multiple_of_its_canonical_unit() -> None:
    for symbol, unit in UNITS.items():
        assert unit.symbol == symbol
        assert unit.factor > 0
        assert UNITS[unit.canonical].factor == 1
        assert UNITS[unit.canonical].canonical == unit.canonical


@pytest.mark.parametrize(
    ("symbol", "canonical", "factor"),
    [("Wh", "kWh", "0.001"), ("MWh", "kWh", "1000"), ("L", "m3", "0.001"), ("mA", "A", "0.001")],
)
def test_units_that_meters_state(symbol: str, canonical: str, factor: str) -> None:
    assert UNITS[symbol].canonical == canonical
    assert UNITS[symbol].factor == Decimal(factor)


@pytest.mark.parametrize(
    ("text", "number"),
    [("217.40", "217.40"), ("-.5", "-0.5"), ("7.", "7"), ("1E3", "1000"), ("+inf", "Infinity")],
)
def test_a_number_is_read_as_devices_write_it(text: str, number: str) -> None:
    assert number_in(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", " 7", "7 ", "1,5", "1_0", "0x10", "snan", "nan1", "１", "e3", ".", "1e", "12 kWh"]
)
def test_what_only_resembles_a_number_is_none(text: str) -> None:
    assert number_in(text) is None


@given(st.decimals(allow_nan=False))
def test_every_number_that_is_written_comes_back(number: Decimal) -> None:
    assert number_in(str(number)) == number
