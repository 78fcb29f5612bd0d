"""Write and read many rows at once, in columns, past what SQLAlchemy does for each of them.

SQLite takes them by `executemany` of some rows each, PostgreSQL by COPY, whose text is made a
column at a time: what a value looks like is asked of its column, what needs escaping is looked for
once. What is read comes as the driver of SQLite gives it, and from PostgreSQL as one JSON list a
column, because its driver, which is Python, would take each value by itself.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Date, Text, cast, func, insert, select
from sqlalchemy.exc import DBAPIError

from billing.canonical import read_json
from billing.columns import Instant
from billing.scoping import beyond

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Column, Connection, Dialect, Select, Table
    from sqlalchemy.types import TypeEngine

BLOCK = 2048
"""Rows that are sent to PostgreSQL in one piece."""
AT_ONCE = 50
"""Rows of one INSERT on SQLite: what it costs to run a statement is shared by them."""
NULL = r"\N"
STATEMENTS_KEPT = 256

_SPECIAL = "\\\t\n\r"
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def insert_rows(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
) -> None:
    """Insert `rows`, each the values of the columns `names` in their order, into `table`."""
    if columns := list(zip(*rows, strict=True)):
        insert_columns(connection, table, dict(zip(names, columns, strict=True)))


def insert_columns(
    connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]
) -> None:
    """Insert into `table` the rows whose values `columns` hold, each as long as the others."""
    if not any(columns.values()):
        return
    if connection.dialect.name == "postgresql":
        with beyond(connection):  # COPY asks no policies; what is written was read within them
            _copy(connection, table, columns)
    else:
        _execute_many(connection, table, columns)


def select_rows(connection: Connection, query: Select[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of `query`, in its order: times in UTC, dates, truth, numbers and texts."""
    types = [column.type for column in query.selected_columns]
    columns = _json_columns if connection.dialect.name == "postgresql" else _raw_columns
    found = columns(connection, query)
    return zip(*map(_values, types, found), strict=True)


def select_texts(connection: Connection, query: Select[tuple[str]]) -> Iterator[str]:
    """Yield the one text of each row of `query`, in its order, as the driver gives it."""
    with connection.execute(query) as result:
        cursor: Any = result.cursor
        for (text,) in cursor:
            yield text


def _raw_columns(connection: Connection, query: Select[Any]) -> Iterable[Sequence[Any]]:
    with connection.execute(query) as result:
        cursor: Any = result.cursor
        return list(zip(*cursor.fetchall(), strict=True))


def _json_columns(connection: Connection, query: Select[Any]) -> Iterable[Sequence[Any]]:
    rows = query.subquery()
    lists = select(*(cast(func.json_agg(column), Text) for column in rows.columns))
    return [[] if text is None else read_json(text) for text in connection.execute(lists).one()]


def _values(kind: TypeEngine[Any], column: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a column as its table has them; texts of the same one, once."""
    match kind:
        case Instant():
            read: Callable[[Any], Any] = _instant
        case Date():
            read = date.fromisoformat
        case Boolean():
            read = bool
        case _:
            return column
    made = {value: None if value is None else read(value) for value in set(column)}
    return [made[value] for value in column]


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _execute_many(
    connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]
) -> None:
    statement, processes = _insert(connection.dialect, table, tuple(columns))
    bound = [
        columns[name] if process is None else _each(columns[name], process)
        for name, process in processes
    ]
    rows = list(zip(*bound, strict=True))
    whole = len(rows) // AT_ONCE * AT_ONCE
    if whole:
        into, values, row = statement.partition(" VALUES ")
        of_some = into + values + ", ".join([row] * AT_ONCE)
        starts = range(0, whole, AT_ONCE)
        some = [tuple(chain.from_iterable(rows[start : start + AT_ONCE])) for start in starts]
        connection.exec_driver_sql(of_some, some)
    if whole < len(rows):
        connection.exec_driver_sql(statement, rows[whole:])


@lru_cache(maxsize=STATEMENTS_KEPT)
def _insert(
    dialect: Dialect, table: Table, names: tuple[str, ...]
) -> tuple[str, list[tuple[str, Callable[[Any], Any] | None]]]:
    """Return what inserts the columns `names`, and how each is bound, in its order."""
    statement = insert(table).inline().compile(dialect=dialect, column_keys=list(names))
    return str(statement), [
        (name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect))
        for name in statement.positiontup or ()
    ]


def _each(values: Sequence[Any], process: Callable[[Any], Any]) -> list[Any]:
    """Return what `process` makes of each value; of the same one, once: times repeat."""
    made = {value: process(value) for value in set(values)}
    return [made[value] for value in values]


def _copy(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(map(quote, columns))
    statement = f"COPY {quote(table.name)} ({names}) FROM STDIN"
    texts = [_texts(table.c[name], values) for name, values in columns.items()]
    cursor: Any = connection.connection.cursor()
    try:
        cursor.execute(statement, stream=_blocks(texts))  # a parameter that only pg8000 has
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(statement, None, error) from error
    finally:
        cursor.close()


def _blocks(texts: Sequence[Sequence[str]]) -> Iterator[str]:
    rows = map("\t".join, zip(*texts, strict=True))
    while block := list(islice(rows, BLOCK)):
        yield "\n".join(block) + "\n"


def _texts(column: Column[Any], values: Sequence[Any]) -> Sequence[str]:
    """Return `values` as COPY reads them (PostgreSQL's manual, COPY, "Text Format")."""
    if None not in values:
        return _written(column, values)
    there = iter(_written(column, [value for value in values if value is not None]))
    return [NULL if value is None else next(there) for value in values]


def _written(column: Column[Any], values: Sequence[Any]) -> Sequence[str]:
    match values[0] if values else None:
        case bool():
            return ["t" if value else "f" for value in values]
        case int():
            return list(map(int.__repr__, values))
        case str():
            return _escaped(values)
        case bytes():
            return ["\\\\x" + value.hex() for value in values]
        case datetime() if any(value.tzinfo is None for value in values):
            raise ValueError(f"{column} is given a time that has no time zone")
        case _:
            return _each(values, str)


def _escaped(values: Sequence[str]) -> Sequence[str]:
    whole = "".join(values)
    if any(special in whole for special in _SPECIAL):
        return [value.translate(_ESCAPES) for value in values]
    return values
