"""Modbus frames as bytes: how requests are found in what arrives, and answers are wrapped.

Sources: "MODBUS Messaging on TCP/IP Implementation Guide" V1.0b, section 3.1; "MODBUS over Serial
Line Specification and Implementation Guide" V1.02, section 2.5.1. Frames are written here byte by
byte, because a server library would repair the faults that are wanted.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

from meters.frame import crc16

_HEADER = struct.Struct(">HHHB")
_MAX_PDU = 253
_READ = 8
"""Bytes of an RTU frame that asks for registers: unit, function, address, count, CRC."""
_MAX_RTU = 256


class Request(NamedTuple):
    """What a master asked of `unit`; RTU knows no transaction."""

    transaction: int
    unit: int
    pdu: bytes


class NoFrameError(ValueError):
    """What arrived can be no frame, nor become one: the connection makes no sense any more."""


class Framing(Protocol):
    """How frames stand in a stream of bytes."""

    is_rtu: bool

    def take(self, buffer: bytearray) -> Request | None:
        """Remove the first request from `buffer` and return it; None where it is not whole yet.

        Raises `NoFrameError`.
        """
        ...

    def take_at_silence(self, buffer: bytearray) -> Request | None:
        """Return the request that `buffer` holds now that the line fell silent, and empty it."""
        ...

    def frame(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        """Return the frame of an answer."""
        ...


class TcpFraming:
    """Modbus TCP: a header with transaction, length and unit."""

    is_rtu = False

    def take(self, buffer: bytearray) -> Request | None:
        if len(buffer) < _HEADER.size:
            return None
        transaction, protocol, length, unit = _HEADER.unpack_from(buffer)
        if protocol != 0 or not 2 <= length <= _MAX_PDU + 1:
            raise NoFrameError("no Modbus TCP header")
        end = _HEADER.size + length - 1
        if len(buffer) < end:
            return None
        request = Request(transaction, unit, bytes(buffer[_HEADER.size : end]))
        del buffer[:end]
        return request

    def take_at_silence(self, buffer: bytearray) -> Request | None:
        """Return None: a header says how long a frame is, so silence says nothing."""
        del buffer
        return None

    def frame(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        return _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


class RtuFraming:
    """RTU: unit, PDU and CRC, with silence between frames.

    A read of registers is known by its length and CRC as soon as it is whole; whatever else comes,
    silence ends it, and bytes whose CRC is wrong are nobody's request.
    """

    is_rtu = True

    def take(self, buffer: bytearray) -> Request | None:
        if len(buffer) >= _READ and (request := _request(bytes(buffer[:_READ]))):
            del buffer[:_READ]
            return request
        if len(buffer) > _MAX_RTU:
            del buffer[:-_MAX_RTU]
        return None

    def take_at_silence(self, buffer: bytearray) -> Request | None:
        request = _request(bytes(buffer))
        buffer.clear()
        return request

    def frame(self, _transaction: int, unit: int, pdu: bytes) -> bytes:
        body = bytes([unit]) + pdu
        return body + crc16(body).to_bytes(2, "little")


def _request(frame: bytes) -> Request | None:
    """Return what `frame` asks; None where it is too short or its CRC is wrong."""
    if not 4 <= len(frame) <= _MAX_RTU:
        return None
    body = frame[:-2]
    if crc16(body) != int.from_bytes(frame[-2:], "little"):
        return None
    return Request(0, body[0], body[1:])
