"""What pages that show all of a property company cost the server, beside the bare rows of SQL.

    make bench ARGS="pages"                                      1,000 units, 2,002 meters
    TALLYGATE_UNITS=5000 make bench ARGS="pages"                 5,000 units, 10,010 meters

Each page is asked for in this process, by the application itself, and the CPU of one answer is
counted. The floor of the page of meters is what SQLite takes for the rows that it rests on: where
every meter stands, and the newest reading of each register in the newest hour.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import httpx
from bench_api import NOW, UNITS, issue_months, signed_in, with_bills
from sqlalchemy import select

from api.permission import Role
from billing.database import Database
from billing.store import medians
from billing.store.views import meters
from billing.tables import account
from meters.archive.sql import SqlArchive
from meters.catalog import shipped
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.store.views.meters import Placed

ROUNDS = 5
HOURS = 26
SILENT = 50
"""Of so many meters one has said nothing for a while."""
PAGES = {
    "/engineering/meters": Role.ENGINEER,
    "/engineering/meters?state=late": Role.ENGINEER,
    "/staff/runs/1": Role.CLERK,
    "/staff/accounts": Role.CLERK,
    "/meters/usage": Role.OWNER,
}
FLOOR = {
    "billing": "SELECT i.id, i.meter, i.meter_type, p.code, u.code FROM installation i"
    " JOIN point p ON p.id = i.point_id LEFT JOIN unit u ON u.id = p.unit_id",
    "archive": "SELECT s.meter, max(r.time), r.verdict FROM reading r"
    " JOIN series s ON s.id = r.series"
    " WHERE r.hour = (SELECT max(hour) FROM reading) GROUP BY r.series",
}


def fill(archive: SqlArchive, placed: list[Placed]) -> None:
    """Store hourly readings of every meter's billing registers, up to now."""
    types = shipped()
    for hour in range(HOURS, 0, -1):
        at = NOW - timedelta(hours=hour) + timedelta(minutes=55)
        archive.append(
            [
                Reading(Series(each.meter, register), at, None, f"{hour:04x}", Verdict.GOOD)
                for number, each in enumerate(placed)
                if number % SILENT or hour > SILENT % HOURS
                for register in types[each.meter_type].billing_registers
            ]
        )


def keep_medians(database: Database) -> None:
    """Do as the upkeep of a server does."""
    with database.transaction() as connection:
        for community in medians.missing(connection):
            medians.keep(connection, community)


def readers(database: Database) -> dict[Role, str]:
    """Return the cookie of somebody of each role."""
    with database.transaction() as connection:
        owned = connection.scalars(select(account.c.id).limit(1)).all()
        return {
            role: signed_in(connection, role.value, role, owned if role is Role.OWNER else [])
            for role in set(PAGES.values())
        }


def cpu_s(work: Callable[[], object]) -> float:
    """Return the CPU that `work` takes, the middle of some times."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return median(taken)


def floor_s(folder: Path) -> float:
    """Return the CPU that SQLite takes for the bare rows of the page of meters."""
    taken = 0.0
    for name, query in FLOOR.items():
        with closing(sqlite3.connect(folder / f"{name}.sqlite")) as connection:
            taken += cpu_s(lambda: connection.execute(query).fetchall())  # noqa: B023  used at once
    return taken


async def pages_s(folder: Path, cookies: dict[Role, str]) -> dict[str, tuple[float, float]]:
    """Return the CPU of each page, the first time and the middle of some more."""
    gc.collect()
    gc.freeze()  # as the server does
    transport = httpx.ASGITransport(app=with_bills(folder, first=False))
    found = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://court") as client:
        await client.get("/login")
        for path, role in PAGES.items():
            taken = []
            for _ in range(1 + ROUNDS):
                began = time.process_time()
                answer = await client.get(path, headers={"Cookie": cookies[role]})
                taken.append(time.process_time() - began)
                if answer.status_code != httpx.codes.OK:
                    sys.exit(f"{path} was answered {answer.status_code}")
            found[path] = taken[0], median(taken[1:])
    return found


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tallygate-bench-") as name:
        folder = Path(name)
        with Database(f"sqlite:///{folder}/billing.sqlite") as database:
            database.migrate()
            issue_months(database)
            keep_medians(database)
            cookies = readers(database)
            with database.snapshot() as connection:
                placed = meters.placed(connection, at=NOW)
        with closing(SqlArchive(f"sqlite:///{folder}/archive.sqlite")) as archive:
            fill(archive, placed)
        floor = floor_s(folder)
        print(f"{UNITS:,} units, {len(placed):,} meters, on SQLite")
        print(f"bare rows of the page of meters: {floor * 1000:.1f} ms of CPU")
        for path, (first_s, again_s) in asyncio.run(pages_s(folder, cookies)).items():
            print(
                f"{path:<34} {again_s * 1000:6.1f} ms of CPU, {again_s / floor:.1f} × the bare"
                f" rows; the first time {first_s * 1000:.0f} ms"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
