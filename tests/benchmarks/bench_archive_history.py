"""A history of quarter-hourly readings, as rows and compacted: its size, and what questions cost.

    python tests/benchmarks/bench_archive_history.py [DAYS [METERS]]

Asks for the boundary registers of all meters and for one meter's whole history, before and after
compaction, and holds every answer against the other. 31 days of 10,000 meters are 29,760,000
readings and want 1 GB; the default is a small part of that.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from meters.archive.compaction import compact
from meters.archive.sql import SqlArchive
from meters.archive.stock import take_stock
from meters.interval import Interval
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

START = datetime(2026, 10, 1, tzinfo=UTC)
QUARTER_S = 900
DAY_QUARTERS = 96
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """What a form of the archive costs: bytes of the file, seconds of questions."""

    bytes: int
    boundaries_s: float
    history_s: float


def fill(path: Path, days: int, meters: int) -> None:
    """Insert the rows that float32 meters leave, each at its own second, in order of time."""
    drawn = np.random.default_rng(1)
    values = drawn.integers(0, 20_000_000, meters) * 100
    seconds = np.sort(drawn.integers(0, QUARTER_S, meters))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO series (id, meter, register) VALUES (?, ?, 'import_energy')",
        ((number, f"sdm120-{number:05}") for number in range(meters)),
    )
    connection.execute("COMMIT")
    for quarter in range(days * DAY_QUARTERS):
        values += 100 * (drawn.poisson(2 + 10 * (quarter % DAY_QUARTERS > 28), meters))
        words = (values / 10_000).astype(">f4").tobytes()
        times = (int(START.timestamp()) + QUARTER_S * quarter + seconds).tolist()
        rows = [
            (time // 3600, n, time, value, 0, "", words[4 * n : 4 * n + 4].hex(" ", 2))
            for n, (time, value) in enumerate(zip(times, values.tolist(), strict=True))
        ]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    connection.close()


def cost(archive: SqlArchive, days: int, meters: list[Series]) -> tuple[Cost, list[Any]]:
    """Measure, and return the answers too."""
    seeded = random.Random(1)  # noqa: S311 - no secret
    instants = [START + timedelta(days=seeded.randint(1, days - 1)) for _ in range(ROUNDS)]
    asked = seeded.sample(meters, ROUNDS)
    whole = Interval(START, START + timedelta(days=days))
    boundaries_s, boundaries = timed(lambda at: archive.boundaries(meters, at), instants)
    history_s, histories = timed(lambda one: archive.readings(one, whole), asked)
    stock = take_stock(archive)
    return Cost(stock.bytes, boundaries_s, history_s), [boundaries, histories, archive.latest()]


def timed(question: Callable[[Any], Any], subjects: list[Any]) -> tuple[float, list[Any]]:
    answers, took = [], []
    for subject in subjects:
        start = perf_counter()
        answers.append(question(subject))
        took.append(perf_counter() - start)
    return median(took), answers


def main(days: int, count: int) -> None:
    readings = days * DAY_QUARTERS * count
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive.db"
        with closing(SqlArchive(f"sqlite:///{path}")) as archive:
            start = perf_counter()
            fill(path, days, count)
            filled = perf_counter()
            meters = [Series(f"sdm120-{number:05}", "import_energy") for number in range(count)]
            rows, before = cost(archive, days, meters)
            asked = perf_counter()
            done = compact(archive, (START + timedelta(days=days)).date())
            compacted = perf_counter()
            archive.shrink()
            chunks, after = cost(archive, days, meters)
    if before != after or done.readings != readings:
        raise RuntimeError(f"compaction has changed something: {done}")
    print(
        f"{readings:,} readings of {count:,} meters in {days} days: filled in"
        f" {filled - start:.0f} s, compacted in {compacted - asked:.0f} s"
        f" ({(compacted - asked) / days:.1f} s a day)"
    )
    for name, figures in (("rows", rows), ("compacted", chunks)):
        print(
            f"  {name:10} {figures.bytes / readings:6.2f} bytes a reading;"
            f" boundaries of {count:,} meters {1000 * figures.boundaries_s:,.0f} ms;"
            f" one meter's {days} days {1000 * figures.history_s:,.1f} ms"
        )
    print(
        f"ratio compacted to rows: bytes {chunks.bytes / rows.bytes:.3f},"
        f" boundaries {chunks.boundaries_s / rows.boundaries_s:.2f},"
        f" one meter {chunks.history_s / rows.history_s:.2f}"
    )


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 3,
        int(sys.argv[2]) if len(sys.argv) > 2 else 1_000,
    )
