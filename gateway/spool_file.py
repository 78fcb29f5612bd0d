"""The spool's SQLite file: its tables, how it is opened, and its rows ⇄ values."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from gateway.quarantine import Fault, Quarantined
from meters.judge import Baseline
from meters.reading import Reading, Reason, Series, Verdict

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID = 1413565511  # the bytes "TALG": tells a spool from other databases
VERSION = 1

_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE pending (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter TEXT NOT NULL,
    register TEXT NOT NULL,
    time INTEGER NOT NULL,
    value TEXT,
    raw TEXT NOT NULL,
    verdict INTEGER NOT NULL,
    reasons TEXT NOT NULL
);
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    content BLOB NOT NULL,
    reported INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE baseline (
    meter TEXT NOT NULL,
    register TEXT NOT NULL,
    time INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (meter, register)
) WITHOUT ROWID;
CREATE TABLE tally (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    received INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0
);
INSERT INTO tally (only) VALUES (1);
PRAGMA application_id = 1413565511;
PRAGMA user_version = 1;
COMMIT;
"""


class SpoolError(RuntimeError):
    """The spool cannot be used; the message says why and what to do."""


class Row(NamedTuple):
    """A pending reading in the file; `time` in Unix seconds, `value` in digits."""

    meter: str
    register: str
    time: int
    value: str | None
    raw: str
    verdict: int
    reasons: str


@dataclass(frozen=True, slots=True)
class Pending:
    """The oldest readings that the archive has not confirmed; `last` is the last one's number."""

    readings: tuple[Reading, ...]
    last: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An item of the quarantine with its number, and whether it was reported."""

    id: int
    item: Quarantined
    reported: bool


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Return a connection to the spool at `path`, usable from several threads.

    A spool that is not there is made, unless it is only to be read. Raises `SpoolError`.
    """
    mode = "ro" if read_only else "rwc"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=10,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    try:
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        _check_or_make(connection, path, make=not read_only)
    except sqlite3.Error as error:
        connection.close()
        raise _unusable(path, error) from error
    except SpoolError:
        connection.close()
        raise
    return connection


def _check_or_make(connection: sqlite3.Connection, path: Path, *, make: bool) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id == 0 and tables == 0 and make:
        connection.executescript(_SCHEMA)
    elif application_id == 0 and tables == 0:
        raise SpoolError(f"the spool {path} is only being made; ask again in a moment")
    elif application_id != APPLICATION_ID:
        raise SpoolError(f"{path} is no spool; name another file, or move this one away")
    elif version != VERSION:
        raise SpoolError(
            f"the spool {path} has version {version}, this program knows version {VERSION}; "
            "use the program that wrote it to empty it first"
        )


def _unusable(path: Path, error: sqlite3.Error) -> SpoolError:
    return SpoolError(
        f"the spool {path} cannot be used: {error}; check that its folder exists and is writable "
        "and that the disk is sound; a damaged spool can be moved away, its readings with it"
    )


def row(reading: Reading) -> Row:
    """Return `reading` as the file holds it."""
    value = reading.value
    return Row(
        reading.series.meter,
        reading.series.register,
        int(reading.time.timestamp()),
        None if value is None else str(value),
        reading.raw,
        int(reading.verdict),
        ",".join(reading.reasons) if reading.reasons else "",
    )


def reading(found: tuple[str, str, int, str | None, str, int, str]) -> Reading:
    """Return the reading in a row of `pending`."""
    meter, register, at, value, raw, verdict, reasons = found
    return Reading(
        Series(meter, register),
        datetime.fromtimestamp(at, UTC),
        None if value is None else Decimal(value),
        raw,
        Verdict(verdict),
        tuple(Reason(reason) for reason in reasons.split(",")) if reasons else (),
    )


def baseline(found: tuple[str, str, int, str]) -> tuple[Series, Baseline]:
    """Return the baseline in a row of `baseline`, with its series."""
    meter, register, at, value = found
    return Series(meter, register), Baseline(datetime.fromtimestamp(at, UTC), Decimal(value))


def entry(found: tuple[int, int, str, str, str, bytes, int]) -> Entry:
    """Return the item in a row of `quarantine`."""
    number, at, source, reason, detail, content, reported = found
    received_at = datetime.fromtimestamp(at, UTC)
    item = Quarantined(received_at, source, Fault(reason), detail, content)
    return Entry(number, item, bool(reported))
