"""Questions to the chunks of closed days: found by day and series, unpacked only where needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import func, select

from meters.archive.chunk import Chunks
from meters.archive.queries import SOUGHT_MAX, counted_in, parts
from meters.archive.rows import DAY_S
from meters.archive.tables import CHUNK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sqlalchemy import ColumnElement, Connection

    from meters.archive.chunk import Flags
    from meters.archive.rows import Row

# Days that one statement fetches for many series at once: bounded, for the sake of memory.
_DAYS_AT_ONCE = 8
# Chunks whose columns are unpacked together: a quarter-hourly day is 1 KB a column.
_UNPACKED_AT_ONCE = 2048


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
    for days in parts(range(first_s // DAY_S, last_s // DAY_S + 1)):
        within = counted_in(connection, CHUNK.c.day, days)
        for chunks in _chunks(connection, within, CHUNK.c.series == series_id):
            yield from chunks.rows(np.flatnonzero(_between(chunks, first_s, last_s)))


def kept(connection: Connection, rows: Iterable[Row], last: int) -> dict[tuple[int, int], Row]:
    """Return what chunks up to the day `last` hold under the identities of `rows`."""
    wanted: dict[int, list[Row]] = {}
    for row in rows:
        if (day := row.time // DAY_S) <= last:
            wanted.setdefault(day, []).append(row)
    found = {}
    for day, members in wanted.items():
        identities = {row.identity for row in members}
        times = np.array([row.time for row in members])
        for part in parts(sorted({row.series for row in members})):
            for chunks in _chunks(connection, CHUNK.c.day == day, CHUNK.c.series.in_(part)):
                for row in chunks.rows(np.flatnonzero(np.isin(chunks.times, times))):
                    if row.identity in identities:
                        found[row.identity] = row
    return found


def around(
    connection: Connection, ids: Collection[int], *, first_s: int, at_s: int, last_s: int
) -> tuple[dict[int, Row], dict[int, Row]]:
    """Return each series' good chunked rows next to an instant: the last at it, the first after.

    The day of the instant is unpacked once for both; other days where it has not told.
    """
    before: dict[int, Row] = {}
    after: dict[int, Row] = {}
    midnight_s = at_s // DAY_S * DAY_S
    for chunks in of_days(connection, range(at_s // DAY_S, at_s // DAY_S + 1), ids):
        early = chunks.last_in_each(_between(chunks, first_s, at_s) & chunks.good)
        late = chunks.first_in_each(_between(chunks, at_s + 1, last_s) & chunks.good)
        before |= {row.series: row for row in chunks.rows(early)}
        after |= {row.series: row for row in chunks.rows(late)}
    before |= nearest(
        connection,
        [one for one in ids if one not in before],
        first_s=first_s,
        last_s=min(at_s, midnight_s - 1),
        newest=True,
        only_good=True,
    )
    after |= nearest(
        connection,
        [one for one in ids if one not in after],
        first_s=max(at_s + 1, midnight_s + DAY_S),
        last_s=last_s,
        newest=False,
        only_good=True,
    )
    return before, after


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
        if not missing or first_s > last_s:
            break
        for chunks in of_days(connection, days, missing):
            wanted = _between(chunks, first_s, last_s)
            if only_good:
                wanted &= chunks.good
            each = chunks.last_in_each(wanted) if newest else chunks.first_in_each(wanted)
            for row in chunks.rows(each):
                rival = found.get(row.series)
                if rival is None or (row.time > rival.time) is newest:
                    found[row.series] = row
        missing -= found.keys()
    return found


def _between(chunks: Chunks, first_s: int, last_s: int) -> Flags:
    return (chunks.times >= first_s) & (chunks.times <= last_s)


def of_days(connection: Connection, days: range, ids: Collection[int]) -> Iterator[Chunks]:
    """Yield the chunks of these series; so many at a time that they take little memory."""
    if len(ids) <= SOUGHT_MAX:
        within = counted_in(connection, CHUNK.c.day, days)
        yield from _chunks(connection, within, CHUNK.c.series.in_(sorted(ids)))
    else:
        within = CHUNK.c.day.between(days[0], days[-1])
        yield from _chunks(connection, within, wanted=frozenset(ids))


def _chunks(
    connection: Connection, *where: ColumnElement[bool], wanted: Collection[int] | None = None
) -> Iterator[Chunks]:
    question = select(CHUNK.c.series, CHUNK.c.body).where(*where)
    question = question.order_by(CHUNK.c.day, CHUNK.c.series)
    for part in connection.execute(question).partitions(_UNPACKED_AT_ONCE):
        asked = part if wanted is None else [one for one in part if one[0] in wanted]
        if asked:
            yield Chunks(*zip(*asked, strict=True))


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
