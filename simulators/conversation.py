"""A master on the line: bytes that it sends become answers in turn, each in its time.

No sockets and no loop: what writes, hangs up and waits is handed in, so that a TCP connection and a
serial port converse alike.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from simulators.framing import NoFrameError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from simulators.line import Line, Reply

log = logging.getLogger(__name__)

MOST_UNHEARD = 65_536
"""Bytes that may wait for their turn; a master that sends more without listening is cut off."""


class Timer(Protocol):
    """Something that will happen, unless it is cancelled."""

    def cancel(self) -> None:
        """Prevent it."""
        ...


class Later(Protocol):
    """Calls a function in some seconds, like `asyncio.loop.call_later`."""

    def __call__(self, delay: float, callback: Callable[..., None], *arguments: Any) -> Timer: ...


class Conversation:
    """What one master says to `line`, and what comes back.

    Requests are answered in turn, but a late answer lets the next ones by. `silence_s` without a
    byte ends an RTU frame. `clock` says what time it is for the meters (UTC).
    """

    def __init__(
        self,
        line: Line,
        *,
        clock: Callable[[], datetime],
        write: Callable[[bytes], None],
        hang_up: Callable[[], None],
        later: Later,
        silence_s: float,
    ) -> None:
        self._line = line
        self._clock = clock
        self._write = write
        self._hang_up = hang_up
        self._later = later
        self._silence_s = silence_s
        self._buffer = bytearray()
        self._silence: Timer | None = None
        self._waits = False
        self._is_over = False

    def hear(self, received: bytes) -> None:
        """Take what the master sent."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        self._buffer += received
        if len(self._buffer) > MOST_UNHEARD:
            self._stop("it sends and does not listen")
            return
        self._go_on()

    def end(self) -> None:
        """Answer nothing any more: the master has gone."""
        self._is_over = True
        self._buffer.clear()
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _stop(self, why: str) -> None:
        log.debug("%s: the connection ends: %s", self._line.name, why)
        self.end()
        self._hang_up()

    def _go_on(self) -> None:
        framing = self._line.framing
        try:
            while not self._waits and (request := framing.take(self._buffer)) is not None:
                self._answer(self._line.reply(request, self._clock()))
        except NoFrameError as error:
            self._stop(str(error))
            return
        if self._buffer and framing.is_rtu and not self._waits:
            self._silence = self._later(self._silence_s, self._fell_silent)

    def _fell_silent(self) -> None:
        self._silence = None
        request = self._line.framing.take_at_silence(self._buffer)
        if request is not None:
            self._answer(self._line.reply(request, self._clock()))

    def _answer(self, reply: Reply | None) -> None:
        if reply is None:
            return
        if reply.late:
            self._later(reply.delay_ms / 1000, self._send, reply)
        elif reply.delay_ms:
            self._waits = True
            self._later(reply.delay_ms / 1000, self._send_in_turn, reply)
        else:
            self._send(reply)

    def _send_in_turn(self, reply: Reply) -> None:
        self._waits = False
        self._send(reply)
        self._go_on()

    def _send(self, reply: Reply) -> None:
        if self._is_over:
            return
        self._write(reply.frame)
        if reply.hang_up:
            self._stop("a fault ends it")
