"""What the archive holds of a series, in rows and in chunks, asked as if it were one.

Rows are asked before chunks: a day that is closed meanwhile, by another process, is then seen
twice and taken once, and never missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meters.archive import chunk_queries, queries
from meters.archive.rows import DAY_S, HOUR_S, Row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy import Connection

# Meters that report each quarter of an hour are all found at the first look; each next is wider.
_FIRST_LOOK_H = 2
_WIDENING = 24
_WIDEST_LOOK_H = 8192


def first_and_last_second(connection: Connection) -> tuple[int, int] | None:
    """Return the span of the archive, widened to whole hours or days; None for an empty one."""
    ends = queries.first_and_last_hour(connection)
    spans = [] if ends is None else [(ends[0] * HOUR_S, (ends[1] + 1) * HOUR_S - 1)]
    days = chunk_queries.first_and_last_day(connection)
    spans += [] if days is None else [(days[0] * DAY_S, (days[1] + 1) * DAY_S - 1)]
    return (min(spans)[0], max(last for _, last in spans)) if spans else None


def span(connection: Connection, series_id: int, first_s: int, last_s: int) -> list[Row]:
    """Return the rows of one series with `first_s <= time <= last_s`, oldest first."""
    rows = {row.time: row for row in queries.span(connection, series_id, first_s, last_s)}
    clipped = _clipped(connection, first_s, last_s)
    if clipped is None:
        return list(rows.values())
    chunked = chunk_queries.span(connection, series_id, *clipped)
    rows |= {row.time: row for row in chunked}
    return [rows[time] for time in sorted(rows)]


def nearest(
    connection: Connection,
    ids: Collection[int],
    *,
    first_s: int,
    last_s: int,
    newest: bool,
    only_good: bool,
) -> dict[int, Row]:
    """Return the newest (or oldest) row in `first_s <= time <= last_s` of each series that has any.

    The look begins at the wanted end and widens for the series that it has not found: one
    statement for any number of series where all of them report regularly.
    """
    found = _in_rows(
        connection, ids, first_s=first_s, last_s=last_s, newest=newest, only_good=only_good
    )
    if clipped := _clipped(connection, first_s, last_s):
        chunked = chunk_queries.nearest(
            connection,
            _open(ids, found, clipped, newest=newest),
            first_s=clipped[0],
            last_s=clipped[1],
            newest=newest,
            only_good=only_good,
        )
        _merge(found, chunked, newest=newest)
    return found


def around(
    connection: Connection, ids: Collection[int], *, first_s: int, at_s: int, last_s: int
) -> tuple[dict[int, Row], dict[int, Row]]:
    """Return each series' good rows next to an instant: the last at or before it, the first after.

    Nothing before `first_s` or after `last_s` counts.
    """
    before = _in_rows(connection, ids, first_s=first_s, last_s=at_s, newest=True, only_good=True)
    after = _in_rows(connection, ids, first_s=at_s + 1, last_s=last_s, newest=False, only_good=True)
    if clipped := _clipped(connection, first_s, last_s):
        ids_open = _open(ids, before, clipped, newest=True) | _open(
            ids, after, clipped, newest=False
        )
        early, late = chunk_queries.around(
            connection, ids_open, first_s=clipped[0], at_s=at_s, last_s=clipped[1]
        )
        _merge(before, early, newest=True)
        _merge(after, late, newest=False)
    return before, after


def _in_rows(
    connection: Connection,
    ids: Collection[int],
    *,
    first_s: int,
    last_s: int,
    newest: bool,
    only_good: bool,
) -> dict[int, Row]:
    ends = queries.first_and_last_hour(connection)
    if ends is None:
        return {}
    first_s, last_s = max(first_s, ends[0] * HOUR_S), min(last_s, (ends[1] + 1) * HOUR_S - 1)
    found: dict[int, Row] = {}
    missing = set(ids)
    for begin_s, end_s in _looks(first_s, last_s, backwards=newest):
        if not missing:
            break
        found |= queries.nearest(
            connection,
            missing,
            first_s=begin_s,
            last_s=end_s,
            newest=newest,
            only_good=only_good,
        )
        missing -= found.keys()
    return found


def _open(
    ids: Collection[int], found: Mapping[int, Row], chunked: tuple[int, int], *, newest: bool
) -> set[int]:
    """Return the series of which the span with chunks may hold something nearer than `found`."""
    if newest:
        return {one for one in ids if one not in found or found[one].time <= chunked[1]}
    return {one for one in ids if one not in found or found[one].time >= chunked[0]}


def _merge(found: dict[int, Row], chunked: Mapping[int, Row], *, newest: bool) -> None:
    for number, row in chunked.items():
        rival = found.get(number)
        if rival is None or (row.time >= rival.time) is newest:
            found[number] = row


def _clipped(connection: Connection, first_s: int, last_s: int) -> tuple[int, int] | None:
    """Return the part of the span that chunks can answer for."""
    days = chunk_queries.first_and_last_day(connection)
    if days is None:
        return None
    first_s, last_s = max(first_s, days[0] * DAY_S), min(last_s, (days[1] + 1) * DAY_S - 1)
    return (first_s, last_s) if first_s <= last_s else None


def _looks(first_s: int, last_s: int, *, backwards: bool) -> Iterator[tuple[int, int]]:
    """Yield adjoining spans of seconds, from the wanted end on, each wider than the one before."""
    width_h = _FIRST_LOOK_H
    while first_s <= last_s:
        if backwards:
            begin_s = max(first_s, (last_s // HOUR_S - width_h + 1) * HOUR_S)
            yield begin_s, last_s
            last_s = begin_s - 1
        else:
            end_s = min(last_s, (first_s // HOUR_S + width_h) * HOUR_S - 1)
            yield first_s, end_s
            first_s = end_s + 1
        width_h = min(width_h * _WIDENING, _WIDEST_LOOK_H)
