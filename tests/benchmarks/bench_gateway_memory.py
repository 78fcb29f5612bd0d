"""Resident memory of a whole gateway that reads a thousand meters, at its start and a day later.

    python tests/benchmarks/bench_gateway_memory.py [SECONDS]

Every meter is read as often as the machine allows, once a second at most: a day of quarter hours is
96 readings of each. The meters are served by a process of their own; the archive is SQLite.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.run import Gateway
from gateway.site import load_site

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

HOST = "127.0.0.1"
BUSES = 40
DEVICES = 25
READINGS_A_DAY = 96


class Meters(asyncio.Protocol):
    """Answers every read with zeros, and counts."""

    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        Meters.answered += 1
        size = 2 * int.from_bytes(data[10:12], "big")
        head = data[:4] + (size + 3).to_bytes(2, "big") + data[6:8]
        self.transport.write(head + bytes([size]) + bytes(size))


def serve(parent: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Meters, HOST, 0) for _ in range(BUSES)]
        parent.send([server.sockets[0].getsockname()[1] for server in servers])
        while True:
            while not parent.poll():  # noqa: ASYNC110 - a pipe has no event
                await asyncio.sleep(0.05)
            parent.recv()
            parent.send(Meters.answered)

    asyncio.run(run())


def settings(ports: list[int]) -> str:
    parts = ['gateway = "thousand"\narchive.url = "sqlite:///archive.sqlite"\npoll.billing_s = 1\n']
    for port in ports:
        parts.append(f'[[bus]]\nname = "b-{port}"\nhost = "{HOST}"\nport = {port}\n')
        parts += [
            f'[[bus.device]]\nmeter = "e-{port}-{unit}"\nunit = {unit}\ntype = "orno-we516"\n'
            for unit in range(1, DEVICES + 1)
        ]
    return "".join(parts)


def resident_mb() -> float:
    """Return how much memory this process holds now."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def measure(pipe: Connection, path: Path, limit_s: float) -> tuple[list[float], float]:
    """Return the resident memory after each eighth of a day, and the readings of each meter."""
    stop = asyncio.Event()
    task = asyncio.create_task(Gateway(load_site(path, {})).run(stop))
    found: list[float] = []
    deadline = monotonic() + limit_s
    answered = 0.0
    while answered < READINGS_A_DAY and monotonic() < deadline and not task.done():
        await asyncio.sleep(1)
        pipe.send("how many")
        answered = (await asyncio.to_thread(pipe.recv)) / (BUSES * DEVICES)
        if answered >= (len(found) + 1) * READINGS_A_DAY / 8:
            found.append(resident_mb())
    stop.set()
    with suppress(asyncio.CancelledError):
        await task
    return found, answered


def main() -> None:
    limit_s = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        ports = mine.recv()
        with TemporaryDirectory() as folder:
            path = Path(folder) / "site.toml"
            path.write_text(settings(ports), "utf-8")
            found, answered = asyncio.run(measure(mine, path, limit_s))
    finally:
        server.terminate()
        server.join()
    if not found:
        raise SystemExit(f"only {answered:.0f} readings of each meter came in {limit_s:.0f} s")
    print(
        f"a gateway that reads {BUSES * DEVICES:,} meters holds {found[0]:.0f} MB after an eighth "
        f"of a day and {found[-1]:.0f} MB after {answered:.0f} readings of each: ratio "
        f"{found[-1] / found[0]:.2f}"
    )


if __name__ == "__main__":
    main()
