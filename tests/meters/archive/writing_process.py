"""Writes numbered readings to an archive and says after each batch what was acknowledged.

    python writing_process.py URL FIRST COUNT BATCH

prints `stored duplicates next` after each batch, `next` being the first number not yet sent.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from meters.archive.sql import SqlArchive
from meters.reading import Reading, Series, Verdict

START = datetime(2026, 10, 1, tzinfo=UTC)
METERS = 7


def numbered(number: int) -> Reading:
    """Return the reading that every process means by `number`."""
    return Reading(
        series=Series(f"meter-{number % METERS}", "import_energy"),
        time=START + timedelta(seconds=number),
        value=Decimal(number) / 100,
        raw=f"{number:08x}",
        verdict=Verdict.GOOD,
    )


def main(url: str, first: int, count: int, batch: int) -> None:
    archive = SqlArchive(url)
    for start in range(first, first + count, batch):
        after = min(start + batch, first + count)
        done = archive.append([numbered(number) for number in range(start, after)])
        print(done.stored, done.duplicates, after, flush=True)  # noqa: T201 - the parent reads it
    archive.close()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
