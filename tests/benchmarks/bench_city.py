"""A city on PostgreSQL: communities of 1,000 units computed and committed by processes.

    make bench ARGS="city"                  10,000 and 100,000 units
    TALLYGATE_CITY=1000 make bench ARGS="city"    and 1,000,000

Each unit has power by yearly steps, water by steps with sewage and a surcharge, two fees, and
shares of two pools: 8 lines, fewer on the ground floor and where a unit is vacant. The evidence of
each line and of each usage is stored. What the meters show is made up on the spot by each worker
(tests/support/city.py), so no archive is asked: to fill one with the readings of a million meters
is the matter of `bench_archive`. PostgreSQL runs on this machine, with fsync. The floor is the COPY
of the same bytes, read from a file, into tables without any index, key or trigger.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from city import NOW, OCTOBER, City, MadeUpArchive, make_city
from postgresql_server import empty_database, find_postgresql, postgresql_server

from billing import lifecycle
from billing.backend import run_backend
from billing.computing import Workers
from billing.database import Database
from meters.catalog import shipped

if TYPE_CHECKING:
    from billing.store.runs import Run

UNITS = 1000
WORKERS = 2
MADE = ("usage", "statement", "share", "bill", "bill_line")


def compute(database: Database, codes: list[str]) -> tuple[Run, float]:
    """Return a computed run, and the seconds that it took."""
    run_id = lifecycle.create_run(
        database, period=OCTOBER.key, communities=codes, actor="clerk", now=NOW
    )
    with run_backend(workers=WORKERS) as backend:
        workers = Workers(backend, City(database.url))
        started = time.perf_counter()
        run = lifecycle.compute_run(
            database,
            MadeUpArchive(),
            shipped(),
            run_id=run_id,
            actor="clerk",
            now=NOW,
            workers=workers,
        )
        elapsed_s = time.perf_counter() - started
    if run.state != "computed":
        sys.exit(f"the run is {run.state}: {run.communities[0].problems[:3]}")
    return run, elapsed_s


def floor_s(database: Database) -> tuple[dict[str, int], float]:
    """Return the rows that a run made, by table, and the seconds that a bare COPY of them takes."""
    rows, elapsed_s = {}, 0.0
    raw = database.engine.raw_connection()
    try:
        cursor: Any = raw.cursor()
        for table in MADE:
            cursor.execute(f"CREATE TABLE bare_{table} AS SELECT * FROM {table} WHERE false")  # noqa: S608  of MADE
            with tempfile.TemporaryFile() as file:
                cursor.execute(f"COPY {table} TO STDOUT", stream=file)
                file.seek(0)
                started = time.perf_counter()
                cursor.execute(
                    f"COPY bare_{table} FROM STDIN", stream=iter(lambda: file.read(1 << 20), b"")
                )
                raw.commit()
                elapsed_s += time.perf_counter() - started
            cursor.execute(f"SELECT count(*) FROM bare_{table}")  # noqa: S608  of MADE
            rows[table] = int(cursor.fetchone()[0])
            cursor.execute(f"DROP TABLE bare_{table}")
        raw.commit()
    finally:
        raw.close()
    return rows, elapsed_s


def measure(server: str, communities: int) -> None:
    with empty_database(server) as url, Database(url) as database:
        database.migrate()
        started = time.perf_counter()
        codes = make_city(database, communities, UNITS)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("ANALYZE")
        made_s = time.perf_counter() - started
        run, compute_s = compute(database, codes)
        rows, bare_s = floor_s(database)
        units = communities * UNITS
        children_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        own_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{units:,} units in {communities:,} communities (made in {made_s:.0f} s):")
        print(f"  computed, committed and digested in {compute_s:.1f} s by {WORKERS} processes")
        print(f"  = {compute_s / units * 1e6:.0f} µs a unit, {rows['bill_line']:,} lines of")
        print(
            f"  {sum(rows.values()):,} rows; {sum(part.bills for part in run.communities):,} bills"
        )
        print(f"  bare COPY of the same bytes: {bare_s:.1f} s; ratio {compute_s / bare_s:.1f}")
        print(f"  largest process: {max(children_mib, own_mib):.0f} MiB", flush=True)


def main() -> int:
    programs = find_postgresql()
    if programs is None:
        print("PostgreSQL is not installed: apt-get install postgresql")
        return 1
    largest = int(os.environ.get("TALLYGATE_CITY", "100"))
    with postgresql_server(programs, fsync=True) as server:
        for communities in (10, 100, 1000):
            if communities <= largest:
                measure(server, communities)
    return 0


if __name__ == "__main__":
    sys.exit(main())
