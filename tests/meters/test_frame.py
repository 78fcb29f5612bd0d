"""Captured Modbus RTU frames: what they carry, and every way in which they can be damaged."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.frame import FrameError, crc16, parse_response
from meters.words import WordOrder, WordType, decode

IMPORT = bytes.fromhex("01 04 04 46 2a 75 21 29 8c")


def sealed(body: bytes) -> bytes:
    return body + crc16(body).to_bytes(2, "little")


def crc_by_division(data: bytes) -> int:
    """Return the CRC as the remainder of a long division by x¹⁶ + x¹⁵ + x² + 1, bits reflected."""
    bits = [byte >> place & 1 for byte in data for place in range(8)] + [0] * 16
    for index in range(16):
        bits[index] ^= 1  # the initial value FFFF
    polynomial = [1, 1, *[0] * 12, 1, 0, 1]
    for index in range(len(bits) - 16):
        if bits[index]:
            for offset, bit in enumerate(polynomial):
                bits[index + offset] ^= bit
    return sum(bit << place for place, bit in enumerate(bits[-16:]))


@pytest.mark.parametrize(
    ("frame", "function", "word_type", "scale", "value"),
    [
        ("01 04 04 43 67 af 55 e2 10", 4, "float32", "1", "231.68489"),
        ("01 04 04 45 a2 26 c7 14 98", 4, "float32", "1", "5188.847"),
        ("01 04 04 46 2a 75 21 29 8c", 4, "float32", "1", "10909.28223"),
        ("01 04 04 46 2a 75 22 69 8d", 4, "float32", "1", "10909.28320"),
        ("01 03 02 01 b3 f8 61", 3, "uint16", "0.001", "0.435"),
        ("01 03 04 42 48 1e b8 67 8f", 3, "float32", "1", "50.03"),
    ],
)
def test_captured_frames_carry_the_values_that_were_displayed(
    frame: str, function: int, word_type: str, scale: str, value: str
) -> None:
    response = parse_response(bytes.fromhex(frame))
    decoded = decode(response.words, WordType(word_type), WordOrder.ABCD)

    assert (response.unit, response.function) == (1, function)
    assert decoded is not None
    expected = Decimal(value)
    assert (decoded * Decimal(scale)).quantize(expected) == expected


def test_the_captured_answer_of_an_absent_phase_carries_its_sentinel() -> None:
    assert parse_response(bytes.fromhex("01 03 02 7f ff d8 34")).words == (0x7FFF,)


def test_the_crc_of_the_published_check_string() -> None:
    assert crc16(b"123456789") == 0x4B37


@given(st.binary(max_size=64))
def test_the_crc_is_the_remainder_of_a_division(data: bytes) -> None:
    assert crc16(data) == crc_by_division(data)


@given(
    st.integers(0, 247),
    st.sampled_from([3, 4]),
    st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125),
)
def test_a_whole_frame_is_read(unit: int, function: int, words: list[int]) -> None:
    data = b"".join(word.to_bytes(2, "big") for word in words)

    response = parse_response(sealed(bytes([unit, function, len(data)]) + data))

    assert response == (unit, function, tuple(words))


@given(st.integers(0, 8 * len(IMPORT) - 1))
def test_a_single_flipped_bit_is_found(bit: int) -> None:
    damaged = bytearray(IMPORT)
    damaged[bit // 8] ^= 1 << bit % 8

    with pytest.raises(FrameError, match=r"CRC is [0-9a-f]{4}, the bytes give [0-9a-f]{4}"):
        parse_response(bytes(damaged))


@pytest.mark.parametrize("length", range(len(IMPORT)))
def test_a_frame_cut_short_is_refused(length: int) -> None:
    with pytest.raises(FrameError):
        parse_response(IMPORT[:length])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "0 bytes are too short for a response frame"),
        (b"\x01\x04\x04\x46", "4 bytes are too short"),
        (sealed(b"\x01\x84\x02"), "unit 1 answered exception 2 to function 4"),
        (sealed(b"\x11\x83\x0b"), "unit 17 answered exception 11 to function 3"),
        (sealed(b"\x01\x06\x00\x01\x00\x03"), "function 6 does not read registers"),
        (sealed(b"\x01\x01\x01\xff"), "function 1 does not read registers"),
        (sealed(b"\x01\x04\x04\x46\x2a"), "byte count is 4, but 2 bytes follow"),
        (sealed(b"\x01\x04\x02\x46\x2a\x75\x21"), "byte count is 2, but 4 bytes follow"),
        (sealed(b"\x01\x04\x03\x46\x2a\x75"), "byte count is 3, but 3 bytes follow"),
        (sealed(bytes.fromhex("00 01 00 00 00 07 01 04 04 46 2a 75 21")), "function 1 does not"),
    ],
)
def test_what_is_no_answer_to_a_read_is_refused_with_the_reason(frame: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        parse_response(frame)


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_but_a_frame_error(frame: bytes) -> None:
    for candidate in (frame, sealed(frame)):
        try:
            response = parse_response(candidate)
        except FrameError:
            continue
        assert 2 * len(response.words) == len(candidate) - 5
