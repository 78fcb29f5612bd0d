"""Frames on the wire, and which answer belongs to which question. Pure: bytes in, words out.

A wrong number on a bill begins with an answer that belongs to another question. On Modbus TCP the
transaction number tells them apart. On a serial line nothing does but unit, function, length and
check sum: so what was asked and never answered is remembered, and nothing is asked meanwhile whose
answer would look the same.

Sources: "MODBUS Messaging on TCP/IP Implementation Guide" V1.0b, section 3.1.3 (the MBAP header);
"MODBUS over Serial Line Specification and Implementation Guide" V1.02, section 2.5.1 (RTU).
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple, Protocol

from gateway.modbus import (
    EXCEPTIONS,
    LateAnswerError,
    ModbusError,
    NoAnswerError,
    RefusedError,
    Request,
    WrongAnswerError,
    crc16,
    request_pdu,
)

_HEADER = struct.Struct(">HHHBB")
_NUMBER = struct.Struct(">HH")
"""The transaction, and protocol 0."""
_FRAME = struct.Struct(">HB")
_ANSWER = struct.Struct(">HBBB")
_MOST_KEPT = 1024
"""More than any answer and its echo: what comes beyond is noise."""


class Framing(Protocol):
    """The dialogue on one line. Times are seconds of a monotonic clock."""

    keeps_connection: bool
    """Whether a connection is good for the next request after one that failed."""

    def ask(self, request: Request, at: float) -> bytes:
        """Return the frame that asks `request`; what is taken from now on must answer it."""

    def take(self, data: bytes) -> tuple[int, ...] | None:
        """Return the words once `data` completes the answer; raise what it says else."""

    def give_up(self, at: float, within: str) -> ModbusError:
        """Return why there is no answer: the request is over."""

    def overhear(self, data: bytes) -> None:
        """Take note of what comes while nothing was asked."""


class TcpFraming:
    """Modbus TCP. Transaction numbers go on where the last connection ended.

    So a late answer, which some gateways to RS-485 pass on to a new connection, never carries the
    number of the request that waits.
    """

    keeps_connection = False

    def __init__(self, name: str) -> None:
        self._name = name
        self._transaction = 0
        self._request: Request | None = None
        self._start = b""
        self._size = 0
        self._words = struct.Struct(">0H")
        self._held = b""

    def ask(self, request: Request, at: float) -> bytes:  # noqa: ARG002 - time tells nothing here
        self._transaction = self._transaction % 0xFFFF + 1
        self._request = request
        self._held = b""
        number = _NUMBER.pack(self._transaction, 0)
        question, answer, self._size, self._words = _tcp_frames(request)
        self._start = number + answer
        return number + question

    def take(self, data: bytes) -> tuple[int, ...] | None:
        if self._held:
            data = self._held + data
        if len(data) == self._size and data.startswith(self._start):
            self._held = b""
            return self._words.unpack_from(data, len(self._start))
        self._held = data[-_MOST_KEPT:]
        return self._answer(data)

    def _answer(self, data: bytes) -> tuple[int, ...] | None:
        """Return the words in `data`, behind late answers to earlier requests; None as yet."""
        request = self._request
        if request is None:
            return None
        while len(data) >= _HEADER.size:
            transaction, protocol, length, unit, function = _HEADER.unpack_from(data)
            if protocol != 0 or not 3 <= length <= 254:
                raise self._wrong("the answer is no Modbus TCP frame")
            if transaction == 0:
                raise self._wrong("the answer carries no transaction number")
            if transaction != self._transaction:
                self._held = data = data[6 + length :]  # a late answer to an earlier request
                continue
            if unit != request.unit:
                raise self._wrong(f"unit {unit} answered")
            if function == request.function | 0x80:
                self._raise_refused(request, length, data)
                return None
            if function != request.function:
                raise self._wrong(f"the answer is for function {function}")
            return self._registers(request, length, data)
        return None

    def _raise_refused(self, request: Request, length: int, data: bytes) -> None:
        if length != 3:
            raise self._wrong("the exception is not one byte long")
        if len(data) >= 9:
            raise _refused(self._name, request, data[8])

    def _registers(self, request: Request, length: int, data: bytes) -> tuple[int, ...] | None:
        if len(data) < 9:
            return None
        if data[8] != 2 * request.words or length != 3 + data[8]:
            raise self._wrong(f"the answer holds {data[8]} bytes in a frame of {length}")
        return self._words.unpack_from(data, 9) if len(data) >= self._size else None

    def give_up(self, at: float, within: str) -> ModbusError:  # noqa: ARG002 - time tells nothing
        incomplete, request, self._request = len(self._held), self._request, None
        if incomplete:
            came = f"only {incomplete} bytes of an answer came {within}"
            return WrongAnswerError(f"{self._name}: {came} ({request})")
        return NoAnswerError(f"{self._name}: no answer {within} ({request})")

    def overhear(self, data: bytes) -> None:
        """What comes between two requests carries an earlier number."""

    def _wrong(self, what: str) -> WrongAnswerError:
        return WrongAnswerError(f"{self._name}: {what} ({self._request})")


class _Owed(NamedTuple):
    request: Request
    until: float


class _Frame(NamedTuple):
    unit: int
    function: int
    data: bytes

    @property
    def is_exception(self) -> bool:
        return bool(self.function & 0x80)

    def could_answer(self, request: Request) -> bool:
        """Return whether nothing tells this frame from the answer to `request`."""
        if self.unit != request.unit or self.function & 0x7F != request.function:
            return False
        return self.is_exception or len(self.data) == 2 * request.words


class RtuFraming:
    """Modbus RTU, on a serial line or over TCP. `late_s` is how late an answer may come.

    A frame counts where its check sum is right, wherever it begins: before it may be noise, an
    echo of the request, or a late answer of somebody else.
    """

    keeps_connection = True

    def __init__(self, name: str, *, late_s: float) -> None:
        self._name = name
        self._late_s = late_s
        self._request: Request | None = None
        self._owed: list[_Owed] = []
        self._held = b""
        self._start = b"\0\0\0"
        """How the answer begins; nothing begins with function 0."""
        self._strangers: list[_Frame] = []

    def ask(self, request: Request, at: float) -> bytes:
        self._owed = [owed for owed in self._owed if owed.until > at]
        for owed in self._owed:
            other = owed.request
            # a late answer to the very same question is right, if a little old
            if other != request and (other.unit, other.function, other.words) == (
                request.unit,
                request.function,
                request.words,
            ):
                raise LateAnswerError(
                    f"{self._name}: not asked ({request}), because an answer to an earlier "
                    f"request ({other}) may come for another {owed.until - at:.0f} s"
                )
        self._request = request
        self._held = b""
        self._strangers = []
        self._start = bytes([request.unit, request.function, 2 * request.words])
        body = bytes([request.unit]) + request_pdu(*request[1:])
        return body + crc16(body)

    def take(self, data: bytes) -> tuple[int, ...] | None:
        request = self._request
        frames = self._frames(data)
        for number, frame in enumerate(frames):
            if request is None or not frame.could_answer(request):
                self._strangers.append(frame)
                self._strike(frame)
                continue
            self._request = None
            for late in frames[number + 1 :]:
                self._strike(late)
            if frame.is_exception:
                owes = any(frame.could_answer(owed.request) for owed in self._owed)
                raise _refused(self._name, request, frame.data[0], is_certain=not owes)
            return _words(request.words).unpack(frame.data)
        return None

    def give_up(self, at: float, within: str) -> ModbusError:
        request, self._request = self._request, None
        if request is not None:
            self._owed.append(_Owed(request, at + self._late_s))
        if self._strangers:
            return WrongAnswerError(f"{self._name}: {_said(self._strangers[-1])} ({request})")
        if self._held:
            came = f"{len(self._held)} bytes came {within} that make no frame"
            return WrongAnswerError(f"{self._name}: {came} ({request})")
        return NoAnswerError(f"{self._name}: no answer {within} ({request})")

    def overhear(self, data: bytes) -> None:
        for frame in self._frames(data):
            self._strike(frame)

    def _strike(self, frame: _Frame) -> None:
        """Note that what `frame` answers has been answered now, if late."""
        for owed in self._owed:
            if frame.could_answer(owed.request):
                self._owed.remove(owed)
                return

    def _frames(self, data: bytes) -> list[_Frame]:
        """Return the frames that `data` completes; keep what may become one."""
        held = self._held + data
        found = []
        start = at = 0
        while at + 5 <= len(held):
            function = held[at + 1]
            size = {3: 5 + held[at + 2], 4: 5 + held[at + 2], 0x83: 5, 0x84: 5}.get(function, 0)
            if at + size > len(held) and held.startswith(self._start, at):
                break  # it may be the answer; what looks like a frame inside of it is none
            body = held[at : at + size - 2]
            if size and at + size <= len(held) and held[at + size - 2 : at + size] == crc16(body):
                found.append(_Frame(body[0], function, _data(body)))
                start = at = at + size
            else:
                at += 1
        self._held = held[start:][-_MOST_KEPT:]
        return found


def _data(body: bytes) -> bytes:
    return body[2:] if body[1] & 0x80 else body[3:]


def _said(frame: _Frame) -> str:
    if frame.is_exception:
        return f"unit {frame.unit} answered with exception {frame.data[0]}"
    return f"unit {frame.unit} answered function {frame.function} with {len(frame.data)} bytes"


def _refused(name: str, request: Request, code: int, *, is_certain: bool = True) -> RefusedError:
    said = f"exception {code}, {EXCEPTIONS.get(code, 'unknown')}"
    return RefusedError(f"{name}: {said} ({request})", code, is_certain=is_certain)


@lru_cache(maxsize=8192)
def _tcp_frames(request: Request) -> tuple[bytes, bytes, int, struct.Struct]:
    """Return what asks `request` and how its answer begins, both behind the transaction's number.

    Then follow how many bytes the answer has as a whole, and how its words are laid out.
    """
    unit, function, address, words = request
    pdu = request_pdu(function, address, words)
    question = _FRAME.pack(len(pdu) + 1, unit) + pdu
    answer = _ANSWER.pack(3 + 2 * words, unit, function, 2 * words)
    return question, answer, _NUMBER.size + len(answer) + 2 * words, _words(words)


def _words(count: int) -> struct.Struct:
    found = _STRUCTS.get(count)
    if found is None:
        found = _STRUCTS[count] = struct.Struct(f">{count}H")
    return found


_STRUCTS: dict[int, struct.Struct] = {}
