"""What a meter answers to any request, by the Modbus specification."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.decoding import decode_register
from simulators.community import demo_community
from simulators.fleet import Fleet
from simulators.pdu import respond

if TYPE_CHECKING:
    from simulators.meter import SimulatedMeter

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
FLEET = Fleet(demo_community(7))
HOUSEHOLD = FLEET.meters["e-1-201"]
GARDEN = FLEET.meters["garden-water"]


def ask(meter: SimulatedMeter, function: int, address: int, count: int) -> bytes:
    return respond(meter, struct.pack(">BHH", function, address, count), NOON)


def words_of(answer: bytes) -> tuple[int, ...]:
    assert answer[1] == len(answer) - 2
    return struct.unpack(f">{answer[1] // 2}H", answer[2:])


def test_registers_are_read_with_the_function_of_the_type() -> None:
    answer = ask(HOUSEHOLD, 4, 0x48, 2)
    assert answer[0] == 4
    decoded = decode_register(HOUSEHOLD.meter_type, "import_energy", words_of(answer))
    assert decoded.value == HOUSEHOLD.shown("import_energy", NOON)


def test_a_block_may_reach_across_undefined_words_between_registers() -> None:
    words = words_of(ask(HOUSEHOLD, 4, 0x00, 0x4C))
    assert words[2:0x0C] == (0,) * 10
    assert decode_register(HOUSEHOLD.meter_type, "voltage", words[:2]).value == HOUSEHOLD.shown(
        "voltage", NOON
    )
    assert words[0x48:0x4A] == words_of(ask(HOUSEHOLD, 4, 0x48, 2))


def test_a_part_of_a_register_may_be_read() -> None:
    assert words_of(ask(HOUSEHOLD, 4, 0x49, 1)) == words_of(ask(HOUSEHOLD, 4, 0x48, 2))[1:]


@pytest.mark.parametrize(
    ("function", "address", "count", "code"),
    [
        (6, 0x48, 2, 1),
        (0x2B, 0x48, 2, 1),
        (4, 0x48, 0, 3),
        (4, 0x48, 126, 3),
        (4, 0x00, 81, 3),  # the type allows 80 words
        (1, 0, 2001, 3),
        (1, 0, 1, 2),
        (2, 0, 1, 2),
        (3, 0x48, 2, 2),  # the type answers function 4
        (4, 0xFFFF, 2, 2),
        (4, 0x4B, 2, 2),  # runs beyond the last register
        (4, 0x02, 2, 2),  # nothing but undefined words
        (4, 0x46, 4, 2),  # begins with undefined words
    ],
)
def test_what_cannot_be_answered_is_refused(
    function: int, address: int, count: int, code: int
) -> None:
    assert ask(HOUSEHOLD, function, address, count) == bytes([function | 0x80, code])


@pytest.mark.parametrize("tail", [b"", b"\x00\x48", b"\x00\x48\x00\x02\x00"])
def test_a_request_of_the_wrong_length_is_refused(tail: bytes) -> None:
    assert respond(HOUSEHOLD, b"\x04" + tail, NOON) == b"\x84\x03"


def test_a_gap_wider_than_the_type_allows_is_refused() -> None:
    # volume and reverse volume lie 1 word apart, the temperature 18 words on: 10 are allowed
    assert len(words_of(ask(GARDEN, 3, 7, 5))) == 5
    assert ask(GARDEN, 3, 7, 24) == b"\x83\x02"


@given(pdu=st.binary(min_size=1, max_size=253))
def test_any_request_gets_an_answer_or_an_exception(pdu: bytes) -> None:
    answer = respond(HOUSEHOLD, pdu, NOON)
    if answer[0] & 0x80:
        assert answer[1] in (1, 2, 3)
        assert len(answer) == 2
    else:
        assert answer[0] == 4
        assert answer[1] == len(answer) - 2
