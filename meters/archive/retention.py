"""What an SQL archive forgets for its age, and what it refuses to forget.

An issued bill holds its evidence itself. What still needs readings is what is not billed yet,
steps that count a year's use, and corrections: so two years stay, whoever asks. A silent series
keeps the day of its last good reading, whatever its age: its next use is counted from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from meters.archive import history, queries
from meters.archive.rows import DAY_S, HOUR_S, day_number
from meters.archive.tables import CHUNK, READING

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table

    from meters.archive.sql import SqlArchive

LEAST_MONTHS = 24
_DAY_H = DAY_S // HOUR_S


class RetentionError(ValueError):
    """Readings were to be deleted that bills may still need."""


@dataclass(frozen=True, slots=True)
class Expired:
    """What was deleted: days, readings; and how many silent series kept their last day."""

    days: int
    readings: int
    silent: int


def cutoff(today: date, keep_months: int) -> date:
    """Return the first day that stays where `keep_months` whole months before this one do.

    Raises `RetentionError` for less than `LEAST_MONTHS`.
    """
    if keep_months < LEAST_MONTHS:
        raise RetentionError(
            f"{keep_months} months are too few: steps that count a year's use, corrections and"
            f" meters that report late need {LEAST_MONTHS} months of readings; keep at least those"
        )
    months = today.year * 12 + today.month - 1 - keep_months
    return date(months // 12, months % 12 + 1, 1)


def expire(archive: SqlArchive, before: date) -> Expired:
    """Delete the readings of UTC days before `before`, a day a transaction.

    `before` is what `cutoff` returned. Raises `ArchiveUnavailableError`; what is deleted until
    then stays deleted, and the call may be repeated.
    """
    limit = day_number(before)
    with archive.transaction() as connection:
        kept = _last_good_days(connection, limit)
    days = readings = 0
    after = day_number(date.min) - 1
    while (day := _next_day(archive, after, limit)) is not None:
        with archive.transaction(writing=True) as connection:
            gone = _delete_day(connection, day, kept.get(day, set()))
        days += gone > 0
        readings += gone
        after = day
    return Expired(days, readings, sum(map(len, kept.values())))


def _last_good_days(connection: Connection, limit: int) -> dict[int, set[int]]:
    """Return day → series whose last good reading is of that day, before `limit`."""
    held = history.first_and_last_second(connection)
    edge_s = limit * DAY_S
    if held is None or held[0] >= edge_s:
        return {}
    ids = set(queries.all_series_ids(connection).values())
    reporting = history.nearest(
        connection, ids, first_s=edge_s, last_s=held[1], newest=True, only_good=True
    )
    silent = history.nearest(
        connection,
        ids - reporting.keys(),
        first_s=held[0],
        last_s=edge_s - 1,
        newest=True,
        only_good=True,
    )
    kept: dict[int, set[int]] = {}
    for series, row in silent.items():
        kept.setdefault(row.time // DAY_S, set()).add(series)
    return kept


def _next_day(archive: SqlArchive, after: int, limit: int) -> int | None:
    hours = select(func.min(READING.c.hour)).where(READING.c.hour >= (after + 1) * _DAY_H)
    days = select(func.min(CHUNK.c.day)).where(CHUNK.c.day > after)
    with archive.transaction() as connection:
        hour = connection.execute(hours).scalar()
        day = connection.execute(days).scalar()
    found = [*([] if hour is None else [hour // _DAY_H]), *([] if day is None else [day])]
    return min(found) if found and min(found) < limit else None


def _delete_day(connection: Connection, day: int, kept: set[int]) -> int:
    chunks = (CHUNK.c.day == day, *_but_not(CHUNK, kept))
    hours = READING.c.hour.between(day * _DAY_H, (day + 1) * _DAY_H - 1)
    counted = select(func.sum(CHUNK.c.readings)).where(*chunks)
    in_chunks: int = connection.execute(counted).scalar() or 0
    connection.execute(delete(CHUNK).where(*chunks))
    in_rows = connection.execute(delete(READING).where(hours, *_but_not(READING, kept))).rowcount
    return in_chunks + in_rows


def _but_not(table: Table, kept: set[int]) -> list[ColumnElement[bool]]:
    return [table.c.series.not_in(sorted(kept))] if kept else []
