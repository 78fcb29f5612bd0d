"""Meters behind a serial port of one's own making: a pseudo-terminal that speaks RTU."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tty
from typing import TYPE_CHECKING, Self

from simulators.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from simulators.line import Line

log = logging.getLogger(__name__)

SILENCE_S = 0.02
"""Silence that ends a frame; 3.5 characters at 2400 baud are 16 ms."""
_CHUNK = 4096


class LinkError(OSError):
    """The name that a device is to have cannot be made."""


class SerialMeters:
    """The meters on `line`, which speaks RTU, behind a pseudo-terminal, in an `async with` block.

    A master opens `device` like any serial port; line settings are accepted and mean nothing.
    `link`, where it is given, becomes a symbolic link to it, for a name that stays. Raises
    `LinkError`.
    """

    def __init__(
        self, line: Line, *, clock: Callable[[], datetime], link: Path | None = None
    ) -> None:
        if not line.framing.is_rtu:
            raise ValueError(f"{line.name} speaks Modbus TCP, which no serial port carries")
        self.device = ""
        """The path to open, once the block has begun."""
        self.line = line
        self._clock = clock
        self._link = link
        self._ours = -1
        self._theirs = -1
        self._conversation: Conversation | None = None

    async def __aenter__(self) -> Self:
        self._ours, self._theirs = os.openpty()
        # the master's end stays open here, so that the port outlives each master that opens it
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.device = os.ttyname(self._theirs)
        if self._link is not None:
            try:
                if self._link.is_symlink():
                    self._link.unlink()  # left by a process that was killed
                self._link.symlink_to(self.device)
            except OSError as error:
                self._close()
                raise LinkError(
                    f"{self._link} cannot be a link to the serial port: {error.strerror}; choose "
                    "a name in a folder of your own that nothing bears"
                ) from error
        self._conversation = self._converse()
        asyncio.get_running_loop().add_reader(self._ours, self._receive)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        if self._conversation is not None:
            self._conversation.end()
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()
        self._close()

    def _close(self) -> None:
        for descriptor in (self._ours, self._theirs):
            os.close(descriptor)
        self._ours = self._theirs = -1

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            received = os.read(self._ours, _CHUNK)
            if self._conversation is not None:
                self._conversation.hear(received)

    def _converse(self) -> Conversation:
        return Conversation(
            self.line,
            clock=self._clock,
            write=self._write,
            hang_up=self._forget,
            later=asyncio.get_running_loop().call_later,
            silence_s=SILENCE_S,
        )

    def _forget(self) -> None:
        """Begin anew where a connection would end: nobody hangs up a serial line."""
        self._conversation = self._converse()

    def _write(self, frame: bytes) -> None:
        if self.line.is_lost(self._clock()):
            return
        try:
            os.write(self._ours, frame)
        except BlockingIOError:
            log.debug("%s: nobody reads what the meters answer", self.line.name)
