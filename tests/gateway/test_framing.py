"""Which answer belongs to which question, where only bytes and virtual time decide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.framing import RtuFraming, TcpFraming
from gateway.modbus import LateAnswerError, ModbusError, RefusedError, Request, crc16

TIMEOUT_S = 1.0
LATE_S = 10 * TIMEOUT_S


def _answer(request: Request) -> bytes:
    """The frame that answers `request`: each word tells its unit and address."""
    body = bytes([request.unit, request.function, 2 * request.words]) + b"".join(
        bytes([request.unit, address])
        for address in range(request.address, request.address + request.words)
    )
    return body + crc16(body)


def _expected(request: Request) -> tuple[int, ...]:
    return tuple(
        request.unit << 8 | address
        for address in range(request.address, request.address + request.words)
    )


REQUESTS = st.builds(
    Request, st.integers(1, 2), st.integers(3, 4), st.integers(0, 3), st.integers(1, 2)
)
DELAYS = st.floats(0, LATE_S * 0.99) | st.floats(0.9, 1.1) | st.none()


@given(st.lists(st.tuples(REQUESTS, DELAYS, st.floats(0, 2)), max_size=30))
def test_on_a_serial_line_no_lateness_makes_an_answer_somebody_elses(
    dialogue: list[tuple[Request, float | None, float]],
) -> None:
    """Each request is answered after its delay, or never; the next follows after a pause."""
    framing = RtuFraming("line", late_s=LATE_S)
    coming: list[tuple[float, bytes]] = []
    now = 0.0

    def arrivals(until: float) -> list[bytes]:
        due = sorted(each for each in coming if each[0] <= until)
        coming[:] = [each for each in coming if each[0] > until]
        return [frame for _, frame in due]

    for request, delay, pause in dialogue:
        for frame in arrivals(now):
            framing.overhear(frame)
        try:
            framing.ask(request, now)
        except LateAnswerError:
            now += pause
            continue
        if delay is not None:
            coming.append((now + delay, _answer(request)))
        words = None
        for frame in arrivals(now + TIMEOUT_S):
            words = words or framing.take(frame)
        if words is None:
            framing.give_up(now + TIMEOUT_S, "in time")
        else:
            assert words == _expected(request)
        now += TIMEOUT_S + pause


@given(st.lists(st.binary(max_size=300), max_size=20), REQUESTS)
def test_noise_is_never_an_answer_and_never_an_error_that_nobody_expects(
    noise: list[bytes], request: Request
) -> None:
    for framing in (RtuFraming("line", late_s=LATE_S), TcpFraming("host")):
        framing.ask(request, 0.0)
        for chunk in noise:
            try:
                words = framing.take(chunk)
            except ModbusError:
                break
            assert words is None
        assert isinstance(framing.give_up(1.0, "in time"), ModbusError)


@given(st.binary(max_size=40), st.binary(max_size=40), st.data())
def test_an_answer_is_found_in_noise_however_it_comes_in_pieces(
    before: bytes, after: bytes, data: st.DataObject
) -> None:
    request = Request(1, 4, 0x48, 4)
    framing = RtuFraming("line", late_s=LATE_S)
    framing.ask(request, 0.0)
    stream = before + _answer(request) + after
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert next((w for w in map(framing.take, pieces) if w), None) == _expected(request)


def test_what_looks_like_a_frame_inside_of_the_answer_is_part_of_it() -> None:
    inside = b"\x02\x03\x02\x00\x05"
    inside += crc16(inside) + b"\x00"
    body = b"\x01\x04\x08" + inside
    framing = RtuFraming("line", late_s=LATE_S)
    framing.ask(Request(1, 4, 0, 4), 0.0)
    taken = [framing.take(bytes([byte])) for byte in body + crc16(body)]
    assert taken[:-1] == [None] * 12
    assert taken[-1] == tuple(int.from_bytes(inside[i : i + 2], "big") for i in range(0, 8, 2))


def test_an_echo_of_the_request_is_not_its_answer() -> None:
    # the echo begins like an answer: unit, function, and 4, which is half of the address here
    request = Request(1, 4, 0x0400, 2)
    framing = RtuFraming("line", late_s=LATE_S)
    echo = framing.ask(request, 0.0)
    assert framing.take(echo) is None
    assert framing.take(bytes.fromhex("01040443 67af55 e210")) == (0x4367, 0xAF55)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ("01 04 04 43 67 af 55 e2 11", "9 bytes came within 1 s that make no frame"),
        ("01 04 04 43", "4 bytes came within 1 s that make no frame"),
        ("", "no answer within 1 s"),
    ],
)
def test_what_makes_no_frame_is_told_from_silence(frame: str, says: str) -> None:
    framing = RtuFraming("line", late_s=LATE_S)
    framing.ask(Request(1, 4, 0, 2), 0.0)
    assert framing.take(bytes.fromhex(frame)) is None
    assert says in str(framing.give_up(1.0, "within 1 s"))


def test_the_answer_of_another_unit_is_named_and_not_taken() -> None:
    framing = RtuFraming("line", late_s=LATE_S)
    framing.ask(Request(1, 4, 0, 2), 0.0)
    assert framing.take(_answer(Request(2, 4, 0, 2))) is None
    assert "unit 2 answered function 4 with 4 bytes" in str(framing.give_up(1.0, "in time"))


def test_what_was_not_answered_keeps_questions_away_whose_answer_would_look_the_same() -> None:
    framing = RtuFraming("line", late_s=LATE_S)
    framing.ask(Request(1, 4, 0, 2), 0.0)
    framing.give_up(1.0, "in time")
    with pytest.raises(LateAnswerError, match=r"an answer to an earlier request \(unit 1.*0x0000"):
        framing.ask(Request(1, 4, 8, 2), 1.0)
    framing.ask(Request(1, 4, 0, 2), 1.0)  # the same question has the same answer
    framing.ask(Request(1, 4, 8, 4), 1.0)
    framing.ask(Request(1, 3, 8, 2), 1.0)
    framing.ask(Request(2, 4, 8, 2), 1.0)
    framing.ask(Request(1, 4, 8, 2), 1.0 + LATE_S)


def test_once_the_late_answer_has_come_nothing_is_kept_away() -> None:
    framing = RtuFraming("line", late_s=LATE_S)
    framing.ask(Request(1, 4, 0, 2), 0.0)
    framing.give_up(1.0, "in time")
    framing.overhear(_answer(Request(1, 4, 0, 2)))
    framing.ask(Request(1, 4, 8, 2), 1.5)


def test_a_refusal_that_may_be_late_says_nothing_about_this_request() -> None:
    framing = RtuFraming("line", late_s=LATE_S)
    refusal = b"\x01\x84\x02"
    framing.ask(Request(1, 4, 0, 2), 0.0)
    framing.give_up(1.0, "in time")
    framing.ask(Request(1, 4, 8, 6), 1.0)
    with pytest.raises(RefusedError) as caught:
        framing.take(refusal + crc16(refusal))
    assert not caught.value.is_about_the_request
    fresh = RtuFraming("line", late_s=LATE_S)
    fresh.ask(Request(1, 4, 8, 6), 1.0)
    with pytest.raises(RefusedError) as caught:
        fresh.take(refusal + crc16(refusal))
    assert caught.value.is_about_the_request


def test_a_request_is_written_as_the_specification_has_it() -> None:
    framing = RtuFraming("line", late_s=LATE_S)
    assert framing.ask(Request(1, 4, 0x48, 2), 0.0).hex(" ") == "01 04 00 48 00 02 f1 dd"
    assert TcpFraming("h").ask(Request(1, 4, 0x48, 2), 0.0).hex() == "000100000006010400480002"
