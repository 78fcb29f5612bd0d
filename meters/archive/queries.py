"""Questions to the archive's tables, asked so that the cost follows the answer, not the history."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar, overload

from sqlalchemy import bindparam, delete, func, literal, select
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
SOUGHT_MAX = 500


def series_ids(connection: Connection, meters: Collection[str]) -> dict[Series, int]:
    """Return the ids of all series of `meters` that the archive knows."""
    columns = select(SERIES.c.meter, SERIES.c.register, SERIES.c.id)
    return {
        Series(meter, register): number
        for part in parts(sorted(meters))
        for meter, register, number in connection.execute(
            columns.where(SERIES.c.meter.in_(part))
        ).all()
    }


def all_series_ids(connection: Connection) -> dict[Series, int]:
    """Return the ids of all series that the archive knows."""
    columns = select(SERIES.c.meter, SERIES.c.register, SERIES.c.id)
    return {
        Series(meter, register): number for meter, register, number in connection.execute(columns)
    }


def greatest_series_id(connection: Connection) -> int:
    """Return the greatest id of a series; ids leave hardly any gap. 0 where there is none."""
    return connection.execute(select(func.max(SERIES.c.id))).scalar() or 0


def add_series(connection: Connection, series: Collection[Series]) -> None:
    """Give an id to those of `series` that have none."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for part in parts(sorted(series)):
        rows = [one._asdict() for one in part]
        connection.execute(insert(SERIES).values(rows).on_conflict_do_nothing())


def first_and_last_hour(connection: Connection) -> tuple[int, int] | None:
    """Return the first and the last hour that has rows; None where there is no row."""
    # Two questions: a single one for both ends would scan all of SQLite's key.
    first = connection.execute(select(func.min(READING.c.hour))).scalar()
    last = connection.execute(select(func.max(READING.c.hour))).scalar()
    return None if first is None or last is None else (first, last)


def span(connection: Connection, series_id: int, first_s: int, last_s: int) -> Iterator[Row]:
    """Yield the rows of one series with `first_s <= time <= last_s`, oldest first."""
    hours = range(first_s // HOUR_S, last_s // HOUR_S + 1)
    for part in parts(hours):
        question = (
            select(READING)
            .where(
                counted_in(connection, READING.c.hour, part),
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
        for part in parts(sorted({row.series for row in members})):
            question = select(READING).where(
                READING.c.hour == hour,
                READING.c.series.in_(part),
                READING.c.time.between(min(times), max(times)),
            )
            found.update(
                (row.identity, row) for row in map(Row._make, connection.execute(question))
            )
    return found


def delete_rows(connection: Connection, rows: Iterable[Row]) -> None:
    """Delete the rows that have the identities of `rows`."""
    one = delete(READING).where(
        READING.c.hour == bindparam("h"),
        READING.c.series == bindparam("s"),
        READING.c.time == bindparam("t"),
    )
    connection.execute(one, [{"h": row.hour, "s": row.series, "t": row.time} for row in rows])


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

    One statement; its cost grows with the span, not with the history.
    """
    conditions = within(connection, first_s, last_s, ids)
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
        .where(READING.c.hour.between(first_s // HOUR_S, last_s // HOUR_S))
    )
    wanted = frozenset(ids)
    rows = map(Row._make, connection.execute(question).all())
    return {row.series: row for row in rows if row.series in wanted}


def within(
    connection: Connection, begin_s: int, end_s: int, ids: Collection[int]
) -> list[ColumnElement[bool]]:
    """Say when and of which series; for many series others answer too."""
    hours = range(begin_s // HOUR_S, end_s // HOUR_S + 1)
    seconds = READING.c.time.between(begin_s, end_s)
    if len(ids) > SOUGHT_MAX:
        return [READING.c.hour.between(hours[0], hours[-1]), seconds]
    return [
        counted_in(connection, READING.c.hour, hours),
        READING.c.series.in_(sorted(ids)),
        seconds,
    ]


def counted_in(
    connection: Connection, column: ColumnElement[int], numbers: range
) -> ColumnElement[bool]:
    """Say `column IN (…)` so that each number becomes a seek of the key; a range would be a scan.

    The database counts them itself: a year's hours would be 8,784 parameters.
    """
    if connection.dialect.name == "sqlite":
        counted = select(literal(numbers[0]).label("number")).cte("counted", recursive=True)
        following = select(counted.c.number + 1).where(counted.c.number < numbers[-1])
        return column.in_(select(counted.union_all(following).c.number))
    counting = select(func.generate_series(numbers[0], numbers[-1])).scalar_subquery()
    return column == func.any(func.array(counting))


@overload
def parts(items: range) -> Iterator[range]: ...
@overload
def parts(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]: ...
def parts(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Yield slices of `items` that one statement can list."""
    for start in range(0, len(items), _LISTED_MAX):
        yield items[start : start + _LISTED_MAX]
