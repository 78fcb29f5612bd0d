"""A connection to a line of meters: one request at a time, and none while the line is not quiet."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, cast

from gateway.framing import RtuFraming, TcpFraming
from gateway.line import NetworkLine
from gateway.modbus import (
    ConnectionLostError,
    ModbusError,
    NoAnswerError,
    RefusedError,
    Request,
    UnreachableError,
    WrongAnswerError,
    open_serial,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.framing import Framing
    from gateway.line import Line

LATEST_ANSWER_TIMEOUTS = 10.0
"""On a serial line an answer is expected to come after so many timeouts, if it comes at all."""
LONGEST_NOISE_TIMEOUTS = 5.0
"""How long a line is listened to until it is quiet."""
SILENT_BEFORE_ANEW = 2
"""A connection that brought nothing for so many requests in a row is made anew."""
REQUEST_SIZE = 8
ANSWER_SIZE = 5
"""Bytes of an answer on a serial line, its words apart."""
_request = lru_cache(maxsize=8192)(Request)
"""The same few requests are made again and again."""


class ModbusConnection:
    """A connection to `line`, made when it is needed and made anew after what spoils it.

    `timeout_s` is how long an answer may take, its way over a serial line not counted; between an
    answer and the next request are `turnaround_s` at least. After a failure on a line without
    transaction numbers nothing is asked until it has been quiet for `settle_s`, by default for
    `timeout_s`. One request is under way at a time; the caller sees to that. Use it on one event
    loop.
    """

    def __init__(
        self,
        line: Line,
        *,
        timeout_s: float,
        turnaround_s: float = 0.0,
        settle_s: float | None = None,
    ) -> None:
        self.interruptions = 0
        """How often the other side went away: behind it may be another device since."""
        self._line = line
        self._timeout_s = timeout_s
        self._settle_s = timeout_s if settle_s is None else settle_s
        self._pause_s = max(turnaround_s, line.silence_s)
        self._byte_s = line.transfer_s(1)
        self._framing: Framing = (
            TcpFraming(str(line))
            if line.framing == "tcp"
            else RtuFraming(str(line), late_s=LATEST_ANSWER_TIMEOUTS * timeout_s)
        )
        self._wire: _Wire | None = None
        self._waiter: asyncio.Future[Any] | None = None
        self._quiet_s = 0.0
        """How long the line must be quiet before the next request."""
        self._heard_at = 0.0
        self._silent = 0
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    async def read(self, unit: int, function: int, address: int, words: int) -> tuple[int, ...]:
        """Return `words` register words from `address` on, read with function 3 or 4.

        Raises `UnreachableError`, `ConnectionLostError`, `NoAnswerError`, `WrongAnswerError`,
        `LateAnswerError` or `RefusedError`.
        """
        request = _request(unit, function, address, words)
        wire = self._wire
        if wire is None or wire.transport.is_closing():
            return await self._ask(await self._connected(), request)
        try:
            return await self._ask(wire, request)
        except ConnectionLostError:
            # the other side closes what is idle, and may do so just now: ask anew, once
            return await self._ask(await self._connected(), request)

    def close(self) -> None:
        """Drop the connection; the next read makes a new one."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.transport.close()
        if self._timer is not None and self._waiter is None:
            self._timer.cancel()
            self._timer = None

    def __str__(self) -> str:
        return str(self._line)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def _ask(self, wire: _Wire, request: Request) -> tuple[int, ...]:
        loop = wire.loop
        if self._quiet_s:
            await self._quiet(loop)
        at = loop.time()
        frame = self._framing.ask(request, at)
        self._waiter = waiter = loop.create_future()
        transfer_s = (REQUEST_SIZE + ANSWER_SIZE + 2 * request.words) * self._byte_s
        self._within(loop, at + self._timeout_s + transfer_s)
        wire.transport.write(frame)
        try:
            words: tuple[int, ...] = await waiter
        except RefusedError:
            self._answered(loop)
            raise
        except (ModbusError, asyncio.CancelledError) as error:
            self._spoiled(loop.time(), silent=isinstance(error, NoAnswerError))
            raise
        finally:
            self._waiter = None
        self._answered(loop)
        return words

    def _answered(self, loop: asyncio.AbstractEventLoop) -> None:
        self._silent = 0
        self._quiet_s = self._pause_s
        if self._pause_s:
            self._heard_at = loop.time()

    async def _quiet(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until the line is quiet; what comes meanwhile answers nothing that is still asked.

        Raises `WrongAnswerError` where it never is, `ConnectionLostError` where it is gone.
        """
        deadline = loop.time() + self._quiet_s + LONGEST_NOISE_TIMEOUTS * self._timeout_s
        while (wait_s := self._heard_at + self._quiet_s - loop.time()) > 0:
            if loop.time() > deadline:
                raise WrongAnswerError(f"{self}: the line is never quiet; who else talks on it?")
            await asyncio.sleep(wait_s)
            if self._wire is None:
                raise ConnectionLostError(f"{self}: the other side hung up")

    async def _connected(self) -> _Wire:
        self.close()
        loop = asyncio.get_running_loop()
        wire = _Wire(loop, self._received, self._lost)
        line = self._line
        try:
            async with asyncio.timeout(self._timeout_s):
                if isinstance(line, NetworkLine):
                    await loop.create_connection(lambda: wire, line.host, line.port)
                else:
                    await open_serial(lambda: wire, line.path, line.line)
                    await wire.made.wait()
        except (OSError, ValueError) as error:
            self.interruptions += 1
            raise UnreachableError(f"{self}: {self._unreachable(error)}") from error
        self._wire = wire
        self._silent = 0
        return wire

    def _unreachable(self, error: Exception) -> str:
        if isinstance(self._line, NetworkLine):
            return "nobody accepts connections; check the address, the cable and the power"
        return (
            f"the serial port cannot be opened ({error}); check that the adapter is plugged in, "
            "that nothing else uses it, and that the gateway's user may (group dialout)"
        )

    def _spoiled(self, at: float, *, silent: bool) -> None:
        """Take care that an answer that still comes is nobody's."""
        self._heard_at = at
        self._framing.give_up(at, "any more")
        self._silent += silent
        if self._framing.keeps_connection:
            self._quiet_s = max(self._pause_s, self._settle_s)
        if not self._framing.keeps_connection or self._silent >= SILENT_BEFORE_ANEW:
            self.close()

    def _within(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        """Have the request time out; one timer serves many requests, as most are answered."""
        self._deadline = deadline
        if self._timer is not None and self._timer_at > deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._set_timer(loop)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer_at = self._deadline
        self._timer = loop.call_at(self._deadline, self._timed_out, loop)

    def _timed_out(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if loop.time() < self._deadline:
            self._set_timer(loop)
            return
        self._settle(self._framing.give_up(loop.time(), f"within {self._timeout_s} s"))

    def _received(self, wire: _Wire, data: bytes) -> None:
        waiter = self._waiter
        if wire is not self._wire:
            return
        if waiter is None or waiter.done():
            self._heard_at = wire.loop.time()
            self._framing.overhear(data)
            return
        try:
            words = self._framing.take(data)
        except ModbusError as error:
            waiter.set_exception(error)
        else:
            if words is not None:
                waiter.set_result(words)

    def _lost(self, wire: _Wire) -> None:
        if wire is self._wire:
            self._wire = None
            self.interruptions += 1
            self._settle(ConnectionLostError(f"{self}: the other side hung up"))

    def _settle(self, error: ModbusError) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)


class _Wire(asyncio.Protocol):
    """One connection: what comes on an earlier one is nobody's answer."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        received: Callable[[_Wire, bytes], None],
        lost: Callable[[_Wire], None],
    ) -> None:
        self.loop = loop
        self.made = asyncio.Event()
        self.transport: asyncio.Transport
        self._received = received
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.made.set()

    def data_received(self, data: bytes) -> None:
        self._received(self, data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._lost(self)
