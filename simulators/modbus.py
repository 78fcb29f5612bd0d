"""Modbus TCP meters: several units behind one port, like an RS-485 line behind a TCP gateway.

Source of the frame: "MODBUS Messaging on TCP/IP Implementation Guide" V1.0b, section 3.1. Frames
are written here byte by byte, because a server library would repair the faults that are wanted.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Self

from simulators.broker import LOOPBACK
from simulators.faults import FaultKind, FaultPlan
from simulators.fleet import crossed_with
from simulators.pdu import ModbusException, exception_pdu, respond
from simulators.ports import listen_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from types import TracebackType

    from simulators.faults import ActiveFault
    from simulators.meter import SimulatedMeter

log = logging.getLogger(__name__)

_HEADER = struct.Struct(">HHHB")
_MAX_PDU = 253
_CACHE = 4096


class Absent(Enum):
    """What answers for a unit that is not on the line."""

    SILENCE = "silence"
    """Nothing, as most gateways do."""
    EXCEPTION = "exception"
    """The gateway, with exception 0x0B."""


class _Request(NamedTuple):
    transaction: int
    unit: int
    pdu: bytes


class ModbusBus:
    """The meters `meters`, by unit id, behind one TCP port, for as long as the block lasts.

    `port` 0 becomes a free one when the bus starts. `clock` says what time it is for the meters
    (UTC); `turnaround_ms` is how long a meter takes to answer. Requests of one connection are
    answered in turn, but a slow answer lets the next ones by and comes when it comes.
    Raises `ListenError` (of simulators.ports) where it cannot listen.
    """

    def __init__(
        self,
        name: str,
        meters: Mapping[int, SimulatedMeter],
        *,
        clock: Callable[[], datetime],
        host: str = LOOPBACK,
        port: int = 0,
        plan: FaultPlan | None = None,
        absent: Absent = Absent.SILENCE,
        turnaround_ms: int = 0,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.requests = 0
        """Requests received since the start, for whatever unit."""
        self._meters = dict(meters)
        self._neighbours = {
            unit: crossed_with(meter, self._meters) for unit, meter in self._meters.items()
        }
        self._clock = clock
        self._plan = FaultPlan() if plan is None else plan
        self._absent = absent
        self._turnaround_ms = turnaround_ms
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: dict[tuple[int, bytes], bytes] = {}
        self._answers_at: datetime | None = None

    @property
    def units(self) -> tuple[int, ...]:
        """The unit ids that answer."""
        return tuple(self._meters)

    async def start(self) -> Self:
        """Listen, and return once connections are accepted."""
        try:
            self._server = await asyncio.start_server(self._serve, self.host, self.port)
        except OSError as error:
            what = f"the Modbus bus {self.name!r}"
            raise listen_error(self.host, self.port, what, error) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is None:
            return
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while (request := await _read(reader)) is not None and await self._answer(
                request, writer
            ):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            log.debug("%s: the client has gone", self.name)
        except asyncio.CancelledError:
            log.debug("%s: closed with the bus", self.name)
        finally:
            writer.close()

    async def _answer(self, request: _Request, writer: asyncio.StreamWriter) -> bool:
        """Answer `request`; return whether the connection goes on."""
        self.requests += 1
        meter = self._meters.get(request.unit)
        if meter is None:
            if self._absent is Absent.EXCEPTION:
                refusal = exception_pdu(request.pdu[0], ModbusException.GATEWAY_TARGET_FAILED)
                await _write(writer, _frame(request.transaction, request.unit, refusal))
            return True
        now = self._clock().replace(microsecond=0)
        fault = self._plan.next(meter.id, now)
        kind = None if fault is None else fault.kind
        if kind is FaultKind.DEAD:
            return True
        if fault is not None and kind is FaultKind.SLOW:
            self._answer_late(request, now, fault, writer)
            return True
        if self._turnaround_ms:
            await _sleep_ms(self._turnaround_ms)
        frame = self._framed(request, now, fault)
        if kind is FaultKind.CUT_FRAME:
            await _write(writer, frame[: len(frame) // 2])
            return False
        await _write(writer, frame)
        return True

    def _framed(self, request: _Request, now: datetime, fault: ActiveFault | None) -> bytes:
        transaction, unit = request.transaction, request.unit
        match None if fault is None else fault.kind:
            case FaultKind.WRONG_TRANSACTION:
                transaction = (transaction + 1) & 0xFFFF
            case FaultKind.WRONG_UNIT:
                unit = next((other for other in self._meters if other != unit), unit % 247 + 1)
        return _frame(transaction, unit, self._pdu(request, now, fault))

    def _pdu(self, request: _Request, now: datetime, fault: ActiveFault | None) -> bytes:
        meter, neighbour = self._meters[request.unit], self._neighbours[request.unit]
        if fault is not None:
            return respond(meter, request.pdu, now, fault=fault, neighbour=neighbour)
        # within a second a meter answers the same, however often it is asked
        if self._answers_at != now or len(self._answers) >= _CACHE:
            self._answers.clear()
            self._answers_at = now
        key = request.unit, request.pdu
        if key not in self._answers:
            self._answers[key] = respond(meter, request.pdu, now)
        return self._answers[key]

    def _answer_late(
        self, request: _Request, now: datetime, fault: ActiveFault, writer: asyncio.StreamWriter
    ) -> None:
        frame = self._framed(request, now, fault)
        task = asyncio.create_task(_write_late(writer, frame, fault.fault.delay_ms))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    return _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    """Return the next request; None where the bytes are no Modbus TCP frame."""
    header = await reader.readexactly(_HEADER.size)
    transaction, protocol, length, unit = _HEADER.unpack(header)
    if protocol != 0 or not 2 <= length <= _MAX_PDU + 1:
        return None
    return _Request(transaction, unit, await reader.readexactly(length - 1))


async def _write(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(frame)
    await writer.drain()


async def _write_late(writer: asyncio.StreamWriter, frame: bytes, delay_ms: int) -> None:
    await _sleep_ms(delay_ms)
    if writer.is_closing():
        return
    try:
        await _write(writer, frame)
    except ConnectionError:
        log.debug("a late answer came after the client had gone")


async def _sleep_ms(milliseconds: int) -> None:
    await asyncio.sleep(milliseconds / 1000)
