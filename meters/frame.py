"""Modbus RTU response frames, as captures hold them: unit, function, byte count, words, CRC.

Source: "MODBUS over Serial Line Specification and Implementation Guide" V1.02, sections 2.5.1 and
6.2.2 (CRC-16, polynomial 0xA001, initial value 0xFFFF, low byte first).
"""

from __future__ import annotations

from typing import NamedTuple


class FrameError(ValueError):
    """The bytes are no response to a register read, or were damaged on the way."""


class RegisterResponse(NamedTuple):
    """What a unit answered to a read of holding (3) or input (4) registers."""

    unit: int
    function: int
    words: tuple[int, ...]


def _crc_of(byte: int) -> int:
    crc = byte
    for _ in range(8):
        crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


_CRC_OF = tuple(map(_crc_of, range(256)))


def crc16(data: bytes) -> int:
    """Return the CRC of a serial Modbus frame's bytes before its CRC field."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_OF[(crc ^ byte) & 0xFF]
    return crc


def parse_response(frame: bytes) -> RegisterResponse:
    """Return the words that `frame` carries; raise `FrameError` saying what is wrong with it."""
    if len(frame) < 5:
        raise FrameError(f"{len(frame)} bytes are too short for a response frame")
    body, received = frame[:-2], int.from_bytes(frame[-2:], "little")
    if crc16(body) != received:
        raise FrameError(f"CRC is {received:04x}, the bytes give {crc16(body):04x}")
    unit, function, count = body[0], body[1], body[2]
    if function & 0x80:
        raise FrameError(f"unit {unit} answered exception {count} to function {function & 0x7F}")
    if function not in (3, 4):
        raise FrameError(f"function {function} does not read registers")
    data = body[3:]
    if len(data) != count or count % 2:
        raise FrameError(f"byte count is {count}, but {len(data)} bytes follow")
    words = tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, count, 2))
    return RegisterResponse(unit, function, words)
