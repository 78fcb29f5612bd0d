"""A spool of an earlier program is opened, brought to the new layout, and loses nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from gateway.quarantine import Fault
from gateway.spool import Spool
from gateway.spool_file import Row, SpoolError
from meters.archive.protocol import Appended
from meters.baseline import Baseline
from meters.reading import Reading, Reason, Series, Verdict

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
AT = int(NOW.timestamp())
SERIES = Series("e-1", "import_energy")

VERSION_1 = """
PRAGMA journal_mode = WAL;
CREATE TABLE pending (
    id INTEGER PRIMARY KEY AUTOINCREMENT, meter TEXT NOT NULL, register TEXT NOT NULL,
    time INTEGER NOT NULL, value TEXT, raw TEXT NOT NULL, verdict INTEGER NOT NULL,
    reasons TEXT NOT NULL
);
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_at INTEGER NOT NULL, source TEXT NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL, content BLOB NOT NULL,
    reported INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE baseline (
    meter TEXT NOT NULL, register TEXT NOT NULL, time INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (meter, register)
) WITHOUT ROWID;
CREATE TABLE tally (
    only INTEGER PRIMARY KEY CHECK (only = 1), received INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0, duplicate INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0, forgotten INTEGER NOT NULL DEFAULT 0
);
INSERT INTO pending VALUES (41, 'e-1', 'import_energy', :at, '10909.28', '462a 751f', 0, '');
INSERT INTO pending VALUES (42, 'e-1', 'power', :at, NULL, '7fc0 0000', 2, 'not-a-number');
INSERT INTO quarantine VALUES (7, :at, 'mqtt:t', 'payload', 'not JSON', x'7b', 1);
INSERT INTO baseline VALUES ('e-1', 'import_energy', :at, '10909.280');
INSERT INTO tally VALUES (1, 12, 6, 1, 3, 2);
PRAGMA application_id = 1413565511;
PRAGMA user_version = 1;
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A spool as version 1 wrote it, with something of everything."""
    path = tmp_path / "spool.sqlite"
    with closing(sqlite3.connect(path)) as file:
        file.executescript(VERSION_1.replace(":at", str(AT)))
    return path


def test_nothing_is_lost_on_the_way_to_the_new_layout(old: Path) -> None:
    for _ in range(2):  # the second time there is nothing left to do
        with Spool(old) as spool:
            pending = spool.pending(10)
            assert pending is not None
            assert pending.readings == (
                Reading(SERIES, NOW, Decimal("10909.28"), "462a 751f", Verdict.GOOD),
                Reading(
                    Series("e-1", "power"),
                    NOW,
                    None,
                    "7fc0 0000",
                    Verdict.INVALID,
                    (Reason.NOT_A_NUMBER,),
                ),
            )
            (entry,) = spool.quarantine()
            assert (entry.id, entry.reported) == (7, True)
            assert (entry.item.reason, entry.item.content) == (Fault.PAYLOAD, b"{")
            assert not entry.item.retained
            assert spool.baselines() == {SERIES: Baseline(NOW, Decimal("10909.280"))}
            tally = spool.conservation()
            assert (tally.received, tally.quarantined, tally.spooled) == (12, 3, 2)


def test_what_waited_is_forwarded_and_what_comes_is_numbered_after_it(old: Path) -> None:
    with Spool(old) as spool:
        spool.take_in([Row(*SERIES, AT + 1, "10910", "", 0, "")])
        pending = spool.pending(10)
        assert pending is not None
        assert pending.numbers == (41, 42, 43)
        spool.settle(pending, Appended(3, 0), now=NOW)
        assert spool.conservation().stored == 9


def test_an_old_spool_that_is_only_looked_at_is_left_as_it_is(old: Path) -> None:
    with pytest.raises(SpoolError, match="start the gateway once"):
        Spool(old, read_only=True)
    with closing(sqlite3.connect(old)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (1,)


def test_an_upgrade_that_fails_leaves_the_old_spool_whole(old: Path) -> None:
    with closing(sqlite3.connect(old)) as file:
        file.execute("CREATE TABLE recent (stray)")
    with pytest.raises(SpoolError, match="already exists"):
        Spool(old)
    with closing(sqlite3.connect(old)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (1,)
        assert file.execute("SELECT count(*) FROM baseline WHERE time = ?", (AT,)).fetchone() == (
            1,
        )
