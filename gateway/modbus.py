"""What the gateway takes from pymodbus: requests, check sums, serial ports on an event loop.

The only file that knows pymodbus. Its client is not used: it spends three times the processor time
of the read itself, and takes a late answer on a serial line for the next request's. Only reads of
registers exist here, function codes 3 and 4.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest
from pymodbus.transport.serialtransport import create_serial_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from meters.serial_line import SerialLine

_READS = {3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest}

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "the gateway got no answer from the device",
}
"""Exception codes of the "MODBUS Application Protocol Specification" V1.1b3, section 7."""


class ModbusError(RuntimeError):
    """A register could not be read; the message says from whom and why."""


class UnreachableError(ModbusError):
    """Nobody accepts connections at the bus' address, or there is no such serial port."""


class ConnectionLostError(ModbusError):
    """The other side closed the connection instead of answering."""


class NoAnswerError(ModbusError):
    """The device did not answer in time."""


class WrongAnswerError(ModbusError):
    """What came is not an answer to the request."""


class LateAnswerError(ModbusError):
    """An answer to an earlier request may still come, and nothing would tell it from this one's."""


class RefusedError(ModbusError):
    """The device answered with an exception; `code` is its number.

    `is_certain` is false where the exception may be a late answer to an earlier request.
    """

    def __init__(self, message: str, code: int, *, is_certain: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.is_certain = is_certain

    @property
    def is_about_the_request(self) -> bool:
        """Whether other addresses or a smaller count may be answered."""
        return self.is_certain and self.code in (2, 3)


class Request(NamedTuple):
    """A read of `words` registers from `address` on, with function 3 or 4."""

    unit: int
    function: int
    address: int
    words: int

    def __str__(self) -> str:
        return (
            f"unit {self.unit}, function {self.function}, {self.words} words from "
            f"0x{self.address:04x}"
        )


@lru_cache(maxsize=8192)
def request_pdu(function: int, address: int, words: int) -> bytes:
    """Return the protocol data unit of a read: function code, address, count.

    Raises `ValueError` for another function than 3 and 4, and for what one request cannot hold.
    """
    if function not in _READS:
        raise ValueError(f"function {function} is not 3 or 4; meters are only read")
    return bytes([function]) + _READS[function](address=address, count=words).encode()


def crc16(data: bytes) -> bytes:
    """Return the check sum of an RTU frame as it stands behind `data` on the line."""
    return FramerRTU.compute_CRC(data).to_bytes(2, "big")


async def open_serial(
    protocol: Callable[[], asyncio.Protocol], path: str, line: SerialLine
) -> asyncio.BaseTransport:
    """Return the serial port `path`, set as `line` says, and ours alone.

    Raises `OSError` or `ValueError` where the port cannot be opened or cannot be set so.
    """
    transport, _ = await create_serial_connection(
        asyncio.get_running_loop(),
        protocol,
        path,
        baudrate=line.baud,
        bytesize=line.data_bits,
        parity=line.parity,
        stopbits=line.stop_bits,
        timeout=0,
    )
    return transport
