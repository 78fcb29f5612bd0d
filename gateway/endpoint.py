"""A socket that is read in gulps and written in one go.

paho-mqtt reads a packet in three calls and writes each acknowledgement in one: behind this, a
thousand messages cost a few system calls instead of some thousand.
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

GULP_BYTES = 65536
PUBACK = 0x40
"""MQTT 3.1.1 §3.4 and 5 §3.4: type, length 2, message id; without a reason it means success."""

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Endpoint:
    """`connection` with a buffer in each direction. One thread uses it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._came = b""
        self._position = 0
        self._outgoing = bytearray()

    # what paho-mqtt asks of a socket

    def recv(self, buffer_size: int) -> bytes:
        """Return at most `buffer_size` bytes, none at the end; raise where none are there now."""
        start = self._position
        if start >= len(self._came):
            self._came = self._connection.recv(GULP_BYTES)
            start = 0
        self._position = end = start + buffer_size
        return self._came[start:end]

    def send(self, buffer: bytes | bytearray) -> int:
        """Take `buffer`, all of it, for the next `flush`."""
        self._outgoing += buffer
        return len(buffer)

    def pending(self) -> int:
        """Return how many bytes can be had without asking the network."""
        held = max(0, len(self._came) - self._position)
        if isinstance(self._connection, ssl.SSLSocket):
            held += self._connection.pending()
        return held

    def fileno(self) -> int:
        return self._connection.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as sockets have it
        self._connection.setblocking(flag)

    def close(self) -> None:
        """Send what waits, as far as the network takes it, and close."""
        with suppress(OSError):
            self.flush()
        self._connection.close()

    # what the network loop asks

    def acknowledge(self, mids: Iterable[int]) -> None:
        """Acknowledge the messages with these ids (QoS 1) at the next `flush`."""
        self._outgoing += b"".join([struct.pack(">BBH", PUBACK, 2, mid) for mid in mids])

    @property
    def has_unsent(self) -> bool:
        """Whether something waits that the network did not take."""
        return bool(self._outgoing)

    def flush(self) -> bool:
        """Send what waits; return whether all of it is gone."""
        try:
            while self._outgoing:
                del self._outgoing[: self._connection.send(self._outgoing)]
        except WOULD_BLOCK:
            return False
        return True

    def shut_down(self) -> None:
        """End the connection in both directions."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
