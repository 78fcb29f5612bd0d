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
from typing import TYPE_CHECKING, Any, NamedTuple

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


class Measured(NamedTuple):
    """What a city of so many `units` took: to make it, to bill it, and to copy what was billed.

    `cpu_s`: of the processes that computed, without the database's.
    """

    units: int
    made_s: float
    compute_s: float
    cpu_s: float
    bare_s: float
    lines: int
    rows: int
    bills: int
    stored_mib: int
    process_mib: int


def measure(server: str, communities: int) -> Measured:
    with empty_database(server) as url, Database(url) as database:
        database.migrate()
        started = time.perf_counter()
        codes = make_city(database, communities, UNITS, workers=WORKERS)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("ANALYZE")
        made_s = time.perf_counter() - started
        used_s = cpu_s()
        run, compute_s = compute(database, codes)
        used_s = cpu_s() - used_s
        with database.snapshot() as connection:
            stored = connection.exec_driver_sql("SELECT pg_database_size(current_database())")
            stored_mib = int(stored.scalar_one()) >> 20
        rows, bare_s = floor_s(database)
        return Measured(
            units=communities * UNITS,
            made_s=made_s,
            compute_s=compute_s,
            cpu_s=used_s,
            bare_s=bare_s,
            lines=rows["bill_line"],
            rows=sum(rows.values()),
            bills=sum(part.bills for part in run.communities),
            stored_mib=stored_mib,
            process_mib=max(_usage(who).ru_maxrss for who in PROCESSES) >> 10,
        )


PROCESSES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _usage(who: int) -> resource.struct_rusage:
    return resource.getrusage(who)


def cpu_s() -> float:
    """Return the seconds that this process and those of its children that have ended computed."""
    return sum(_usage(who).ru_utime + _usage(who).ru_stime for who in PROCESSES)


def tell(city: Measured) -> None:
    communities = city.units // UNITS
    print(f"{city.units:,} units in {communities:,} communities, made in {city.made_s:.0f} s:")
    print(f"  computed, committed and digested in {city.compute_s:.1f} s by {WORKERS} processes,")
    print(f"  whose CPUs took {city.cpu_s:.1f} s beside the database's")
    print(f"  {city.bills:,} bills, {city.lines:,} lines, {city.rows:,} rows")
    print(f"  bare COPY of the same bytes: {city.bare_s:.1f} s")
    print(f"  ratio: {city.compute_s / city.bare_s:.1f}")
    print(f"  database {city.stored_mib:,} MiB, largest process {city.process_mib} MiB", flush=True)


def tell_growth(cities: list[Measured]) -> None:
    print("growth, by units: µs a unit in all, µs of CPU a unit, set-up µs a unit")
    for city in cities:
        figures = (city.compute_s, city.cpu_s, city.made_s)
        told = ", ".join(f"{figure / city.units * 1e6:,.0f}" for figure in figures)
        print(f"  {city.units:,}: {told}")


def main() -> int:
    programs = find_postgresql()
    if programs is None:
        print("PostgreSQL is not installed: apt-get install postgresql")
        return 1
    largest = int(os.environ.get("TALLYGATE_CITY", "100"))
    with postgresql_server(programs, fsync=True) as server:
        cities = []
        for communities in (10, 100, 1000):
            if communities <= largest:
                cities.append(measure(server, communities))
                tell(cities[-1])
        tell_growth(cities)
    return 0


if __name__ == "__main__":
    sys.exit(main())
