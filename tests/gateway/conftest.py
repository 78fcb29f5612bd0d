"""Modbus peers that answer as a script says, frame by frame, and settings files for a gateway."""

from __future__ import annotations

import asyncio
import os
import struct
import tty
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
        await asyncio.sleep(0.01)  # who was accepted just now gets a wire of its own
        for wire in self.wires:
            wire.writer.transport.abort()
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


def checksum(data: bytes) -> bytes:
    """CRC-16 of the serial line, bit by bit as its specification has it."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


def rtu_answer(request: Request, values: tuple[int, ...] | None = None) -> bytes:
    if values is None:
        values = words_of(request)
    head = struct.pack(">BBB", request.unit, request.function, 2 * len(values))
    body = head + struct.pack(f">{len(values)}H", *values)
    return body + checksum(body)


def rtu_refusal(request: Request, code: int) -> bytes:
    body = bytes([request.unit, request.function | 0x80, code])
    return body + checksum(body)


async def _rtu_answering(request: Request, line: RtuPeer) -> None:
    line.raw(rtu_answer(request))


@dataclass(slots=True)
class RtuPeer:
    """The meters of a serial line, behind a pseudo terminal or, `over_tcp`, a serial server.

    What `script` does for a request does not hold up the next one.
    """

    script: Callable[[Request, RtuPeer], Awaitable[None]] = _rtu_answering
    over_tcp: bool = False
    path: str = ""
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each request came, by the loop's clock."""
    connections: int = 0
    _held: bytes = b""
    _descriptors: tuple[int, ...] = ()
    _server: asyncio.Server | None = None
    _writer: asyncio.StreamWriter | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def raw(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.write(data)
        elif self._descriptors:
            os.write(self._descriptors[0], data)

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
        for descriptor in self._descriptors:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
        self._descriptors = ()

    async def __aenter__(self) -> Self:
        if self.over_tcp:
            self._server = await asyncio.start_server(self._serve, HOST, self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        else:
            self.plug_in()
        return self

    def plug_in(self) -> None:
        controller, terminal = self._descriptors = os.openpty()
        tty.setraw(terminal)
        self.path = os.ttyname(terminal)
        asyncio.get_running_loop().add_reader(controller, self._readable, controller)

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        self.hang_up()
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        try:
            while data := await reader.read(256):
                self._received(data)
        except ConnectionError:
            pass
        writer.close()

    def _readable(self, controller: int) -> None:
        self._received(os.read(controller, 256))

    def _received(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= 8:
            frame, self._held = self._held[:8], self._held[8:]
            assert frame[6:] == checksum(frame[:6])
            request = Request(0, *struct.unpack(">BBHH", frame[:6]))
            self.requests.append(request)
            self.times.append(asyncio.get_running_loop().time())
            task = asyncio.ensure_future(self.script(request, self))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


@pytest.fixture
def rtu_peer() -> type[RtuPeer]:
    """Meters of a serial line that do what a script says: `async with rtu_peer(script) as p`."""
    return RtuPeer


@pytest.fixture
def answer_frame() -> Callable[..., bytes]:
    """The RTU frame that answers a request, with the words of `words_of` or others."""
    return rtu_answer


@pytest.fixture
def refusal_frame() -> Callable[[Request, int], bytes]:
    """The RTU frame that refuses a request."""
    return rtu_refusal


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
