"""Modbus meters behind a TCP port: Modbus TCP, or RTU frames over TCP as transparent gateways do.

Several units stand behind one port, like an RS-485 line behind a TCP gateway.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Self

from simulators.broker import LOOPBACK
from simulators.conversation import Conversation
from simulators.ports import listen_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from simulators.line import Line

log = logging.getLogger(__name__)

SILENCE_S = 0.05
"""Silence that ends an RTU frame: TCP may deliver a frame in pieces."""
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
        self._connections: set[_Connection] = set()

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
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Connection(self.line, self._clock, self._connections),
                self.host,
                self.port,
            )
        except OSError as error:
            what = f"the Modbus bus {self.line.name!r}"
            raise listen_error(self.host, self.port, what, error) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self._connections):
            connection.close()
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


class _Connection(asyncio.Protocol):
    """A master's connection to `bus`."""

    def __init__(
        self, line: Line, clock: Callable[[], datetime], connections: set[_Connection]
    ) -> None:
        self._line = line
        self._clock = clock
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{transport!r} is no connection")
        self._transport = transport
        self._conversation = Conversation(
            self._line,
            clock=self._clock,
            write=transport.write,
            hang_up=transport.close,
            later=asyncio.get_running_loop().call_later,
            silence_s=SILENCE_S,
        )
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._conversation.hear(data)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._conversation.end()
        self._connections.discard(self)

    def close(self) -> None:
        self._conversation.end()
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # it does not listen, and would keep the port
        else:
            self._transport.close()
