"""Polling through the bus worker against bare asyncio sockets that send the same frames.

    python tests/benchmarks/bench_polling.py [SECONDS]

Devices with two blocks of 60 registers stand behind several ports, served by a process of its own.
The two sides take turns, so that a busy machine slows both alike.
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
from time import perf_counter
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.bus import BusWorker
from gateway.health import DeviceHealth, Health
from gateway.modbus import ModbusConnection
from gateway.plan import plan
from gateway.settings import PollTable
from gateway.site import Bus, Device
from meters.definition import validate
from meters.meter_type import MeterType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

HOST = "127.0.0.1"
BUSES = 8
DEVICES = 10
BLOCK = 60
ROUNDS = 3


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
    }
    return validate(MeterType, document, "two blocks")


async def ours(ports: list[int], seconds: float) -> float:
    """Return blocks read a second by one bus worker a port."""
    meter_type = device_type()
    assert len(plan(meter_type, meter_type.registers)) == 2
    blocks = 0
    # a clock that runs ahead makes every device due at every turn
    turns = count()
    start = datetime(2026, 10, 3, tzinfo=UTC)

    async def deliver(_meter: str, _time: datetime, _image: Mapping[int, int]) -> None:
        nonlocal blocks
        blocks += 1

    tasks = []
    for port in ports:
        devices = tuple(Device(f"{port}-{n}", n, meter_type) for n in range(1, DEVICES + 1))
        worker = BusWorker(
            Bus(str(port), HOST, port, 5.0, devices),
            ModbusConnection(HOST, port, timeout_s=5.0),
            poll=PollTable(billing_s=1),
            deliver=deliver,
            health=Health(DeviceHealth(device.meter, meter_type.id) for device in devices),
            now=lambda: start + timedelta(seconds=2 * next(turns)),
        )
        tasks.append(asyncio.create_task(worker.run()))
    return await rate(tasks, lambda: blocks, seconds)


async def bare(ports: list[int], seconds: float) -> float:
    """Return blocks read a second by one bare connection a port."""
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


async def rate(tasks: list[asyncio.Task[None]], blocks: Any, seconds: float) -> float:
    await asyncio.sleep(0.2)  # connected
    begun, started = blocks(), perf_counter()
    await asyncio.sleep(seconds)
    found: float = (blocks() - begun) / (perf_counter() - started)
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    return found


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
    worker = sum(figure[0] for figure in figures) / ROUNDS
    sockets = sum(figure[1] for figure in figures) / ROUNDS
    print(
        f"polling {BUSES} buses of {DEVICES} devices, blocks of {BLOCK} registers: "
        f"{worker:,.0f} blocks/s through the bus worker, {sockets:,.0f} with bare asyncio streams: "
        f"ratio {worker / sockets:.2f}"
    )


if __name__ == "__main__":
    main()
