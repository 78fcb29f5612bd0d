"""What a meter answers to a Modbus request: PDU in, PDU out, no sockets.

Source: "MODBUS Application Protocol Specification" V1.1b3, sections 6.1 to 6.4 and 7. A meter knows
the function codes 1 to 4; it has no coils, and the registers of its type stand behind one of 3 and
4, the number of the meter perhaps behind the other. As real ones do, it answers zeros for undefined
words that lie between its registers, as far as its type says that one may read across (`max_gap`),
and refuses other undefined words, forbidden ones, and more than its type allows in one request.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING

from simulators.faults import SOUND, FaultKind

if TYPE_CHECKING:
    from datetime import datetime

    from simulators.faults import Condition
    from simulators.meter import SimulatedMeter

MAX_BITS = 2000
MAX_WORDS = 125

_BITS = (1, 2)
_WORDS = (3, 4)


class ModbusException(IntEnum):
    """The exception codes that simulators answer."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_DATA_ADDRESS = 2
    ILLEGAL_DATA_VALUE = 3
    GATEWAY_TARGET_FAILED = 0x0B
    """A gateway says that the unit behind it did not answer."""


class RefusedError(ValueError):
    """A request that must be answered with the exception `code`."""

    def __init__(self, code: ModbusException) -> None:
        super().__init__(code.name)
        self.code = code


def exception_pdu(function: int, code: int) -> bytes:
    """Return the PDU that refuses a request of `function` with the exception `code`."""
    return bytes([function | 0x80, code])


def respond(
    meter: SimulatedMeter, request: bytes, time: datetime, condition: Condition = SOUND
) -> bytes:
    """Return the PDU that `meter` answers to the PDU `request` (one byte or more) at `time`.

    Faults of the frame around the PDU are not applied here.
    """
    function = request[0]
    if condition.fault is not None and condition.kind is FaultKind.EXCEPTION:
        return exception_pdu(function, condition.fault.fault.code)
    try:
        address, count, names = _asked(meter, request)
    except RefusedError as refusal:
        return exception_pdu(function, refusal.code)
    image = meter.image(time, names, condition)
    words = [image.get(asked, 0) for asked in range(address, address + count)]
    if condition.kind is FaultKind.SHORT_FRAME:
        words.pop()
    return struct.pack(f">BB{len(words)}H", function, 2 * len(words), *words)


def _asked(meter: SimulatedMeter, request: bytes) -> tuple[int, int, tuple[str, ...]]:
    """Return address, count and the registers that `request` asks for; raise `RefusedError`."""
    access = meter.meter_type.modbus
    function = request[0]
    if access is None or function not in (*_BITS, *_WORDS):
        raise RefusedError(ModbusException.ILLEGAL_FUNCTION)
    if len(request) != 5:
        raise RefusedError(ModbusException.ILLEGAL_DATA_VALUE)
    address, count = struct.unpack(">HH", request[1:])
    most = MAX_BITS if function in _BITS else min(MAX_WORDS, access.max_words)
    if not 1 <= count <= most:
        raise RefusedError(ModbusException.ILLEGAL_DATA_VALUE)
    if address + count > 0x10000:
        raise RefusedError(ModbusException.ILLEGAL_DATA_ADDRESS)
    names = meter.model.registers_in(function, address, count)
    if names is None:
        raise RefusedError(ModbusException.ILLEGAL_DATA_ADDRESS)
    return address, count, names
