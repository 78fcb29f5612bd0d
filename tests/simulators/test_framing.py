"""Frames are found in whatever pieces they come, and nothing else is taken for one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.frame import parse_response
from simulators.framing import NoFrameError, Request, RtuFraming, TcpFraming

RTU_READ = bytes.fromhex("01 04 00 48 00 02 f1 dd")
TCP_READ = bytes.fromhex("0007 0000 0006 01 04 0048 0002")
READ = bytes.fromhex("04 0048 0002")


@given(cuts=st.lists(st.integers(0, 24), max_size=5))
@pytest.mark.parametrize(
    ("framing", "frame", "transaction"), [(RtuFraming(), RTU_READ, 0), (TcpFraming(), TCP_READ, 7)]
)
def test_requests_are_found_in_any_pieces(
    framing: RtuFraming | TcpFraming, frame: bytes, transaction: int, cuts: list[int]
) -> None:
    stream = 3 * frame
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    buffer, found = bytearray(), []
    for start, end in itertools.pairwise(edges):
        buffer += stream[start:end]
        while (request := framing.take(buffer)) is not None:
            found.append(request)
    assert found == 3 * [Request(transaction, 1, READ)]
    assert not buffer


def test_silence_ends_a_frame_of_any_function() -> None:
    write = RtuFraming().frame(0, 9, bytes.fromhex("10 0001 0001 02 000a"))
    buffer = bytearray(write)
    assert RtuFraming().take(buffer) is None
    request = RtuFraming().take_at_silence(buffer)
    assert request == Request(0, 9, bytes.fromhex("10 0001 0001 02 000a"))
    assert not buffer


def test_a_wrong_crc_is_nobodys_request() -> None:
    buffer = bytearray(RTU_READ[:-1] + b"\x00")
    assert RtuFraming().take(buffer) is None
    assert RtuFraming().take_at_silence(buffer) is None
    assert not buffer


@given(noise=st.binary(max_size=2_000))
def test_noise_is_forgotten_at_silence_and_never_piles_up(noise: bytes) -> None:
    framing, buffer = RtuFraming(), bytearray()
    for byte in noise:
        buffer.append(byte)
        framing.take(buffer)
        assert len(buffer) <= 256
    framing.take_at_silence(buffer)
    assert not buffer
    buffer += RTU_READ
    assert framing.take(buffer) == Request(0, 1, READ)


def test_a_header_that_can_be_none_ends_the_connection() -> None:
    with pytest.raises(NoFrameError):
        TcpFraming().take(bytearray(b"GET / HTTP/1.1\r\n"))
    assert TcpFraming().take_at_silence(bytearray(TCP_READ[:9])) is None


def test_an_answer_is_a_frame_that_a_reader_of_captures_takes() -> None:
    answer = RtuFraming().frame(0, 5, bytes.fromhex("04 04 462a 7521"))
    assert parse_response(answer) == (5, 4, (0x462A, 0x7521))
