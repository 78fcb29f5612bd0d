"""Closed days of an SQL archive move from rows to chunks, while others read and write.

A slice of a day's series is one transaction: rows are read, packed, unpacked again and compared,
stored as chunks, and deleted. A power cut leaves a slice as it was or done. A reading that comes
late is kept as a row beside its chunk until the next compaction merges the two.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, text

from meters.archive.chunk import Chunks, pack
from meters.archive.rows import DAY_S, HOUR_S, day_number
from meters.archive.tables import CHUNK, READING, SERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from sqlalchemy import Connection

    from meters.archive.chunk import Packed
    from meters.archive.rows import Row
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
    """Return the ids between the least and the greatest that has rows on `day`."""
    ends = [
        end
        for hour in range(day * _DAY_H, (day + 1) * _DAY_H)
        for pick in (func.min, func.max)  # each a seek; all hours at once would be a scan
        for end in connection.execute(
            select(pick(READING.c.series)).where(READING.c.hour == hour)
        ).scalars()
        if end is not None
    ]
    between = SERIES.c.id.between(min(ends), max(ends))
    return list(
        connection.execute(select(SERIES.c.id).where(between).order_by(SERIES.c.id)).scalars()
    )


def _move(connection: Connection, day: int, first: int, last: int) -> Compacted:
    if connection.dialect.name == "postgresql":
        # No insert may happen between reading and deleting; it waits, and then finds the chunk.
        connection.execute(text("LOCK TABLE reading IN SHARE ROW EXCLUSIVE MODE"))
    within = (
        READING.c.hour.in_(range(day * _DAY_H, (day + 1) * _DAY_H)),  # seeks, where BETWEEN scans
        READING.c.series.between(first, last),
    )
    rows: list[Sequence[Any]] = [*connection.execute(select(READING).where(*within)).all()]
    if not rows:
        return Compacted()
    again = _chunked(connection, day, sorted({row[1] for row in rows}))
    packed = pack([*rows, *again])
    if again:
        known = sorted({row.series for row in again})
        connection.execute(delete(CHUNK).where(CHUNK.c.day == day, CHUNK.c.series.in_(known)))
    _insert(connection, day, packed)
    gone = connection.execute(delete(READING).where(*within)).rowcount
    if gone != len(rows):
        raise RuntimeError(
            f"{len(rows)} readings were packed, but {gone} would go; the transaction is undone"
        )
    return Compacted(chunks=len(packed), readings=len(rows))


def _chunked(connection: Connection, day: int, ids: list[int]) -> list[Row]:
    """Return what the day's chunks of these series hold already."""
    question = select(CHUNK.c.series, CHUNK.c.body).where(
        CHUNK.c.day == day, CHUNK.c.series.in_(ids)
    )
    found = connection.execute(question).all()
    return Chunks(*zip(*found, strict=True)).rows() if found else []


def _insert(connection: Connection, day: int, fresh: list[Packed]) -> None:
    if connection.dialect.name == "sqlite":
        rows = [{"day": day, **one._asdict()} for one in fresh]
        connection.execute(insert(CHUNK), rows)
        return
    columns = {
        "series": "{" + ",".join(str(series) for series, _, _ in fresh) + "}",
        "readings": "{" + ",".join(str(readings) for _, readings, _ in fresh) + "}",
        "bodies": "{" + ",".join(f'"\\\\x{body.hex()}"' for _, _, body in fresh) + "}",
    }
    connection.execute(_POSTGRESQL_INSERT, {"day": day, **columns})
