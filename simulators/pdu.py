"""What a meter answers to a Modbus request: PDU in, PDU out, no sockets.

Source: "MODBUS Application Protocol Specification" V1.1b3, sections 6.1 to 6.4 and 7. A meter knows
the function codes 1 to 4; it has no coils, and the registers of its type stand behind one of 3 and
4. As real ones do, it answers zeros for undefined words that lie between its registers, as far as
its type says that one may read across (`max_gap`), and refuses other undefined words.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING

from simulators.faults import FaultKind

if TYPE_CHECKING:
    from datetime import datetime

    from meters.meter_type import MeterType
    from simulators.faults import ActiveFault
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
    meter: SimulatedMeter,
    request: bytes,
    time: datetime,
    *,
    fault: ActiveFault | None = None,
    neighbour: SimulatedMeter | None = None,
) -> bytes:
    """Return the PDU that `meter` answers to the PDU `request` (one byte or more) at `time`.

    `neighbour` is the meter whose words a crossed answer holds. Faults of the frame around the PDU
    are not applied here.
    """
    function = request[0]
    if fault is not None and fault.kind is FaultKind.EXCEPTION:
        return exception_pdu(function, fault.fault.code)
    try:
        address, count = _asked(meter.meter_type, request)
        names = registers_in(meter.meter_type, address, count)
    except RefusedError as refusal:
        return exception_pdu(function, refusal.code)
    answering = meter
    if fault is not None and fault.kind is FaultKind.CROSSED and neighbour is not None:
        answering = neighbour
    image = answering.image(time, names, fault)
    words = [image.get(asked, 0) for asked in range(address, address + count)]
    if fault is not None and fault.kind is FaultKind.SHORT_FRAME:
        words.pop()
    return struct.pack(f">BB{len(words)}H", function, 2 * len(words), *words)


def _asked(meter_type: MeterType, request: bytes) -> tuple[int, int]:
    """Return the address and count that `request` asks for; raise `RefusedError`."""
    access = meter_type.modbus
    function = request[0]
    if access is None or function not in (*_BITS, *_WORDS):
        raise RefusedError(ModbusException.ILLEGAL_FUNCTION)
    if len(request) != 5:
        raise RefusedError(ModbusException.ILLEGAL_DATA_VALUE)
    address, count = struct.unpack(">HH", request[1:])
    most = MAX_BITS if function in _BITS else min(MAX_WORDS, access.max_words)
    if not 1 <= count <= most:
        raise RefusedError(ModbusException.ILLEGAL_DATA_VALUE)
    if function != access.function or address + count > 0x10000:
        raise RefusedError(ModbusException.ILLEGAL_DATA_ADDRESS)
    return address, count


def registers_in(meter_type: MeterType, address: int, count: int) -> list[str]:
    """Return the registers that lie at least partly in the words from `address`.

    Raises `RefusedError` where a word asked for neither belongs to a register nor may be read
    across.
    """
    names: list[str] = []
    end = address + count
    spans = sorted(
        (register.address, register.address + register.type.words, name)
        for name, register in meter_type.registers.items()
        if register.address is not None and register.type is not None
    )
    next_word = address
    for first, after, name in spans:
        if after <= address or first >= end:
            continue
        gap = first - next_word
        if gap > 0 and (not names or meter_type.modbus is None or gap > meter_type.modbus.max_gap):
            raise RefusedError(ModbusException.ILLEGAL_DATA_ADDRESS)
        names.append(name)
        next_word = max(next_word, after)
    if next_word < end:
        raise RefusedError(ModbusException.ILLEGAL_DATA_ADDRESS)
    return names
