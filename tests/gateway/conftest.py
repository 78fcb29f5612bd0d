"""Modbus peers that answer as a script says, frame by frame, and settings files for a gateway."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

HOST = "127.0.0.1"


class Request(NamedTuple):
    """A read that a peer was asked for."""

    transaction: int
    unit: int
    function: int
    address: int
    words: int


class Wire:
    """One connection of a peer, as a script writes to it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    def answer(  # every part of a frame can be made wrong
        self,
        request: Request,
        values: tuple[int, ...] | None = None,
        *,
        transaction: int | None = None,
        unit: int | None = None,
        function: int | None = None,
    ) -> None:
        if values is None:
            values = words_of(request)
        pdu = struct.pack(
            f">BB{len(values)}H",
            request.function if function is None else function,
            2 * len(values),
            *values,
        )
        self.raw(
            framed(
                request.transaction if transaction is None else transaction,
                request.unit if unit is None else unit,
                pdu,
            )
        )

    def refuse(self, request: Request, code: int) -> None:
        pdu = bytes([request.function | 0x80, code])
        self.raw(framed(request.transaction, request.unit, pdu))

    def hang_up(self) -> None:
        self.writer.close()


def framed(transaction: int, unit: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def words_of(request: Request) -> tuple[int, ...]:
    """What a peer holds where a script says nothing: a word tells its unit and address."""
    return tuple(
        (request.unit << 8 | address & 0xFF) & 0xFFFF
        for address in range(request.address, request.address + request.words)
    )


async def _answering(request: Request, wire: Wire) -> None:
    wire.answer(request)


@dataclass(slots=True)
class Peer:
    """A Modbus TCP server that does what `script` says for every request."""

    script: Callable[[Request, Wire], Awaitable[None]] = _answering
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    host: str = HOST
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for wire in self.wires:
            wire.writer.close()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(writer)
        self.wires.append(wire)
        try:
            while True:
                header = await reader.readexactly(7)
                transaction, _, length, unit = struct.unpack(">HHHB", header)
                function, address, words = struct.unpack(
                    ">BHH", await reader.readexactly(length - 1)
                )
                request = Request(transaction, unit, function, address, words)
                self.requests.append(request)
                await self.script(request, wire)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@pytest.fixture
def peer() -> type[Peer]:
    """A scripted Modbus TCP server: `async with peer(script) as p`."""
    return Peer


@pytest.fixture
def answer_of() -> Callable[[Request], tuple[int, ...]]:
    """The words with which a peer without a script answers."""
    return words_of


@pytest.fixture
def request_type() -> type[Request]:
    return Request


@pytest.fixture
def site_file(tmp_path: Path) -> Callable[[str], Path]:
    """A function that writes a settings file and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "site.toml"
        path.write_text(text, "utf-8")
        return path

    return write
