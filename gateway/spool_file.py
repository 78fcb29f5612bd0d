"""The spool's SQLite file: how it is opened, and its rows ⇄ values."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from gateway import spool_schema
from gateway.quarantine import Fault, Quarantined
from meters.reading import Reading, Reason, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

READING = "id, meter, register, time, value, raw, verdict, reasons"
ENTRY = "id, received_at, source, reason, detail, content, reported, retained"


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


Found = tuple[int, str, str, int, str | None, str, int, str]
"""The columns of `READING`."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Readings that the archive has not confirmed, and the number of each in its lane.

    `numbers` are those of the readings that bills rest on, which come first, `gauges` the others'.
    """

    readings: tuple[Reading, ...]
    numbers: tuple[int, ...]
    gauges: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """An item of the quarantine with its number, and whether it was reported."""

    id: int
    item: Quarantined
    reported: bool


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Return a connection to the spool at `path`, usable from several threads.

    A spool that is not there is made, and one of an earlier layout is brought to this one, unless
    it is only to be read. Raises `SpoolError`.
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
        _check_or_make(connection, path, may_write=not read_only)
    except sqlite3.Error as error:
        connection.close()
        raise _unusable(path, error) from error
    except SpoolError:
        connection.close()
        raise
    return connection


def _check_or_make(connection: sqlite3.Connection, path: Path, *, may_write: bool) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id == 0 and tables == 0 and may_write:
        spool_schema.make(connection)
    elif application_id == 0 and tables == 0:
        raise SpoolError(f"the spool {path} is only being made; ask again in a moment")
    elif application_id != spool_schema.APPLICATION_ID:
        raise SpoolError(f"{path} is no spool; name another file, or move this one away")
    elif version > spool_schema.VERSION:
        raise SpoolError(
            f"the spool {path} has version {version}, this program knows version "
            f"{spool_schema.VERSION}; use the program that wrote it to empty it first"
        )
    elif version < spool_schema.VERSION:
        if not may_write:
            raise SpoolError(
                f"the spool {path} has the layout of an earlier version; start the gateway once, "
                "which brings it to this one"
            )
        spool_schema.upgrade(connection)


def _unusable(path: Path, error: sqlite3.Error) -> SpoolError:
    return SpoolError(
        f"the spool {path} cannot be used: {error}; check that its folder exists and is writable "
        "and that the disk is sound; a damaged spool can be moved away, its readings with it"
    )


def row(reading: Reading) -> Row:
    """Return `reading` as the file holds it."""
    series, value = reading.series, reading.value
    return Row(
        series.meter,
        series.register,
        int(reading.time.timestamp()),
        None if value is None else str(value),
        reading.raw,
        int(reading.verdict),
        ",".join(reading.reasons) if reading.reasons else "",
    )


def reading(found: Found) -> Reading:
    """Return the reading in the columns of `READING`."""
    _, meter, register, at, value, raw, verdict, reasons = found
    return Reading(
        Series(meter, register),
        datetime.fromtimestamp(at, UTC),
        None if value is None else Decimal(value),
        raw,
        Verdict(verdict),
        tuple(Reason(reason) for reason in reasons.split(",")) if reasons else (),
    )


def pending(billing: Sequence[Found], gauges: Sequence[Found]) -> Pending:
    """Return what was found in the two lanes."""
    return Pending(
        (*map(reading, billing), *map(reading, gauges)),
        tuple(found[0] for found in billing),
        tuple(found[0] for found in gauges),
    )


def entry(found: tuple[int, int, str, str, str, bytes, int, int]) -> Entry:
    """Return the item in the columns of `ENTRY`."""
    number, at, source, reason, detail, content, reported, retained = found
    received_at = datetime.fromtimestamp(at, UTC)
    item = Quarantined(received_at, source, Fault(reason), detail, content, bool(retained))
    return Entry(number, item, bool(reported))


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return `numbers`, which rise, as first and last of what follows without a gap."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
