"""The tables of the spool's file, and how a file of an earlier layout comes to have them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from meters.baseline import Baseline, to_text

if TYPE_CHECKING:
    import sqlite3

APPLICATION_ID = 1413565511  # the bytes "TALG": tells a spool from other databases
VERSION = 2

LANES = ("pending", "pending_gauge")
"""Where readings wait. No bill rests on those of the second one: they go first when space ends."""

_LANE = """
CREATE TABLE {name} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter TEXT NOT NULL,
    register TEXT NOT NULL,
    time INTEGER NOT NULL,
    value TEXT,
    raw TEXT NOT NULL,
    verdict INTEGER NOT NULL,
    reasons TEXT NOT NULL
);
"""

_QUARANTINE = """
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    content BLOB NOT NULL,
    reported INTEGER NOT NULL DEFAULT 0,
    retained INTEGER NOT NULL DEFAULT 0
);
"""

_TALLY = """
CREATE TABLE tally (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    received INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0
);
INSERT INTO tally (only) VALUES (1);
"""

_SINCE_2 = """
CREATE INDEX quarantine_source ON quarantine (reason, source);
CREATE TABLE baseline (
    meter TEXT NOT NULL,
    register TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (meter, register)
) WITHOUT ROWID;
CREATE TABLE recent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    mark BLOB NOT NULL,
    at INTEGER NOT NULL
);
"""

_BEGIN = "BEGIN IMMEDIATE;"
_END = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"

_MAKE = "".join([_BEGIN, *(_LANE.format(name=lane) for lane in LANES), _QUARANTINE, _TALLY])


def make(connection: sqlite3.Connection) -> None:
    """Make the tables of a new spool."""
    connection.executescript(_MAKE + _SINCE_2 + _END)


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a spool of version 1 to this one, whole or not at all.

    Readings that wait stay where they are, in the lane that is never emptied for space: what they
    count was not noted.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        known = connection.execute("SELECT meter, register, time, value FROM baseline").fetchall()
        connection.execute("DROP TABLE baseline")
        connection.execute(_LANE.format(name=LANES[1]))
        for statement in (
            "ALTER TABLE quarantine ADD COLUMN retained INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE tally ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0",
            *filter(str.strip, _SINCE_2.split(";")),
        ):
            connection.execute(statement)
        connection.executemany(
            "INSERT INTO baseline (meter, register, state) VALUES (?, ?, ?)",
            (
                (meter, register, to_text(_baseline(at, value)))
                for meter, register, at, value in known
            ),
        )
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _baseline(at: int, value: str) -> Baseline:
    return Baseline(datetime.fromtimestamp(at, UTC), Decimal(value))
