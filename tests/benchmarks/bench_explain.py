"""How long the explanation of one bill takes, against the bare question for the same rows.

Median of 300 on SQLite, all in one process: every line in a sentence with its arithmetic, as
`tallygate bill explain` prints it, and the same rows by straight SQL, read and thrown away. Fails
where an explanation takes 20 ms or more.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from small_community import Books, boundary_readings
from sqlalchemy import text

from api import language
from api.bill_commands import explained
from billing.database import Database
from billing.store.views import bills, reversals
from billing.store.views.scope import Scope
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

NUMBER = "yard-2026-10-0002"
TIMES = 300
MOST_S = 0.020

ROWS = text(
    "SELECT line.*, tariff.document, usage.*, point.code, point.medium, statement.quantity,"
    ' statement.amount, statement."keys", pool.document, share.* FROM bill'
    " JOIN bill_line line ON line.bill_id = bill.id"
    " LEFT JOIN tariff_version tariff ON tariff.id = line.tariff_version_id"
    " LEFT JOIN usage ON usage.id = line.usage_id LEFT JOIN point ON point.id = usage.point_id"
    " LEFT JOIN statement ON statement.id = line.statement_id"
    " LEFT JOIN pool_version pool ON pool.id = statement.pool_version_id"
    " LEFT JOIN share ON share.statement_id = line.statement_id AND share.position = line.share"
    " WHERE bill.number = :number"
)


def explanation(connection: Connection) -> int:
    """Explain the bill; return how many lines of text that took."""
    found = bills.bill(connection, Scope(), NUMBER)
    assert found is not None
    back = reversals.taken_back(connection, found.head.id)
    return len(list(explained(found, back, language.english())))


def bare(connection: Connection) -> int:
    return len(connection.execute(ROWS, {"number": NUMBER}).all())


def median_s(work: Callable[[Connection], int], database: Database) -> float:
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        with database.snapshot() as connection:
            work(connection)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        archive = SqlArchive(f"sqlite:///{Path(folder) / 'archive.sqlite'}")
        archive.append(boundary_readings())
        with Database(f"sqlite:///{Path(folder) / 'billing.sqlite'}") as database:
            database.migrate()
            books = Books(database, archive)
            books.define()
            books.bill()
            with database.snapshot() as connection:
                lines, texts = bare(connection), explanation(connection)
            floor, took = median_s(bare, database), median_s(explanation, database)
        archive.close()
    print(f"  {lines} lines, {texts} lines of text: {took * 1000:.2f} ms (goal: under 20 ms)")
    print(f"  the same rows by bare SQL: {floor * 1000:.2f} ms; {took / floor:.1f} times as long")
    return 0 if took < MOST_S else 1


if __name__ == "__main__":
    sys.exit(main())
