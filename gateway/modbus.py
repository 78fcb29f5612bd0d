"""Modbus TCP, one request at a time. The only file that knows pymodbus.

A wrong number on a bill begins with an answer that belongs to another question. So an answer is
taken only if its transaction, unit, function and length are those of the request; after silence or
a wrong answer the connection is dropped with whatever may still be on its way; and transaction
numbers go on where the last connection ended, so that a late answer, which some gateways to RS-485
pass on to a new connection, never carries the number of the request that waits.

Source: "MODBUS Messaging on TCP/IP Implementation Guide" V1.0b, section 3.1.3 (the MBAP header).
"""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import NamedTuple, Self

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import ReadInputRegistersResponse

# its warnings repeat what the errors below say, without a name
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

_HEADER = struct.Struct(">HHHBB")
_FIRST_BYTES = struct.Struct(">HHHBBB")

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
    """Nobody accepts connections at the bus' address."""


class ConnectionLostError(ModbusError):
    """The other side closed the connection instead of answering."""


class NoAnswerError(ModbusError):
    """The device did not answer in time."""


class WrongAnswerError(ModbusError):
    """What came is not an answer to the request."""


class RefusedError(ModbusError):
    """The device answered with an exception; `code` is its number."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_about_the_request(self) -> bool:
        """Whether other addresses or a smaller count may be answered."""
        return self.code in (2, 3)


class _Request(NamedTuple):
    unit: int
    function: int
    address: int
    words: int

    def __str__(self) -> str:
        return (
            f"unit {self.unit}, function {self.function}, {self.words} words from "
            f"0x{self.address:04x}"
        )


class ModbusConnection:
    """A connection to `host`:`port`, made when it is needed and made anew after every failure.

    One request is under way at a time; the caller sees to that. Use it on one event loop.
    """

    def __init__(self, host: str, port: int, *, timeout_s: float) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._client: AsyncModbusTcpClient | None = None
        self._transaction = 0
        self._request: _Request | None = None
        self._right_start = b""
        self._incomplete = 0

    async def read(self, unit: int, function: int, address: int, words: int) -> tuple[int, ...]:
        """Return `words` register words from `address` on, read with function 3 or 4.

        Raises `UnreachableError`, `ConnectionLostError`, `NoAnswerError`, `WrongAnswerError` or
        `RefusedError`.
        """
        client = await self._connected()
        self._request = request = _Request(unit, function, address, words)
        self._incomplete = 0
        self._transaction = self._next_transaction(client)
        self._right_start = _FIRST_BYTES.pack(
            self._transaction, 0, 3 + 2 * words, unit, function, 2 * words
        )
        ask = client.read_holding_registers if function == 3 else client.read_input_registers
        try:
            response = await ask(address, count=words, device_id=unit)
            _raise_if_cancelled()
        except ModbusError:
            self.close()
            raise
        except ModbusIOException as error:
            self.close()
            within = f"within {self._timeout_s} s ({request})"
            if self._incomplete:
                came = f"only {self._incomplete} bytes of an answer came {within}"
                raise WrongAnswerError(f"{self}: {came}") from error
            raise NoAnswerError(f"{self}: no answer {within}") from error
        except (ConnectionException, OSError) as error:
            self.close()
            raise ConnectionLostError(f"{self}: the connection is gone ({request})") from error
        except asyncio.CancelledError:
            # the answer may still come: nothing else may be asked on this connection
            self.close()
            raise
        finally:
            self._request = None
        if isinstance(response, ExceptionResponse):
            code = response.exception_code
            name = EXCEPTIONS.get(code, "unknown")
            raise RefusedError(f"{self}: exception {code}, {name} ({request})", code)
        return tuple(response.registers)

    def close(self) -> None:
        """Drop the connection; the next read makes a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __str__(self) -> str:
        return f"{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        client = AsyncModbusTcpClient(
            self._host,
            port=self._port,
            timeout=self._timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._traced,
            trace_connect=self._connection_changed,
        )
        try:
            connected = await client.connect()
        except BaseException:
            client.close()
            raise
        if not connected:
            client.close()
            raise UnreachableError(
                f"{self}: nobody accepts connections; check the address, the cable and the power"
            )
        client.ctx.next_tid = self._transaction
        self._client = client
        return client

    def _next_transaction(self, client: AsyncModbusTcpClient) -> int:
        """Return the number that pymodbus gives to the next request."""
        last: int = client.ctx.next_tid
        return 1 if last >= 65000 else last + 1

    def _traced(self, sending: bool, data: bytes) -> bytes:  # noqa: FBT001 - pymodbus calls it so
        """Take what answers the request; fail the request for anything that claims to and does not.

        What is taken is kept from pymodbus, whose decoding word by word costs more than the read.
        """
        if sending:
            return data
        request = self._request
        if request is None:
            return b""
        start = self._right_start
        if data.startswith(start) and len(data) == len(start) + start[-1]:
            words = struct.unpack_from(f">{request.words}H", data, len(start))
            self._settle(
                ReadInputRegistersResponse(
                    dev_id=request.unit, transaction_id=self._transaction, registers=words
                )
            )
            return b""
        if wrong := self._wrong(data, request):
            self._settle(WrongAnswerError(f"{self}: {wrong} ({request})"))
            return b""
        return data

    def _wrong(self, data: bytes, request: _Request) -> str | None:
        """Return what is wrong with the frames in `data`, None while they may yet become right."""
        while len(data) >= _HEADER.size:
            transaction, protocol, length, unit, function = _HEADER.unpack_from(data)
            if protocol != 0 or not 3 <= length <= 254:
                return "the answer is no Modbus TCP frame"
            body = data[_HEADER.size : 6 + length]
            if transaction != self._transaction:
                if transaction == 0:
                    return "the answer carries no transaction number"
                data = data[6 + length :]  # a late answer to an earlier request
                continue
            if unit != request.unit:
                return f"unit {unit} answered"
            if function == request.function | 0x80:
                return None if length == 3 else "the exception is not one byte long"
            if function != request.function:
                return f"the answer is for function {function}"
            if body and (body[0] != 2 * request.words or length != 3 + body[0]):
                return f"the answer holds {body[0]} bytes in a frame of {length}"
            break
        self._incomplete = len(data)
        return None

    def _connection_changed(self, connected: bool) -> None:  # noqa: FBT001 - pymodbus calls it so
        if not connected and self._request is not None:
            self._settle(ConnectionLostError(f"{self}: the other side hung up ({self._request})"))

    def _settle(self, outcome: ModbusPDU | ModbusError) -> None:
        """Give the request its outcome now; pymodbus would wait for the timeout."""
        future = None if self._client is None else self._client.ctx.response_future
        if future is None or future.done():
            return
        if isinstance(outcome, ModbusError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _raise_if_cancelled() -> None:
    """Cancel here: up to Python 3.11 wait_for swallows a cancellation that comes with a result."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
