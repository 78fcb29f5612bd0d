"""Time of use of many meters for a month, from the archive: registers at the edges of bands.

    python tests/benchmarks/bench_time_of_use.py [METERS [DAYS]]

Fills an archive of quarter-hourly readings, closes all days but the last three, asks for the
registers at the edges of a calendar's bands, and divides every meter's use by them. Every sum is
held against the use of its meter. The floor, in the same run: what the database takes to give the
same blocks out, and zlib to inflate them, with nothing done to them. 31 days of 10,000 meters are
29,760,000 readings and want 1 GB; the default is a small part of that.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import zlib
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from bench_archive_history import START, fill

sys.path.insert(0, str(Path(__file__).parents[2]))

from billing.calendar import Calendar
from meters.archive.compaction import compact
from meters.archive.rows import EPOCH, SECOND
from meters.archive.sql import SqlArchive
from meters.catalog import shipped
from meters.interval import Interval
from meters.plain_steps import step_plain
from meters.quantity import to_scaled
from meters.reading import Series
from meters.register_at import RegisterAt, Source
from meters.usage import Segment, Usage

if TYPE_CHECKING:
    from datetime import datetime

    from meters.archive.protocol import Boundary
    from meters.edges import Edges

NAME = "import_energy"
REGISTER = shipped()["eastron-sdm120"].registers[NAME]
SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar.model_validate(
    {
        "days": [
            {
                "bands": [
                    ["00:00", "valley"],
                    ["08:00", "peak"],
                    ["12:00", "flat"],
                    ["17:00", "peak"],
                    ["22:00", "flat"],
                ]
            }
        ]
    }
)
OPEN_DAYS = 3
ROUNDS = 3


def usage_of(one: Series, interval: Interval, ends: list[Boundary]) -> Usage:
    """Return the whole use of a meter, as it is measured before it is divided."""
    registers = []
    for at, boundary in zip((interval.start, interval.end), ends, strict=True):
        reading = boundary.after if at == interval.start else boundary.before
        if reading is None or reading.value is None:
            raise RuntimeError(f"{one.meter} was not read at {at}")
        registers.append(RegisterAt(one.meter, at, reading.value, Source.READ, (reading,)))
    grown = registers[1].value - registers[0].value
    opening, closing = registers
    segment = Segment(opening, closing, grown, REGISTER.modulus, Decimal(1))
    return Usage(one.meter, NAME, "kWh", interval, grown, (segment,), ())


def divided(usages: list[Usage], edges: Edges, edges_s: np.ndarray) -> int:
    """Divide every use; return how many parts there are."""
    rows = edges.rows()
    places = np.array([rows[Series(usage.point, NAME)] for usage in usages])
    parts = 0
    steps = step_plain(usages, edges_s, edges, places, [REGISTER] * len(usages))
    for usage, found in zip(usages, steps, strict=True):
        if found is None or found.quantities.sum() != to_scaled(usage.quantity or Decimal(0)):
            raise RuntimeError(f"the parts of {usage.point} are not its use")
        parts += len(found.quantities)
    return parts


def floor_s(path: Path) -> float:
    """Return the seconds that it takes to read every block and to inflate it."""
    with closing(sqlite3.connect(path)) as connection:
        start = perf_counter()
        for (body,) in connection.execute("SELECT body FROM chunk ORDER BY day, series"):
            zlib.decompress(body, -zlib.MAX_WBITS, 1024)
        return perf_counter() - start


def main(count: int, days: int) -> None:
    interval = Interval(START + timedelta(hours=1), START + timedelta(days=days, hours=-1))
    runs = CALENDAR.runs(interval, SHANGHAI)
    instants: list[datetime] = [run.start for run in runs[1:]]
    edges_s = np.array([(each - EPOCH) // SECOND for each in instants])
    series = [Series(f"sdm120-{number:05}", NAME) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive.db"
        with closing(SqlArchive(f"sqlite:///{path}")) as archive:
            fill(path, days, count)
            compact(archive, (START + timedelta(days=days - OPEN_DAYS)).date())
            ends = [archive.boundaries(series, at) for at in (interval.start, interval.end)]
            usages = [usage_of(one, interval, [end[one] for end in ends]) for one in series]
            asking_s, dividing_s, least_s, parts = [], [], [], 0
            for _ in range(ROUNDS):
                begun = perf_counter()
                edges = archive.edges(series, instants)
                asked = perf_counter()
                parts = divided(usages, edges, edges_s)
                asking_s.append(asked - begun)
                dividing_s.append(perf_counter() - asked)
                least_s.append(floor_s(path))
    whole_s = min(asking_s) + min(dividing_s)
    print(
        f"{count:,} meters, {days} days, {len(instants)} edges of bands: {parts:,} parts, each sum"
        f" held against its use"
    )
    print(
        f"  asked in {min(asking_s):.2f} s, divided in {min(dividing_s):.2f} s; floor (blocks read"
        f" and inflated) {min(least_s):.2f} s"
    )
    print(f"ratio time of use to floor: {whole_s / min(least_s):.2f}")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 500,
        int(sys.argv[2]) if len(sys.argv) > 2 else 31,
    )
