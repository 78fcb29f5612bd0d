"""A line of meters whose counters tell the second of the answer, so that a mix-up shows."""

from __future__ import annotations

import asyncio
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

HOST = "127.0.0.1"
DEAD_UNIT = 9
HEADER = struct.Struct(">HHHBBHH")
VOLUME_ADDRESS = 7
"""Where a BOVE counts litres: two words, the low one first."""


@dataclass
class Line:
    """Answers Modbus TCP reads of any unit but the dead one; at times too late, or never."""

    port: int = 0
    epoch: int = field(default_factory=lambda: int(time.time()) - 1_000_000)
    """The second at which the counters stood at zero."""
    timeout_s: float = 0.3
    _server: asyncio.Server | None = None
    _asked: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                request = HEADER.unpack(await reader.readexactly(HEADER.size))
                transaction, _, _, unit, function, address, words = request
                self._asked += 1
                if unit == DEAD_UNIT or self._asked % 41 == 0:
                    continue
                body = bytes([unit, function, 2 * words]) + self._words(address, words)
                if self._asked % 29 == 0:
                    await asyncio.sleep(self.timeout_s * 1.2)  # late: nobody's answer any more
                writer.write(struct.pack(">HHH", transaction, 0, len(body)) + body)
                await writer.drain()
        writer.close()

    def _words(self, address: int, words: int) -> bytes:
        litres = int(time.time()) - self.epoch
        memory = {VOLUME_ADDRESS: litres & 0xFFFF, VOLUME_ADDRESS + 1: litres >> 16}
        return struct.pack(
            f">{words}H", *(memory.get(at, 0) for at in range(address, address + words))
        )
