"""Thousands of simulated meters in one process, against bare sockets that answer zeros.

    python tests/benchmarks/bench_simulators.py [METERS]

The same client asks both for the billing registers of one meter after the other, in turns, over one
connection a line. Resident memory is that of the simulators' process beyond one without meters.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import struct
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from meters.catalog import shipped
from simulators.bench.meters import Bench, on_lines
from simulators.line import Line
from simulators.modbus import ModbusBus

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

HOST = "127.0.0.1"
TYPE = "eastron-sdm630"
METERS = 2_000
ADDRESS, WORDS = 0x48, 4
SECONDS = 3
ROUNDS = 3


class Zeros(asyncio.Protocol):
    """Answers every read with zeros, as fast as it can."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        size = 2 * int.from_bytes(data[10:12], "big")
        head = data[:4] + (size + 3).to_bytes(2, "big") + data[6:8]
        self.transport.write(head + bytes([size]) + bytes(size))


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def serve_zeros(pipe: Connection, lines: int) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Zeros, HOST, 0) for _ in range(lines)]
        pipe.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    asyncio.run(run())


def serve_meters(pipe: Connection, meters: int) -> None:
    async def run() -> None:
        meter_type = shipped()[TYPE]
        gc.collect()
        before, started = resident_kib(), perf_counter()
        row = Bench(meter_type=meter_type, count=meters).meters()
        buses = [
            await ModbusBus(Line(f"line {place}", units), clock=lambda: datetime.now(UTC)).start()
            for place, units in enumerate(on_lines(row))
        ]
        pipe.send({bus.port: len(bus.line.units) for bus in buses})
        pipe.send(perf_counter() - started)
        while True:
            await asyncio.to_thread(pipe.recv)
            pipe.send(resident_kib() - before)

    asyncio.run(run())


async def ask(port: int, units: int, until: float) -> int:
    """Return how many answers came until `until`, over one connection, one request at a time."""
    reader, writer = await asyncio.open_connection(HOST, port)
    answers = 0
    while perf_counter() < until:
        unit = 1 + answers % units
        writer.write(struct.pack(">HHHBBHH", answers & 0xFFFF, 0, 6, unit, 4, ADDRESS, WORDS))
        await reader.readexactly(9 + 2 * WORDS)
        answers += 1
    writer.close()
    await writer.wait_closed()
    return answers


def pace(ports: dict[int, int]) -> float:
    """Return answers a second from all `ports` (port → units) together."""

    async def run() -> int:
        until = perf_counter() + SECONDS
        async with asyncio.timeout(10 * SECONDS):
            answers = [ask(port, units, until) for port, units in ports.items()]
            return sum(await asyncio.gather(*answers))

    return asyncio.run(run()) / SECONDS


def main(meters: int) -> int:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    simulators = context.Process(target=serve_meters, args=(theirs, meters), daemon=True)
    simulators.start()
    theirs.close()  # so that its end is noticed
    ports, built_s = ours.recv(), ours.recv()
    zeros_ours, zeros_theirs = context.Pipe()
    bare = context.Process(target=serve_zeros, args=(zeros_theirs, len(ports)), daemon=True)
    bare.start()
    zeros_theirs.close()
    bare_ports = dict(zip(zeros_ours.recv(), ports.values(), strict=True))
    pace(ports)  # each meter's week is spread when it is first asked
    ratios = []
    for _ in range(ROUNDS):
        simulated, zeros = pace(ports), pace(bare_ports)
        ratios.append(simulated / zeros)
        print(f"  {simulated:8,.0f} answers/s of simulated meters, {zeros:8,.0f} of zeros")
    ours.send(None)
    kib = ours.recv()
    print(
        f"simulators: {meters:,} × {TYPE} behind {len(ports)} ports in one process, built in "
        f"{built_s:.1f} s, {kib / 1024:.0f} MiB, {kib / meters:.1f} KiB each; "
        f"{sorted(ratios)[ROUNDS // 2]:.2f} of bare sockets that answer zeros"
    )
    for process in (simulators, bare):
        process.terminate()
        process.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else METERS))
