"""A witness between broker and gateway: what was delivered, and what the gateway acknowledged.

A publisher only learns what the broker promised, and a broker may break that at a kill. What the
gateway promised stands on its own wire: the PUBACK of a PUBLISH. So the witness passes bytes on
unchanged and reads along. Source: MQTT Version 3.1.1, sections 2.2 (fixed header), 3.3 and 3.4.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
PUBLISH, PUBACK = 3, 4
CHUNK = 65536


class Packets:
    """Cuts a stream of bytes into MQTT control packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Yield type, flags and body of each packet that `data` completes."""
        self._buffer += data
        while True:
            length, shift, position = 0, 0, 1
            while True:
                if position >= len(self._buffer):
                    return
                byte = self._buffer[position]
                length |= (byte & 0x7F) << shift
                position += 1
                shift += 7
                if not byte & 0x80:
                    break
            if len(self._buffer) < position + length:
                return
            first = self._buffer[0]
            body = bytes(self._buffer[position : position + length])
            del self._buffer[: position + length]
            yield first >> 4, first & 0x0F, body


@dataclass
class Witness:
    """Stands at `port` in front of the broker at `broker_port`.

    `acknowledged` are the payloads of which a PUBACK passed; `delivered` counts PUBLISH packets.
    """

    broker_port: int
    port: int = 0
    acknowledged: set[bytes] = field(default_factory=set)
    delivered: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection(HOST, self.broker_port)
        except OSError:
            writer.close()
            return
        waiting: dict[bytes, bytes] = {}

        def down(kind: int, flags: int, body: bytes) -> None:
            if kind == PUBLISH and flags & 0b0110:
                end = 2 + int.from_bytes(body[:2], "big")
                waiting[body[end : end + 2]] = body[end + 2 :]
                self.delivered += 1

        def up(kind: int, flags: int, body: bytes) -> None:
            del flags
            if kind == PUBACK and (payload := waiting.pop(body[:2], None)) is not None:
                self.acknowledged.add(payload)

        try:
            await asyncio.gather(
                _pass_on(upstream[0], writer, down), _pass_on(reader, upstream[1], up)
            )
        finally:
            for side in (writer, upstream[1]):
                side.close()


async def _pass_on(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    note: Callable[[int, int, bytes], None],
) -> None:
    packets = Packets()
    with suppress(OSError):
        while data := await source.read(CHUNK):
            # before it is passed on: what the gateway has sent is its promise, whoever gets it
            for packet in packets.feed(data):
                note(*packet)
            sink.write(data)
            await sink.drain()
    sink.close()
