"""A bill run from readings to committed, digested bills on SQLite: 24 units, and 10,000.

Each unit has an electricity and a water meter and is billed by eight lines: power by time of use
and yearly steps, water by steps with sewage and a surcharge, the property fee with refuse, and two
pools. The archive holds a reading of every power meter at each edge of the bands. Said are the
seconds of each phase of the run. The same rows are then written once more by a bare `executemany`
into tables without keys: the floor of the database, and the ratio to it.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock
from zoneinfo import ZoneInfo

from billing import lifecycle
from billing import run as bill_run
from billing.community import parse_community
from billing.database import Database
from billing.pools.pool import load_pool
from billing.store import definitions, registry, results, revisions
from billing.store.verification import verify_run
from billing.tariff import load_tariff
from deploy.demo.community import DEFINITIONS, TARIFFS
from meters.archive.sql import SqlArchive
from meters.catalog import shipped
from meters.interval import Period
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from billing.store.runs import Run
    from meters.archive.protocol import Archive

SMALL, LARGE = 24, int(os.environ.get("TALLYGATE_UNITS", "10000"))
ZONE = ZoneInfo("Asia/Shanghai")
OCTOBER = Period.month("2026-10", ZONE)
INSTALLED = datetime(2026, 9, 1, tzinfo=UTC)
NOW = OCTOBER.interval.end + timedelta(days=2)
POOLS = ("b1-lift", "b1-lights")
BATCH = 50_000
PHASES = (
    (revisions, "read", "the community read"),
    (bill_run, "measure_points", "use measured and divided"),
    (bill_run, "charge_units", "charged"),
    (bill_run, "share_pools", "pools shared"),
    (results, "lay_out", "laid out and digested"),
    (revisions, "store", "written"),
)
"""Where each phase of a community's computation begins: module, function, and what it does."""
MADE = ("usage", "statement", "share", "bill", "bill_line")


def community(units: int) -> dict[str, Any]:
    """Return a community of one building, eight units a floor."""
    codes = [f"{1 + number // 8}-{number % 8 + 1:02}" for number in range(units)]
    shared = {"b1-lift": "eastron-sdm630", "b1-lights": "eastron-sdm120"}
    return {
        "kind": "community",
        "code": "bench",
        "title": {"en": "Benchmark"},
        "zone": ZONE.key,
        "tariffs": {"residential": list(TARIFFS)},
        "building": [{"code": "b1", "title": {"en": "1"}}],
        "unit": [
            {
                "code": code,
                "building": "b1",
                "floor": int(code.partition("-")[0]),
                "area": str(Decimal(60 + number % 90) + Decimal("0.25")),
                "persons": 1 + number % 6,
                **({"vacant_from": INSTALLED.date()} if number % 20 == 7 else {}),
            }
            for number, code in enumerate(codes)
        ],
        "point": [
            *(_point(f"e-{code}", "electricity", "eastron-sdm120", unit=code) for code in codes),
            *(_point(f"w-{code}", "water", "bove-ultrasonic", unit=code) for code in codes),
            *(
                _point(code, "electricity", meter_type, building="b1")
                for code, meter_type in shared.items()
            ),
        ],
        "account": [
            {"code": f"A-{code}", "unit": code, "holder": "Owner", "first_day": INSTALLED.date()}
            for code in codes
        ],
    }


def _point(code: str, medium: str, meter_type: str, **where: str) -> dict[str, Any]:
    first = {"electricity": "import_energy", "water": "volume"}[medium]
    return {
        "code": code,
        "medium": medium,
        "role": "unit" if "unit" in where else "shared",
        **where,
        "installation": [
            {"meter": code, "type": meter_type, "start": INSTALLED, "first": {first: "0"}}
        ],
    }


def readings(document: dict[str, Any]) -> Iterator[Reading]:
    """Yield, in the order of time, what is read of every meter: power at the edges of its bands."""
    chance = random.Random(7)  # noqa: S311  made-up registers, no secret
    tariff = load_tariff(DEFINITIONS / "power-residential.toml")
    runs = tariff.calendar.runs(OCTOBER.interval, ZONE) if tariff.calendar else ()
    instants = sorted({run.start for run in runs} | {OCTOBER.interval.start, OCTOBER.interval.end})
    meters = []
    for point in document["point"]:
        (register,) = point["installation"][0]["first"]
        electric = register == "import_energy"
        opening = chance.randrange(1_000_000)
        growth = chance.randrange(60_000 if electric else 3_000)
        late = timedelta(seconds=chance.randrange(300))
        step = Decimal("0.01" if electric else "0.001")
        meters.append((Series(point["code"], register), electric, opening, growth, late, step))
    last = len(instants) - 1
    for place, instant in enumerate(instants):
        for series, electric, opening, growth, late, step in meters:
            if electric or place in (0, last):
                shown = (opening + growth * place // last) * step
                yield Reading(series, instant + late, shown, "462a 7521", Verdict.GOOD)


def prepare(folder: Path, units: int) -> tuple[Database, Archive]:
    """Return a billing database that knows the community, and an archive of its readings."""
    document = community(units)
    database = Database(f"sqlite:///{folder / f'billing-{units}.sqlite'}")
    database.migrate()
    with database.transaction() as connection:
        identity = registry.import_community(connection, parse_community(document, "bench"))
        for path in sorted(DEFINITIONS.glob("*.toml")):
            if path.stem in POOLS:
                definitions.add_pool(connection, identity, load_pool(path))
            elif path.stem in (*TARIFFS, "power-public"):
                definitions.add_tariff(connection, load_tariff(path))
    archive = SqlArchive(f"sqlite:///{folder / f'archive-{units}.sqlite'}")
    every = readings(document)
    while batch := list(islice(every, BATCH)):
        archive.append(batch)
    return database, archive


@contextmanager
def phases() -> Iterator[dict[str, float]]:
    """Give the seconds that each phase takes while this is open, by what it does."""
    spent: dict[str, float] = defaultdict(float)

    def timed(function: Callable[..., Any], what: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                spent[what] += time.perf_counter() - started

        return call

    with ExitStack() as stack:
        for module, name, what in PHASES:
            timing = timed(getattr(module, name), what)
            stack.enter_context(mock.patch.object(module, name, timing))
        yield spent


def compute(database: Database, archive: Archive) -> tuple[Run, float]:
    """Return a computed run, and the seconds from readings to committed, digested bills."""
    run_id = lifecycle.create_run(
        database, period=OCTOBER.key, communities=["bench"], actor="clerk", now=NOW
    )
    types = shipped()
    started = time.perf_counter()
    run = lifecycle.compute_run(database, archive, types, run_id=run_id, actor="clerk", now=NOW)
    elapsed_s = time.perf_counter() - started
    if run.state != "computed":
        sys.exit(f"the run is {run.state}: {run.communities[0].problems[:3]}")
    return run, elapsed_s


def issue(database: Database, run: Run) -> float:
    """Return the seconds to review, approve and issue a run."""
    started = time.perf_counter()
    lifecycle.review_run(database, run_id=run.id, actor="clerk", now=NOW)
    lifecycle.approve_run(
        database, run_id=run.id, digest=str(run.digest), actor="approver", now=NOW
    )
    lifecycle.issue_run(database, run_id=run.id, actor="approver", now=NOW)
    return time.perf_counter() - started


def bare_s(database: Database, path: Path) -> tuple[int, float]:
    """Return how many rows a run made, and the seconds to write them by a bare `executemany`."""
    with database.snapshot() as connection:
        made = {
            name: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]  # noqa: S608  of MADE
            for name in MADE
        }
    with closing(sqlite3.connect(path, isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        for name, rows in made.items():
            columns = ", ".join(f"c{number}" for number in range(len(rows[0])))
            bare.execute(f"CREATE TABLE {name} ({columns})")
        started = time.perf_counter()
        bare.execute("BEGIN IMMEDIATE")
        for name, rows in made.items():
            places = ", ".join("?" * len(rows[0]))
            bare.executemany(f"INSERT INTO {name} VALUES ({places})", rows)  # noqa: S608  of MADE
        bare.execute("COMMIT")
        return sum(map(len, made.values())), time.perf_counter() - started


def small(folder: Path) -> None:
    database, archive = prepare(folder, SMALL)
    with closing(archive), database:
        run, compute_s = compute(database, archive)
        issue_s = issue(database, run)
        print(
            f"{SMALL} units: computed and committed in {compute_s:.3f} s, approved and issued in "
            f"{issue_s:.3f} s"
        )


def large(folder: Path) -> None:
    started = time.perf_counter()
    database, archive = prepare(folder, LARGE)
    with closing(archive), database:
        print(f"{LARGE:,} units: brought in within {time.perf_counter() - started:.1f} s")
        with phases() as spent:
            run, compute_s = compute(database, archive)
        bills = run.communities[0].bills
        rows, floor_s = bare_s(database, folder / "bare.sqlite")
        print(f"  computed, committed and digested in {compute_s:.2f} s, of which")
        for what, seconds in spent.items():
            print(f"    {what}: {seconds:.2f} s")
        print(f"    all else: {compute_s - sum(spent.values()):.2f} s")
        print(f"  = {bills / compute_s:,.0f} bills/s, {rows / compute_s:,.0f} rows/s")
        print(f"  bare executemany of the same {rows:,} rows: {floor_s:.2f} s")
        print(f"  ratio: {compute_s / floor_s:.1f} × the bare write")
        started = time.perf_counter()
        again = lifecycle.compute_run(
            database, archive, shipped(), run_id=run.id, actor="clerk", now=NOW
        )
        again_s = time.perf_counter() - started
        print(f"  computed again, in place of the first: {again_s:.2f} s")
        if again.digest != run.digest:
            sys.exit("computed twice, two digests")
        print(f"  approved and issued in {issue(database, run):.2f} s")
        started = time.perf_counter()
        with database.snapshot() as connection:
            verified = verify_run(connection, run.id)
        verified_s = time.perf_counter() - started
        print(f"  {verified.lines:,} lines recomputed from their evidence in {verified_s:.1f} s")
        if verified.failures:
            sys.exit(f"verification failed: {verified.failures[:3]}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        small(Path(name))
        large(Path(name))


if __name__ == "__main__":
    main()
