"""Archive inserts against the bare way to the same store: `executemany`, and posted lines.

    python tests/benchmarks/bench_archive.py [READINGS]

SQLite: the same rows, batches, table and pragmas. InfluxDB (a real `influxd` 1.x on loopback): the
same lines, batches and server. The two sides take turns batch by batch, so that a busy machine
slows both alike. The bare side gets finished tuples or bytes; ours starts from readings, as the
gateway's forwarder does, encodes them and knows that none of them is there already.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from influxdb_server import InfluxdbServer, find_influxd

from meters.archive.line_protocol import Lines
from meters.archive.open import open_archive
from meters.archive.rows import encode
from meters.archive.sql import SqlArchive
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 1000
INFLUXDB_BATCH = 5000
SERIES = 10_000
START = datetime(2026, 10, 1, tzinfo=UTC)
INSERT = "INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"


def arrivals(count: int, batch: int) -> Iterator[list[Reading]]:
    """Yield batches of quarter-hourly readings, each meter at its own second, as they arrive."""
    seeded = random.Random(1)  # noqa: S311 - no secret
    meters = sorted((seeded.randrange(900), f"sdm120-{n:05}") for n in range(SERIES))
    for first in range(0, count, batch):
        yield [
            Reading(
                Series(meter, "import_energy"),
                START + timedelta(seconds=900 * (n // SERIES) + second),
                Decimal(n % SERIES + 12 * (n // SERIES)) / 100,
                f"{n & 0xFFFF:04x} 7521",
                Verdict.GOOD,
            )
            for n in range(first, min(first + batch, count))
            for second, meter in [meters[n % SERIES]]
        ]


def bare_copy(archive: SqlArchive, path: Path) -> sqlite3.Connection:
    """Return a connection to a new database with the archive's table and pragmas."""
    with archive._engine.connect() as connection:
        table = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE name = 'reading'"
        ).scalar_one()
    bare = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-32768"):
        bare.execute(f"PRAGMA {pragma}")
    bare.execute(table)
    return bare


def seconds_for(folder: Path, batches: Iterator[list[Reading]]) -> tuple[float, float]:
    """Return how long the archive and bare `executemany` took for the same batches."""
    archive = SqlArchive(f"sqlite:///{folder / 'archive.db'}")
    ids = {Series(f"sdm120-{n:05}", "import_energy"): n for n in range(SERIES)}
    ours = bare = 0.0
    with closing(archive), closing(bare_copy(archive, folder / "bare.db")) as connection:
        for number, batch in enumerate(batches):
            rows = encode(batch, ids)
            start = perf_counter()
            done = archive.append(batch)
            between = perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, rows)
            connection.execute("COMMIT")
            after = perf_counter()
            if done.stored != len(batch):
                raise RuntimeError(f"batch {number} was not stored: {done}")
            if number >= SERIES // BATCH:  # by then the archive knows every series
                ours += between - start
                bare += after - between
    return ours, bare


def seconds_for_influxdb(
    executable: str, folder: Path, batches: Iterator[list[Reading]]
) -> tuple[float, float, float, int]:
    """Return how long the archive, bare posting and making lines took, and for how many."""
    ours, bare, making, measured, lines = 0.0, 0.0, 0.0, 0, Lines()
    with InfluxdbServer(executable, folder) as server, closing(HTTPConnection(server)) as bare_http:
        for name in ("ours", "bare"):
            server.ask(f"CREATE DATABASE {name}")
        url = f"influxdb+http://{server.host}:{server.port}/ours?version=1"
        with closing(open_archive(url)) as archive:
            for number, batch in enumerate(batches):
                start = perf_counter()
                content = "\n".join(lines.of(batch)[0]).encode()
                made = perf_counter()
                done = archive.append(batch)
                between = perf_counter()
                bare_http.post(content)
                after = perf_counter()
                if done.stored != len(batch):
                    raise RuntimeError(f"batch {number} was not stored: {done}")
                if number >= SERIES // INFLUXDB_BATCH:
                    making += made - start
                    ours += between - made
                    bare += after - between
                    measured += len(batch)
    return ours, bare, making, measured


class HTTPConnection:
    """One connection that posts lines to the database `bare`."""

    def __init__(self, server: InfluxdbServer) -> None:
        self._http = httpx.Client(base_url=server.base_url, timeout=60)

    def post(self, content: bytes) -> None:
        parameters = {"db": "bare", "precision": "s"}
        self._http.post("/write", params=parameters, content=content).raise_for_status()

    def close(self) -> None:
        self._http.close()


def main(count: int) -> None:
    measured = count - SERIES
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = seconds_for(Path(folder), arrivals(count, BATCH))
    print(
        f"archive inserts, SQLite: {measured / ours:,.0f} readings/s, bare executemany"
        f" {measured / bare:,.0f} rows/s, ratio {bare / ours:.2f}"
        f" ({measured:,} readings of {SERIES:,} series in batches of {BATCH:,})"
    )
    executable = find_influxd()
    if executable is None:
        print("archive inserts, InfluxDB: not measured; `apt-get install influxdb` brings it")
        return
    with tempfile.TemporaryDirectory() as folder:
        ours, bare, making, measured = seconds_for_influxdb(
            executable, Path(folder), arrivals(count, INFLUXDB_BATCH)
        )
    print(
        f"archive inserts, InfluxDB: {measured / ours:,.0f} readings/s, bare posting"
        f" {measured / bare:,.0f} lines/s, ratio {bare / ours:.2f};"
        f" to making lines and posting them {(making + bare) / ours:.2f}"
        f" ({measured:,} readings of {SERIES:,} series in batches of {INFLUXDB_BATCH:,})"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
