"""How many bills a second become PDF, in one process and in two, and what 10,000 of them take.

A bill of a small community (its lines, its registers, a code), read from the database and set each
time; beside it, in the same processes, the floor: the same setter with one word on a page, in the
same font. No goal but minutes for 10,000, in two processes.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from small_community import Books, boundary_readings

from api.language import languages
from api.papers.bill import bill_pdf
from api.papers.paper import Paper
from api.papers.sealing import Seals
from api.papers.typesetting import typeset
from billing.database import Database
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier

    from sqlalchemy import Connection

NUMBER = "yard-2026-10-0002"
BILLS = 60
"""Set by each process; the first two, which load the font, are not counted."""
UNCOUNTED = 2
MANY = 10_000
MOST_S = 600


def bill(connection: Connection) -> int:
    """Read the bill and set it; return how many bytes that makes."""
    seals = Seals([bytes(32)], "https://bills.example.com")
    made = bill_pdf(connection, NUMBER, language=languages()["zh-CN"], seals=seals)
    assert made is not None
    return len(made)


def word(_connection: Connection) -> int:
    """Set a page with hardly anything on it."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    paper = Paper(
        tag="zh-CN", at=at, number="1", above="", title="账", amount="", facts=(), tables=()
    )
    return len(typeset(paper))


def share(work: Callable[[Connection], int], url: str, together: Barrier) -> None:
    """Set `BILLS` papers once everybody is ready, and wait for the others."""
    with Database(url) as database:
        for number in range(UNCOUNTED + BILLS):
            if number == UNCOUNTED:
                together.wait()
            with database.snapshot() as connection:
                work(connection)
    together.wait()


def a_second(work: Callable[[Connection], int], url: str, processes: int) -> float:
    """Return how many papers a second `processes` set together."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(processes + 1)
    running = [context.Process(target=share, args=(work, url, together)) for _ in range(processes)]
    for each in running:
        each.start()
    together.wait()
    started = time.perf_counter()
    together.wait()
    took = time.perf_counter() - started
    for each in running:
        each.join()
    return processes * BILLS / took


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        archive = SqlArchive(f"sqlite:///{Path(folder) / 'archive.sqlite'}")
        archive.append(boundary_readings())
        url = f"sqlite:///{Path(folder) / 'billing.sqlite'}"
        with Database(url) as database:
            database.migrate()
            books = Books(database, archive)
            books.define()
            books.bill()
            with database.snapshot() as connection:
                size = bill(connection)
        archive.close()
        floor = {processes: a_second(word, url, processes) for processes in (1, 2)}
        found = {processes: a_second(bill, url, processes) for processes in (1, 2)}
    print(f"  a bill of {size:,} bytes, {BILLS} by each process")
    for processes, rate in found.items():
        part = rate / floor[processes]
        print(
            f"  {processes} process{'es' if processes > 1 else ''}: {rate:.1f} bills/s, "
            f"{MANY:,} in {MANY / rate / 60:.1f} minutes; a page with one word: "
            f"{floor[processes]:.1f}/s; {part:.2f} of it"
        )
    return 0 if MANY / found[2] < MOST_S else 1


if __name__ == "__main__":
    sys.exit(main())
