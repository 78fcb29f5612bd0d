"""Closed days of an SQL archive move from rows to chunks, while others read and write.

A slice of a day's series is one transaction: rows are read, packed, unpacked again and compared,
stored as chunks, and deleted. A power cut leaves a slice as it was or done. A reading that comes
late is kept as a row beside its chunk until the next compaction merges the two.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, text

from meters.archive.chunk import Chunk, pack
from meters.archive.rows import DAY_S, HOUR_S, Row, day_number
from meters.archive.tables import CHUNK, READING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from sqlalchemy import Connection

    from meters.archive.sql import SqlArchive

_DAY_H = DAY_S // HOUR_S
_SLICE = 256
"""Series of one transaction: other writers wait for no more than these."""
_PAUSE_S = 0.025
"""Between two slices. SQLite's writers ask now and then whether it is their turn: let them."""

_POSTGRESQL_INSERT = text(
    "INSERT INTO chunk (day, series, readings, body)"
    " SELECT CAST(:day AS integer), * FROM unnest("
    "CAST(:series AS integer[]), CAST(:readings AS integer[]), CAST(:bodies AS bytea[]))"
)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did: days that had rows, chunks written, readings that moved."""

    days: int = 0
    chunks: int = 0
    readings: int = 0

    def __add__(self, other: Compacted) -> Compacted:
        return Compacted(
            self.days + other.days,
            self.chunks + other.chunks,
            self.readings + other.readings,
        )


def compact(
    archive: SqlArchive, before: date, *, proceed: Callable[[], bool] = lambda: True
) -> Compacted:
    """Move every row of a UTC day before `before` into chunks. Done again, it does nothing.

    `proceed` is asked before each slice, and ends the work where it returns False. Raises
    `ArchiveUnavailableError`; what was moved until then stays moved.
    """
    done = Compacted()
    for day in _days(archive, day_number(before)):
        with archive.transaction() as connection:
            ids = _series_of(connection, day)
        for start in range(0, len(ids), _SLICE):
            if not proceed():
                return done
            part = ids[start : start + _SLICE]
            with archive.transaction(writing=True) as connection:
                done += _move(connection, day, part[0], part[-1])
            time.sleep(_PAUSE_S)
        done += Compacted(days=1)
    return done


def _days(archive: SqlArchive, before: int) -> Iterator[int]:
    """Yield the days before `before` that have rows, oldest first."""
    after = None
    while True:
        question = select(func.min(READING.c.hour))
        if after is not None:
            question = question.where(READING.c.hour >= (after + 1) * _DAY_H)
        with archive.transaction() as connection:
            hour = connection.execute(question).scalar()
        if hour is None or hour // _DAY_H >= before:
            return
        after = hour // _DAY_H
        yield after


def _series_of(connection: Connection, day: int) -> list[int]:
    hours = range(day * _DAY_H, (day + 1) * _DAY_H)
    question = select(READING.c.series).where(READING.c.hour.between(hours[0], hours[-1]))
    return sorted(set(connection.execute(question.distinct()).scalars()))


def _move(connection: Connection, day: int, first: int, last: int) -> Compacted:
    if connection.dialect.name == "postgresql":
        # No insert may happen between reading and deleting; it waits, and then finds the chunk.
        connection.execute(text("LOCK TABLE reading IN SHARE ROW EXCLUSIVE MODE"))
    within = (
        READING.c.hour.in_(range(day * _DAY_H, (day + 1) * _DAY_H)),  # seeks, where BETWEEN scans
        READING.c.series.between(first, last),
    )
    rows = map(Row._make, connection.execute(select(READING).where(*within)))
    kept = _chunks(connection, day, first, last)
    by_time = attrgetter("series", "time")
    fresh, moved = [], 0
    for series, members in groupby(sorted(rows, key=by_time), key=attrgetter("series")):
        added = list(members)
        moved += len(added)
        old = kept[series].rows() if series in kept else []
        whole = sorted([*old, *added], key=by_time) if old else added
        fresh.append((series, len(whole), pack(whole)))
    again = [series for series, _, _ in fresh if series in kept]
    if again:
        connection.execute(delete(CHUNK).where(CHUNK.c.day == day, CHUNK.c.series.in_(again)))
    if fresh:
        _insert(connection, day, fresh)
    gone = connection.execute(delete(READING).where(*within)).rowcount
    if gone != moved:
        raise RuntimeError(
            f"{moved} readings were packed, but {gone} would go; the transaction is undone"
        )
    return Compacted(chunks=len(fresh), readings=moved)


def _chunks(connection: Connection, day: int, first: int, last: int) -> dict[int, Chunk]:
    question = select(CHUNK.c.series, CHUNK.c.body).where(
        CHUNK.c.day == day, CHUNK.c.series.between(first, last)
    )
    return {series: Chunk(series, body) for series, body in connection.execute(question)}


def _insert(connection: Connection, day: int, fresh: list[tuple[int, int, bytes]]) -> None:
    if connection.dialect.name == "sqlite":
        rows = [
            {"day": day, "series": series, "readings": readings, "body": body}
            for series, readings, body in fresh
        ]
        connection.execute(insert(CHUNK), rows)
        return
    columns = {
        "series": "{" + ",".join(str(series) for series, _, _ in fresh) + "}",
        "readings": "{" + ",".join(str(readings) for _, readings, _ in fresh) + "}",
        "bodies": "{" + ",".join(f'"\\\\x{body.hex()}"' for _, _, body in fresh) + "}",
    }
    connection.execute(_POSTGRESQL_INSERT, {"day": day, **columns})
