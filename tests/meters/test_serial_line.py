"""Serial lines as data sheets write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.serial_line import BAUD_RATES, SerialLine, parse_line


@pytest.mark.parametrize(
    ("text", "line", "bits"),
    [
        ("9600 8N1", SerialLine(9600, 8, "N", 1), 10),
        ("9600 8E1", SerialLine(9600, 8, "E", 1), 11),
        ("2400 8N2", SerialLine(2400, 8, "N", 2), 11),
        ("115200 7O1", SerialLine(115200, 7, "O", 1), 10),
    ],
)
def test_a_line_is_read_and_knows_how_long_a_byte_takes(
    text: str, line: SerialLine, bits: int
) -> None:
    assert parse_line(text) == line
    assert str(line) == text
    assert line.bits_per_byte == bits


@pytest.mark.parametrize(
    "text",
    ["", "9600", "8N1", "9600  8N1", "9600 8n1", "9600 8X1", "9600 6N1", "9600 8N3", "9601 8N1"],
)
def test_what_is_no_line_is_told_how_one_is_written(text: str) -> None:
    with pytest.raises(ValueError, match=r'is no serial line; write .*: "9600 8N1"'):
        parse_line(text)


@given(
    st.sampled_from(BAUD_RATES),
    st.sampled_from([7, 8]),
    st.sampled_from("NEO"),
    st.sampled_from([1, 2]),
)
def test_every_line_comes_back(baud: int, data: int, parity: str, stop: int) -> None:
    assert str(parse_line(f"{baud} {data}{parity}{stop}")) == f"{baud} {data}{parity}{stop}"
