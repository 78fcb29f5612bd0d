"""How fast a community of 100,000 rows is imported, against reading the same rows with `csv`.

20,000 units with an account each and a meter at 30,000 points each: first from a folder of CSV,
then from the same as a workbook; both checked whole, and the first stored on SQLite with what
every account owes. The ratio is to the same files, read by the `csv` module into tuples in the same
run. Memory is the most that the process held more than before. Fails where a folder takes more than
120 times as long as `csv`, or holds more than 6 kB a row.
"""

from __future__ import annotations

import csv
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from billing.database import Database
from billing.importing.sources import read_community
from billing.importing.writing import write_community
from billing.store import registry
from billing.store.opening_balance import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from billing.community import Community

Result = TypeVar("Result")
UNITS, POINTS = 20_000, 30_000
ROWS = 2 * UNITS + 2 * POINTS
MOST_RATIO = 120
MOST_BYTES_A_ROW = 6_000
SAID = Said("bench", reason="the old books", now=datetime(2026, 1, 1, tzinfo=UTC))


def folder_of_csv(folder: Path) -> Path:
    """Write the community as CSV; return the folder."""
    homes = [f"{number // 100 + 1}-{number % 100 + 101}" for number in range(UNITS)]
    sheets: dict[str, Iterable[tuple[object, ...]]] = {
        "community": [("code", "title zh", "zone"), ("city", "城", "Asia/Shanghai")],
        "classes": [("class", "tariffs"), ("residential", "power, water")],
        "buildings": [("code", "title zh"), *((f"b{at}", f"{at} 号楼") for at in range(1, 201))],
        "units": [
            ("code", "building", "entrance", "floor", "area (m2)", "persons", "class"),
            *(
                (home, f"b{at // 100 + 1}", at % 4 + 1, at % 30 + 1, f"{60 + at % 90}.5", 3, "")
                for at, home in enumerate(homes)
            ),
        ],
        "accounts": [
            ("code", "unit", "holder", "first day", "opening balance"),
            *(
                (f"A{home}", home, "王伟", "2026-01-01", f"{at}.05")
                for at, home in enumerate(homes)
            ),
        ],
        "points": [
            ("code", "medium", "role", "unit"),
            *(
                (f"P{at}", "electricity" if at < UNITS else "水", "unit", homes[at % UNITS])
                for at in range(POINTS)
            ),
        ],
        "meters": [
            ("point", "meter", "type", "start", "multiplier", "first import_energy"),
            *(
                (f"P{at}", f"2026{at:012}", "eastron-sdm120", "2026-01-01", 1, f"{at}.25")
                for at in range(POINTS)
            ),
        ],
    }
    for name, rows in sheets.items():
        with (folder / f"{name}.csv").open("x", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


def read_bare(folder: Path) -> int:
    """Read the files with `csv`, and keep every row; return how many there are."""
    kept = []
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            kept.extend(map(tuple, csv.reader(file)))
    return len(kept)


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds that `work` takes, and what it gives."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def store(folder: Path, community: Community) -> None:
    """Store `community` in a new database."""
    with Database(f"sqlite:///{folder / 'billing.sqlite'}") as database:
        database.migrate()
        with database.transaction() as connection:
            registry.import_community(connection, community, said=SAID)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder, sheets, workbook = Path(name), Path(name) / "city", Path(name) / "city.xlsx"
        sheets.mkdir()
        folder_of_csv(sheets)
        read_bare(sheets)  # once for the files to be in memory
        bare_s, _ = timed(lambda: read_bare(sheets))
        before = peak_bytes()
        read_s, imported = timed(lambda: read_community(sheets))
        held = peak_bytes() - before
        stored_s, _ = timed(lambda: store(folder, imported.community))
        with workbook.open("xb") as file:
            write_community(file, imported.community)
        workbook_s, again = timed(lambda: read_community(workbook))
        held_both = peak_bytes() - before
    print(f"{ROWS} rows by csv alone: {bare_s:.2f} s")
    for what, seconds in (
        ("a folder of CSV, checked whole", read_s),
        ("the same as a workbook", workbook_s),
        ("stored on SQLite, with the migrations", stored_s),
    ):
        rate, ratio = ROWS / seconds, seconds / bare_s
        print(f"{what}: {seconds:.2f} s, {rate:,.0f} rows/s, {ratio:.0f} times csv")
    megabytes, both = held / 2**20, held_both / 2**20
    print(f"memory at most: {megabytes:.0f} MB for CSV; {both:.0f} MB with a workbook beside it")
    within = read_s / bare_s <= MOST_RATIO and held / ROWS <= MOST_BYTES_A_ROW
    return 0 if again.community == imported.community and within else 1


if __name__ == "__main__":
    sys.exit(main())
