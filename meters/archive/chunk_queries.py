"""Questions to the chunks of closed days: found by day and series, unpacked only where needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from meters.archive.chunk import Chunk
from meters.archive.queries import SOUGHT_MAX, counted_in, parts
from meters.archive.rows import DAY_S, Row
from meters.archive.tables import CHUNK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sqlalchemy import Connection

# Days that one statement fetches for many series at once: bounded, for the sake of memory.
_DAYS_AT_ONCE = 8


def first_and_last_day(connection: Connection) -> tuple[int, int] | None:
    """Return the first and the last day that has chunks, as days since 1970."""
    first = connection.execute(select(func.min(CHUNK.c.day))).scalar()
    last = connection.execute(select(func.max(CHUNK.c.day))).scalar()
    return None if first is None or last is None else (first, last)


def last_day(connection: Connection) -> int | None:
    """Return the last day that has chunks."""
    # asked for each batch of readings that comes in: in its shortest form
    day: int | None = connection.exec_driver_sql("SELECT max(day) FROM chunk").scalar()
    return day


def span(connection: Connection, series_id: int, first_s: int, last_s: int) -> Iterator[Row]:
    """Yield the chunked rows of one series with `first_s <= time <= last_s`, oldest first."""
    days = range(first_s // DAY_S, last_s // DAY_S + 1)
    for part in parts(days):
        question = (
            select(CHUNK.c.body)
            .where(counted_in(connection, CHUNK.c.day, part), CHUNK.c.series == series_id)
            .order_by(CHUNK.c.day)
        )
        for (body,) in connection.execute(question):
            yield from Chunk(series_id, body).rows(first_s, last_s)


def kept(connection: Connection, rows: Iterable[Row], last: int) -> dict[tuple[int, int], Row]:
    """Return what chunks up to the day `last` hold under the identities of `rows`."""
    wanted: dict[int, dict[int, set[int]]] = {}
    for row in rows:
        if (day := row.time // DAY_S) <= last:
            wanted.setdefault(day, {}).setdefault(row.series, set()).add(row.time)
    found = {}
    for day, times in wanted.items():
        for chunk in _of_day(connection, day, times):
            for time in times[chunk.series]:
                for row in chunk.rows(time, time):
                    found[row.identity] = row
    return found


def _of_day(connection: Connection, day: int, ids: Collection[int]) -> Iterator[Chunk]:
    for part in parts(sorted(ids)):
        question = select(CHUNK.c.series, CHUNK.c.body).where(
            CHUNK.c.day == day, CHUNK.c.series.in_(part)
        )
        for series, body in connection.execute(question):
            yield Chunk(series, body)


def nearest(
    connection: Connection,
    ids: Iterable[int],
    *,
    first_s: int,
    last_s: int,
    newest: bool,
    only_good: bool,
) -> dict[int, Row]:
    """Return the newest (or oldest) chunked row in `first_s <= time <= last_s` of each series."""
    found: dict[int, Row] = {}
    missing = set(ids)
    for days in _spans(first_s // DAY_S, last_s // DAY_S, backwards=newest):
        if not missing:
            break
        few = len(missing) <= SOUGHT_MAX
        question = select(CHUNK.c.series, CHUNK.c.body).order_by(
            CHUNK.c.day.desc() if newest else CHUNK.c.day
        )
        if few:
            within = counted_in(connection, CHUNK.c.day, days)
            question = question.where(within, CHUNK.c.series.in_(sorted(missing)))
        else:
            question = question.where(CHUNK.c.day.between(days[0], days[-1]))
        for series, body in connection.execute(question):
            if series in missing:
                row = Chunk(series, body).nearest(
                    first_s, last_s, newest=newest, only_good=only_good
                )
                if row is not None:
                    found[series] = row
                    missing.discard(series)
    return found


def _spans(first: int, last: int, *, backwards: bool) -> Iterator[range]:
    """Yield adjoining spans of days, from the wanted end on, the first ones short."""
    width = 1
    while first <= last:
        if backwards:
            begin = max(first, last - width + 1)
            yield range(begin, last + 1)
            last = begin - 1
        else:
            end = min(last, first + width - 1)
            yield range(first, end + 1)
            first = end + 1
        width = min(2 * width, _DAYS_AT_ONCE)
