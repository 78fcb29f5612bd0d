"""Polling through the bus workers against bare asyncio sockets that send the same frames.

    python tests/benchmarks/bench_polling.py [SECONDS]

A thousand devices with two blocks of 60 registers stand behind 40 ports, served by a process of its
own. The two sides take turns, so that a busy machine slows both alike.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import struct
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.bus import BusWorker
from gateway.clock import WatchedClock
from gateway.health import DeviceHealth, Health
from gateway.line import NetworkLine
from gateway.plan import plan
from gateway.settings import PollTable
from gateway.site import Bus, Device
from meters.definition import validate
from meters.meter_type import MeterType

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from gateway.committer import Words

HOST = "127.0.0.1"
BUSES = 40
DEVICES = 25
BLOCK = 60
ROUNDS = 3


class Rate(NamedTuple):
    """Blocks a second, and the processor's microseconds that one takes this process."""

    blocks: float
    cpu_us: float


class Devices(asyncio.Protocol):
    """Answers every read with zeros, as fast as it can."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        # one request of 12 bytes at a time is under way
        size = 2 * int.from_bytes(data[10:12], "big")
        head = data[:4] + (size + 3).to_bytes(2, "big") + data[6:8]
        self.transport.write(head + bytes([size]) + bytes(size))


def serve(ports: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Devices, HOST, 0) for _ in range(BUSES)]
        ports.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    asyncio.run(run())


def device_type() -> MeterType:
    """Return a type whose registers are two blocks of 60 words."""
    register: dict[str, Any] = {"kind": "total", "unit": "kWh", "type": "uint16", "max_rate": "10"}
    addresses = [*range(BLOCK), *range(1000, 1000 + BLOCK)]
    document = {
        "kind": "meter-type",
        "id": "two-blocks",
        "name": "Two blocks",
        "manufacturer": "None",
        "medium": "electricity",
        "modbus": {"function": 4},
        "register": {f"r{a}": register | {"address": a} for a in addresses},
        "proof": [{"kind": "computed", "source": "none", "words": "0000", "expect": {"r0": "0"}}],
    }
    return validate(MeterType, document, "two blocks")


class Hands:
    """A clock that goes two seconds ahead when a bus has been read: all of it is due then."""

    def __init__(self) -> None:
        self._time = datetime(2026, 10, 3, tzinfo=UTC)
        self._read = 0

    def now(self) -> datetime:
        return self._time

    def one_was_read(self) -> None:
        self._read += 1
        if self._read % DEVICES == 0:
            self._time += timedelta(seconds=2)


async def ours(ports: list[int], seconds: float) -> Rate:
    """Return what one bus worker a port reads."""
    meter_type = device_type()
    assert len(plan(meter_type, meter_type.registers)) == 2
    blocks = 0
    tasks = []
    for port in ports:
        devices = tuple(Device(f"{port}-{n}", n, meter_type) for n in range(1, DEVICES + 1))
        hands = Hands()

        async def deliver(words: Words, hands: Hands = hands) -> None:
            nonlocal blocks
            blocks += len(words.image) // BLOCK
            hands.one_was_read()

        worker = BusWorker(
            Bus(str(port), NetworkLine(HOST, port), 5.0, devices),
            poll=PollTable(billing_s=1),
            zone=ZoneInfo("Asia/Shanghai"),
            deliver=deliver,
            health=Health(DeviceHealth(device.meter, meter_type.id) for device in devices),
            clock=WatchedClock(hands.now),
        )
        tasks.append(asyncio.create_task(worker.run()))
    return await rate(tasks, lambda: blocks, seconds)


async def bare(ports: list[int], seconds: float) -> Rate:
    """Return what one bare connection a port reads."""
    blocks = 0

    async def poll(port: int) -> None:
        nonlocal blocks
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            for transaction in count(1):
                unit = transaction // 2 % DEVICES + 1
                start = 1000 * (transaction % 2)
                request = (transaction & 0xFFFF, 0, 6, unit, 4, start, BLOCK)
                writer.write(struct.pack(">HHHBBHH", *request))
                answer = await reader.readexactly(9 + 2 * BLOCK)
                struct.unpack(f">{BLOCK}H", answer[9:])
                blocks += 1
        finally:
            writer.close()

    return await rate([asyncio.create_task(poll(p)) for p in ports], lambda: blocks, seconds)


async def rate(tasks: list[asyncio.Task[None]], blocks: Callable[[], int], seconds: float) -> Rate:
    await asyncio.sleep(0.5)  # connected
    begun, started, cpu = blocks(), perf_counter(), process_time()
    await asyncio.sleep(seconds)
    read, lasted, spent = blocks() - begun, perf_counter() - started, process_time() - cpu
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    return Rate(read / lasted, spent / read * 1e6)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        ports = mine.recv()
        figures = [
            (asyncio.run(ours(ports, seconds)), asyncio.run(bare(ports, seconds)))
            for _ in range(ROUNDS)
        ]
    finally:
        server.terminate()
        server.join()
    worker, sockets = (
        Rate(*(sum(values) / ROUNDS for values in zip(*side, strict=True)))
        for side in zip(*figures, strict=True)
    )
    print(
        f"polling {BUSES * DEVICES:,} devices on {BUSES} buses, two blocks of {BLOCK} registers: "
        f"{worker.blocks:,.0f} blocks/s through the bus workers, {sockets.blocks:,.0f} with bare "
        f"asyncio sockets: ratio {worker.blocks / sockets.blocks:.2f}"
    )
    print(
        f"processor time of a poll (two blocks): {2 * worker.cpu_us:.0f} µs, of bare sockets "
        f"{2 * sockets.cpu_us:.0f} µs: ratio {worker.cpu_us / sockets.cpu_us:.2f}"
    )


if __name__ == "__main__":
    main()
