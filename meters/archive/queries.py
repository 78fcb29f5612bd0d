"""Questions to the archive's tables, asked so that the cost follows the answer, not the history."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar, overload

from sqlalchemy import func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from meters.archive.rows import HOUR_S, Row
from meters.archive.tables import READING, SERIES
from meters.reading import Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection

_Item = TypeVar("_Item")

# What one statement may list: SQLite allows 32,766 parameters, PostgreSQL's protocol 65,535.
_LISTED_MAX = 8192
# Up to this many series are sought one by one in each hour; for more, whole hours are scanned.
_SOUGHT_MAX = 500
# Meters that report each quarter of an hour are all found at the first look; each next is wider.
_FIRST_LOOK_H = 2
_WIDENING = 24


def series_ids(connection: Connection, meters: Collection[str]) -> dict[Series, int]:
    """Return the ids of all series of `meters` that the archive knows."""
    columns = select(SERIES.c.meter, SERIES.c.register, SERIES.c.id)
    return {
        Series(meter, register): number
        for part in _parts(sorted(meters))
        for meter, register, number in connection.execute(columns.where(SERIES.c.meter.in_(part)))
    }


def all_series_ids(connection: Connection) -> dict[Series, int]:
    """Return the ids of all series that the archive knows."""
    columns = select(SERIES.c.meter, SERIES.c.register, SERIES.c.id)
    return {
        Series(meter, register): number for meter, register, number in connection.execute(columns)
    }


def add_series(connection: Connection, series: Collection[Series]) -> None:
    """Give an id to those of `series` that have none."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for part in _parts(sorted(series)):
        rows = [one._asdict() for one in part]
        connection.execute(insert(SERIES).values(rows).on_conflict_do_nothing())


def first_and_last_second(connection: Connection) -> tuple[int, int] | None:
    """Return the span of the archive, widened to whole hours; None for an empty one."""
    # Two questions: a single one for both ends would scan all of SQLite's key.
    first = connection.execute(select(func.min(READING.c.hour))).scalar()
    last = connection.execute(select(func.max(READING.c.hour))).scalar()
    if first is None or last is None:
        return None
    return first * HOUR_S, (last + 1) * HOUR_S - 1


def span(connection: Connection, series_id: int, first_s: int, last_s: int) -> Iterator[Row]:
    """Yield the rows of one series with `first_s <= time <= last_s`, oldest first."""
    hours = range(first_s // HOUR_S, last_s // HOUR_S + 1)
    for part in _parts(hours):
        question = (
            select(READING)
            .where(
                _hour_in(connection, part),
                READING.c.series == series_id,
                READING.c.time.between(first_s, last_s),
            )
            .order_by(READING.c.hour, READING.c.time)
        )
        yield from map(Row._make, connection.execute(question))


def stored_rows(connection: Connection, rows: Iterable[Row]) -> dict[tuple[int, int], Row]:
    """Return what is stored under the identities of `rows` (and maybe near them)."""
    offered: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        offered[row.hour].append(row)
    found: dict[tuple[int, int], Row] = {}
    for hour, members in offered.items():
        times = [row.time for row in members]
        for part in _parts(sorted({row.series for row in members})):
            question = select(READING).where(
                READING.c.hour == hour,
                READING.c.series.in_(part),
                READING.c.time.between(min(times), max(times)),
            )
            found.update(
                (row.identity, row) for row in map(Row._make, connection.execute(question))
            )
    return found


def nearest(
    connection: Connection,
    ids: Iterable[int],
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
    found: dict[int, Row] = {}
    missing = set(ids)
    for begin_s, end_s in _looks(first_s, last_s, backwards=newest):
        if not missing:
            break
        conditions = _within(connection, begin_s, end_s, missing)
        if only_good:
            conditions.append(READING.c.verdict == int(Verdict.GOOD))
        pick = func.max if newest else func.min
        edge = (
            select(
                READING.c.series,
                pick(READING.c.hour).label("hour"),
                pick(READING.c.time).label("time"),
            )
            .where(*conditions)
            .group_by(READING.c.series)
            .subquery()
        )
        question = (
            select(READING)
            .join(
                edge,
                (READING.c.hour == edge.c.hour)
                & (READING.c.series == edge.c.series)
                & (READING.c.time == edge.c.time),
            )
            .where(READING.c.hour.between(begin_s // HOUR_S, end_s // HOUR_S))
        )
        for row in map(Row._make, connection.execute(question)):
            if row.series in missing:
                found[row.series] = row
        missing -= found.keys()
    return found


def _within(
    connection: Connection, begin_s: int, end_s: int, ids: Collection[int]
) -> list[ColumnElement[bool]]:
    hours = range(begin_s // HOUR_S, end_s // HOUR_S + 1)
    seconds = READING.c.time.between(begin_s, end_s)
    if len(ids) > _SOUGHT_MAX:
        return [READING.c.hour.between(hours[0], hours[-1]), seconds]
    return [_hour_in(connection, hours), READING.c.series.in_(sorted(ids)), seconds]


def _hour_in(connection: Connection, hours: range) -> ColumnElement[bool]:
    """Say `hour IN (…)` so that each hour becomes a seek of the key; a range would be a scan.

    The database counts the hours itself: a year's would be 8,784 parameters.
    """
    if connection.dialect.name == "sqlite":
        counted = select(literal(hours[0]).label("hour")).cte("counted", recursive=True)
        following = select(counted.c.hour + 1).where(counted.c.hour < hours[-1])
        return READING.c.hour.in_(select(counted.union_all(following).c.hour))
    counting = select(func.generate_series(hours[0], hours[-1])).scalar_subquery()
    return READING.c.hour == func.any(func.array(counting))


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
        width_h = min(width_h * _WIDENING, _LISTED_MAX)


@overload
def _parts(items: range) -> Iterator[range]: ...
@overload
def _parts(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]: ...
def _parts(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), _LISTED_MAX):
        yield items[start : start + _LISTED_MAX]
