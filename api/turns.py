"""Which process of a server takes a connection: the one that has the fewest.

All listen at one socket. Whichever woke first would take everything that waits there, and what is
kept open stays where it is: one process would be full while another has nothing to do. So a process
that has more than its share leaves what comes to the others for a moment, and where it has far
more it closes one now and then after an answer: its owner comes again.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import select
import time
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

LEFT_S = 0.025
"""How long a connection that nobody takes is left to those that have fewer: they may be at work."""
LOOK_S = 0.001
AWAY_S = 1.0
"""After this long without a word a process does not count: it is stuck, or was killed."""
PART_S = 0.05
"""A connection is closed for another process to have it once in this time, at most."""
AGAIN_S = 1.0
"""How long nothing is taken where it cannot be, as asyncio waits."""


class Turns:
    """How many connections each process of a server has, in memory that they share.

    `shared` is the file of that memory, `place` the number of this process of `processes`, from 0.
    Each writes its own place only. `clock` gives nanoseconds that never go back, to all of them.
    """

    def __init__(
        self,
        shared: Path,
        *,
        place: int,
        processes: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._clock = clock
        self._mine = 2 * place
        with shared.open("a+b") as file:
            file.truncate(2 * 8 * processes)
            memory = mmap.mmap(file.fileno(), 2 * 8 * processes)
        self._places = memoryview(memory).cast("q")  # of each: connections, and when it said so
        self._others = [2 * number for number in range(processes) if number != place]
        self._parted_ns = 0

    def have(self, connections: int) -> None:
        """Say how many connections this process has now."""
        self._places[self._mine] = connections
        self._places[self._mine + 1] = self._clock()

    def leave(self) -> None:
        """Say that this process takes no more."""
        self._places[self._mine + 1] = 0

    def others(self) -> list[int]:
        """Return how many connections each other process has that has spoken of late."""
        since_ns = self._clock() - int(AWAY_S * 1e9)
        return [self._places[at] for at in self._others if self._places[at + 1] > since_ns]

    @property
    def is_mine(self) -> bool:
        """Whether this process takes the next: it has not an eighth more than another has."""
        fewest = min(self.others(), default=None)
        return fewest is None or self._places[self._mine] <= fewest + fewest // 8

    def part(self) -> bool:
        """Return whether to close a connection that is answered, as another has far fewer."""
        fewest = min(self.others(), default=None)
        if fewest is None or self._places[self._mine] <= fewest + 1 + fewest // 4:
            return False
        now_ns = self._clock()
        if now_ns - self._parted_ns < PART_S * 1e9:
            return False
        self._parted_ns = now_ns
        return True


class Parting:
    """Says with an answer that its connection is closed, where another process should have it."""

    def __init__(self, app: ASGIApp, turns: Turns) -> None:
        self._app = app
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_or_part(message: Message) -> None:
            if message["type"] == "http.response.start" and self._turns.part():
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_or_part)


class TakingTurns(uvicorn.Server):
    """A server that takes from the socket, of those it shares it with, what is its own to take."""

    def __init__(self, config: uvicorn.Config, turns: Turns) -> None:
        super().__init__(config)
        self._turns = turns
        self._opening: dict[asyncio.Task[Any], Any] = {}  # what each makes a connection for
        self._taking: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        for listener in sockets or []:
            listener.settimeout(0)
            self._taking.append(asyncio.create_task(self._take_from(listener)))

    async def on_tick(self, counter: int) -> bool:
        for ended in self._taking:
            if ended.done():
                ended.result()  # raises: a process that takes nothing ends and is replaced
        self._tell()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for taking in self._taking:
            taking.cancel()
        await asyncio.gather(*self._taking, *self._opening, return_exceptions=True)
        self._turns.leave()
        await super().shutdown(sockets)

    def _tell(self) -> None:
        open_already = self.server_state.connections
        opening = sum(made not in open_already for made in self._opening.values())
        self._turns.have(len(open_already) + opening)

    async def _take_from(self, listener: socket.socket) -> None:
        door = select.poll()
        door.register(listener, select.POLLIN)
        loop = asyncio.get_running_loop()
        while True:
            await _knocked(listener)
            self._tell()
            others, until_s = sum(self._turns.others()), loop.time() + LEFT_S
            while door.poll(0):
                before, others = others, sum(self._turns.others())
                if others > before:  # they are at work, and come to it
                    until_s = loop.time() + LEFT_S
                if self._turns.is_mine or loop.time() > until_s:
                    await self._take(listener)
                else:
                    await asyncio.sleep(LOOK_S)
                self._tell()

    async def _take(self, listener: socket.socket) -> None:
        try:
            taken, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process took it, or who came is gone
        except OSError as error:  # no files or memory left, mostly
            log.warning("no connection is taken for %g s: %s", AGAIN_S, error.strerror)
            await asyncio.sleep(AGAIN_S)
            return
        taken.settimeout(0)
        loop = asyncio.get_running_loop()
        made = self.config.http_protocol_class(  # type: ignore[call-arg] # as in uvicorn
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=loop,
        )
        opening = loop.create_task(loop.connect_accepted_socket(lambda: made, taken))
        self._opening[opening] = made
        opening.add_done_callback(self._opening.pop)


async def _knocked(listener: socket.socket) -> None:
    """Wait until a connection comes in at `listener`."""
    loop = asyncio.get_running_loop()
    come = asyncio.Event()
    loop.add_reader(listener, come.set)
    try:
        await come.wait()
    finally:
        loop.remove_reader(listener)
