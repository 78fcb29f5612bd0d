"""Register words ⇄ numbers, against an oracle that knows bytes, bits and fractions only."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meters.words import (
    WordOrder,
    WordType,
    decode,
    decoder,
    encode,
    encode_wire,
    from_hex,
    in_order,
    to_hex,
    wire_from_hex,
    wire_hex,
)

INTEGERS = {
    WordType.UINT16: (2, False),
    WordType.INT16: (2, True),
    WordType.UINT32: (4, False),
    WordType.INT32: (4, True),
    WordType.UINT48: (6, False),
    WordType.INT48: (6, True),
    WordType.UINT64: (8, False),
    WordType.INT64: (8, True),
}
ODD = {
    WordType.UINT8: (1, False),
    WordType.INT8: (1, True),
    WordType.UINT24: (3, False),
    WordType.INT24: (3, True),
}
"""Type → bytes, signed: of binary payloads only."""
BCD = {WordType.BCD16: 4, WordType.BCD32: 8, WordType.BCD48: 12, WordType.BCD64: 16}
"""Type → digits."""
FLOATS = {WordType.FLOAT32: (4, 8, 23), WordType.FLOAT64: (8, 11, 52)}
"""Type → bytes, bits of the exponent, bits of the fraction (IEEE 754)."""

ORDERS = st.sampled_from(WordOrder)


def on_the_wire(big_endian: bytes, order: WordOrder) -> list[int]:
    """Return the words of a number, from what the letters of the order's name say."""
    pairs = [big_endian[i : i + 2] for i in range(0, len(big_endian), 2)]
    by_order = {
        "ABCD": pairs,
        "CDAB": pairs[::-1],
        "BADC": [pair[::-1] for pair in pairs],
        "DCBA": [pair[::-1] for pair in pairs[::-1]],
    }
    return [high << 8 | low for high, low in by_order[order.value]]


def ieee(bits: int, exponent_bits: int, fraction_bits: int) -> Fraction | None:
    """Return the number that `bits` are by IEEE 754, None for NaN and the infinities."""
    sign = -1 if bits >> (exponent_bits + fraction_bits) else 1
    exponent = bits >> fraction_bits & (1 << exponent_bits) - 1
    fraction = Fraction(bits & (1 << fraction_bits) - 1, 1 << fraction_bits)
    bias = (1 << exponent_bits - 1) - 1
    if exponent == (1 << exponent_bits) - 1:
        return None
    if exponent == 0:
        return sign * fraction * Fraction(2) ** (1 - bias)
    return sign * (1 + fraction) * Fraction(2) ** (exponent - bias)


@pytest.mark.parametrize("word_type", INTEGERS)
@given(data=st.data(), order=ORDERS)
def test_an_integer_is_what_its_bytes_say_in_every_order(
    word_type: WordType, data: st.DataObject, order: WordOrder
) -> None:
    size, signed = INTEGERS[word_type]
    raw = data.draw(st.binary(min_size=size, max_size=size))
    number = int.from_bytes(raw, "big", signed=signed)
    words = on_the_wire(raw, order)

    assert word_type.words == len(words) == size // 2
    assert decode(words, word_type, order) == number
    assert encode(Decimal(number), word_type, order) == tuple(words)


@pytest.mark.parametrize("word_type", ODD)
@given(data=st.data(), order=st.sampled_from([WordOrder.ABCD, WordOrder.DCBA]))
def test_an_odd_number_of_bytes_reads_from_either_end(
    word_type: WordType, data: st.DataObject, order: WordOrder
) -> None:
    size, signed = ODD[word_type]
    raw = data.draw(st.binary(min_size=size, max_size=size))
    wire = raw if order is WordOrder.ABCD else raw[::-1]
    number = int.from_bytes(raw, "big", signed=signed)

    assert word_type.size == size
    assert decoder(word_type, order)(wire) == number
    assert encode_wire(Decimal(number), word_type, order) == wire


@pytest.mark.parametrize("word_type", BCD)
@given(data=st.data(), order=ORDERS)
def test_bcd_is_its_digits_in_every_order(
    word_type: WordType, data: st.DataObject, order: WordOrder
) -> None:
    digits = data.draw(st.text("0123456789", min_size=BCD[word_type], max_size=BCD[word_type]))
    words = on_the_wire(bytes.fromhex(digits), order)

    assert 4 * word_type.words == len(digits)
    assert decode(words, word_type, order) == int(digits)
    assert encode(Decimal(digits), word_type, order) == tuple(words)


@pytest.mark.parametrize("word_type", BCD)
@given(data=st.data(), order=ORDERS)
def test_a_half_byte_above_nine_is_no_digit(
    word_type: WordType, data: st.DataObject, order: WordOrder
) -> None:
    digits = ["0"] * BCD[word_type]
    digits[data.draw(st.integers(0, len(digits) - 1))] = data.draw(st.sampled_from("abcdef"))
    words = on_the_wire(bytes.fromhex("".join(digits)), order)

    assert decode(words, word_type, order) is None


@pytest.mark.parametrize("word_type", [*INTEGERS, *ODD, *BCD])
def test_the_capacity_is_the_first_number_that_does_not_fit(word_type: WordType) -> None:
    capacity = word_type.capacity
    assert capacity is not None

    assert (
        decoder(word_type, WordOrder.ABCD)(
            encode_wire(Decimal(capacity - 1), word_type, WordOrder.ABCD)
        )
        == capacity - 1
    )
    with pytest.raises(OverflowError):
        encode_wire(Decimal(capacity), word_type, WordOrder.ABCD)


def test_a_float_is_full_nowhere() -> None:
    assert WordType.FLOAT32.capacity is WordType.FLOAT64.capacity is None


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_words_is_no_number(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} words, where uint32 takes 2"):
        decode([1] * count, WordType.UINT32, WordOrder.ABCD)


@pytest.mark.parametrize("word_type", FLOATS)
@given(data=st.data(), order=ORDERS)
def test_a_float_is_what_its_bits_say_exactly_in_every_order(
    word_type: WordType, data: st.DataObject, order: WordOrder
) -> None:
    size, exponent_bits, fraction_bits = FLOATS[word_type]
    bits = data.draw(st.integers(0, 2 ** (8 * size) - 1))
    words = on_the_wire(bits.to_bytes(size, "big"), order)
    expected = ieee(bits, exponent_bits, fraction_bits)

    value = decode(words, word_type, order)

    assert word_type.words == len(words)
    assert (None if value is None else Fraction(value)) == expected
    if value is not None:
        assert encode(value, word_type, order) == tuple(words)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("ABCD", (0x0102, 0x0304)),
        ("CDAB", (0x0304, 0x0102)),
        ("BADC", (0x0201, 0x0403)),
        ("DCBA", (0x0403, 0x0201)),
    ],
)
def test_the_orders_of_32_bits_by_hand(order: str, words: tuple[int, int]) -> None:
    assert decode(words, WordType.UINT32, WordOrder(order)) == 0x01020304


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("ABCD", (0x0102, 0x0304, 0x0506)),
        ("CDAB", (0x0506, 0x0304, 0x0102)),
        ("BADC", (0x0201, 0x0403, 0x0605)),
        ("DCBA", (0x0605, 0x0403, 0x0201)),
    ],
)
def test_the_orders_of_48_bits_by_hand(order: str, words: tuple[int, ...]) -> None:
    assert decode(words, WordType.UINT48, WordOrder(order)) == 0x010203040506
    assert in_order(words, WordOrder(order)) == bytes(range(1, 7))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("ABCD", (0x0102, 0x0304, 0x0506, 0x0708)),
        ("CDAB", (0x0708, 0x0506, 0x0304, 0x0102)),
        ("BADC", (0x0201, 0x0403, 0x0605, 0x0807)),
        ("DCBA", (0x0807, 0x0605, 0x0403, 0x0201)),
    ],
)
def test_the_orders_of_64_bits_by_hand(order: str, words: tuple[int, ...]) -> None:
    assert decode(words, WordType.UINT64, WordOrder(order)) == 0x0102030405060708


@pytest.mark.parametrize(
    ("dump", "word_type", "order", "value"),
    [
        ("614e 00bc", "uint32", "CDAB", "12345678"),  # BOVE, litres
        ("1e85 0b3f", "float32", "DCBA", "0.545"),  # Kaifeng Xintai, m3
        ("4248 1eb8", "float32", "ABCD", "50.03"),
        ("4367 af55", "float32", "ABCD", "231.68489"),
        ("462a 7521", "float32", "ABCD", "10909.28223"),
        ("462a 7522", "float32", "ABCD", "10909.28320"),
        ("01b3", "uint16", "ABCD", "435"),
        ("8000", "int16", "ABCD", "-32768"),
        ("ffff ffff", "int32", "CDAB", "-1"),
        ("4163 12d0 0000 0000", "float64", "ABCD", "10000000"),
        ("0000 0000 0000 0001", "uint64", "ABCD", "1"),
        ("0123 4567", "bcd32", "ABCD", "1234567"),
        ("4567 0123", "bcd32", "CDAB", "1234567"),
        ("0000 0123 4567 8901", "bcd64", "ABCD", "12345678901"),
    ],
)
def test_dumps_with_known_values(dump: str, word_type: str, order: str, value: str) -> None:
    decoded = decode(from_hex(dump), WordType(word_type), WordOrder(order))

    assert decoded is not None
    assert round(decoded, 5) == Decimal(value)


@pytest.mark.parametrize(
    ("dump", "word_type"),
    [
        ("7fc0 0000", "float32"),
        ("ffc0 0001", "float32"),
        ("7f80 0001", "float32"),  # a signalling NaN
        ("7f80 0000", "float32"),
        ("ff80 0000", "float32"),
        ("ffff ffff", "float32"),
        ("7ff8 0000 0000 0000", "float64"),
        ("7ff0 0000 0000 0000", "float64"),
        ("fff0 0000 0000 0000", "float64"),
    ],
)
def test_nan_and_the_infinities_are_no_numbers(dump: str, word_type: str) -> None:
    assert decode(from_hex(dump), WordType(word_type), WordOrder.ABCD) is None


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), ORDERS)
def test_a_float32_that_a_meter_can_send_survives_both_ways(
    number: float, order: WordOrder
) -> None:
    words = encode(Decimal(number), WordType.FLOAT32, order)

    assert decode(words, WordType.FLOAT32, order) == Decimal(number)


@given(st.decimals(0, 10**7, places=2))
def test_encoding_a_float32_takes_the_nearest_one(number: Decimal) -> None:
    value = decode(
        encode(number, WordType.FLOAT32, WordOrder.ABCD), WordType.FLOAT32, WordOrder.ABCD
    )

    assert value is not None
    bits = struct.unpack(">I", struct.pack(">f", float(value)))[0]
    neighbours = [ieee(each, 8, 23) for each in (max(bits - 1, 0), bits, bits + 1)]
    distances = [abs(each - Fraction(number)) for each in neighbours if each is not None]
    assert abs(Fraction(value) - Fraction(number)) == min(distances)


@pytest.mark.parametrize(
    ("number", "word_type"),
    [
        ("65536", "uint16"),
        ("-1", "uint16"),
        ("32768", "int16"),
        ("-32769", "int16"),
        ("4294967296", "uint32"),
        ("-1", "uint64"),
        ("18446744073709551616", "uint64"),
        ("1e39", "float32"),
        ("-1e39", "float32"),
        ("1e400", "float32"),
        ("1e400", "float64"),
        ("-1e400", "float64"),
        ("Infinity", "uint16"),
        ("10000", "bcd16"),
        ("-1", "bcd32"),
        ("281474976710656", "uint48"),
        ("-140737488355329", "int48"),
    ],
)
def test_a_number_that_does_not_fit_is_refused_never_wrapped_nor_infinite(
    number: str, word_type: str
) -> None:
    with pytest.raises(OverflowError, match=f"does not fit {word_type}"):
        encode(Decimal(number), WordType(word_type), WordOrder.ABCD)


@pytest.mark.parametrize("number", ["0.5", "1.0001", "-0.1", "NaN"])
def test_an_integer_register_takes_whole_numbers_only(number: str) -> None:
    with pytest.raises(ValueError, match="is not whole, and uint32 holds whole numbers"):
        encode(Decimal(number), WordType.UINT32, WordOrder.ABCD)


@given(st.lists(st.integers(0, 0xFFFF), max_size=8))
@example([])
def test_hex_text_comes_back(words: list[int]) -> None:
    text = to_hex(words)

    assert from_hex(text) == tuple(words)
    assert from_hex(text.upper().replace(" ", "")) == tuple(words)
    assert all(len(each) == 4 for each in text.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4", "'4' is not a whole number of bytes"),
        ("462a 75", "not a whole number of 16-bit words"),
        ("462a 7g21", "'462a 7g21' is not hexadecimal"),
        ("0x46", "not hexadecimal"),
        ("４６２ａ", "not hexadecimal"),
        ("-001", "not hexadecimal"),
    ],
)
def test_text_that_is_no_words_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_hex(text)


@given(st.binary(max_size=9))
def test_bytes_are_written_in_words_from_the_right(wire: bytes) -> None:
    text = wire_hex(wire)

    assert wire_from_hex(text) == wire
    assert all(len(each) == 4 for each in text.split()[1:])


@given(st.text(max_size=12))
def test_any_text_is_words_or_refused(text: str) -> None:
    try:
        words = from_hex(text)
    except ValueError:
        return
    assert all(0 <= word <= 0xFFFF for word in words)
    assert len("".join(text.split())) == 4 * len(words)


def test_a_step_of_a_float32_grows_with_the_counter() -> None:
    def step_at(kwh: int) -> Fraction:
        bits = struct.unpack(">I", struct.pack(">f", kwh))[0]
        here, following = ieee(bits, 8, 23), ieee(bits + 1, 8, 23)
        assert here is not None
        assert following is not None
        return following - here

    assert math.isclose(step_at(1_000), 0.00006, rel_tol=0.05)
    assert step_at(10_909) == Fraction(1, 1024)
    assert step_at(131_072) == Fraction(1, 64)
    assert step_at(1_000_000) == Fraction(1, 16)
