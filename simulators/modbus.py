"""Modbus meters behind a TCP port: Modbus TCP, or RTU frames over TCP as transparent gateways do.

Several units stand behind one port, like an RS-485 line behind a TCP gateway.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Self

from simulators.broker import LOOPBACK
from simulators.framing import NoFrameError
from simulators.ports import listen_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from simulators.line import Line, Reply

log = logging.getLogger(__name__)

SILENCE_S = 0.05
"""Silence that ends an RTU frame: TCP may deliver a frame in pieces."""
_CHUNK = 4096
_WATCH_S = 0.2


class ModbusBus:
    """The meters on `line` behind one TCP port, for as long as the block lasts.

    `port` 0 becomes a free one when the bus starts. `clock` says what time it is for the meters
    (UTC). Requests of one connection are answered in turn, but a slow answer lets the next ones by
    and comes when it comes. While the network is lost nobody listens. Raises `ListenError` (of
    simulators.ports) where it cannot listen.
    """

    def __init__(
        self,
        line: Line,
        *,
        clock: Callable[[], datetime],
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        self.host = host
        self.port = port
        self.line = line
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> Self:
        """Listen, and return once connections are accepted."""
        await self._listen()
        self._watch = asyncio.create_task(self._watch_network())
        return self

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await self._close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _listen(self) -> None:
        try:
            self._server = await asyncio.start_server(self._serve, self.host, self.port)
        except OSError as error:
            what = f"the Modbus bus {self.line.name!r}"
            raise listen_error(self.host, self.port, what, error) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _watch_network(self) -> None:
        while True:
            is_lost = self.line.is_lost(self._clock())
            if is_lost and self._server is not None:
                log.info("%s: the network is lost", self.line.name)
                await self._close()
            elif not is_lost and self._server is None:
                try:
                    await self._listen()
                except OSError as error:  # somebody took the port meanwhile; it is tried again
                    log.warning("%s: %s", self.line.name, error)
            await asyncio.sleep(_WATCH_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            await self._talk(reader, writer)
        except (NoFrameError, ConnectionError) as error:
            log.debug("%s: the connection ends: %s", self.line.name, error)
        except asyncio.CancelledError:
            log.debug("%s: closed with the bus", self.line.name)
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framing = self.line.framing
        buffer = bytearray()
        while True:
            while (request := framing.take(buffer)) is not None:
                reply = self.line.reply(request, self._clock())
                if reply is not None and not await self._send(reply, writer):
                    return
            silence_s = SILENCE_S if framing.is_rtu and buffer else None
            try:
                async with asyncio.timeout(silence_s):
                    received = await reader.read(_CHUNK)
            except TimeoutError:
                request = framing.take_at_silence(buffer)
                reply = None if request is None else self.line.reply(request, self._clock())
                if reply is not None and not await self._send(reply, writer):
                    return
                continue
            if not received:
                return
            buffer += received

    async def _send(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        """Send `reply`; return whether the connection goes on."""
        if reply.late:
            task = asyncio.create_task(_send_late(reply, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return True
        if reply.delay_ms:
            await _sleep_ms(reply.delay_ms)
        writer.write(reply.frame)
        await writer.drain()
        return not reply.hang_up


async def _send_late(reply: Reply, writer: asyncio.StreamWriter) -> None:
    await _sleep_ms(reply.delay_ms)
    if writer.is_closing():
        return
    try:
        writer.write(reply.frame)
        await writer.drain()
    except ConnectionError:
        log.debug("a late answer came after the client had gone")


async def _sleep_ms(milliseconds: int) -> None:
    await asyncio.sleep(milliseconds / 1000)
