"""Insert many rows at once, past what SQLAlchemy does for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Dialect, Table

    Processor = Callable[[Any], Any]


def insert_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Insert `rows`, each the values of `columns` in their order, into `table`."""
    if not rows:
        return
    dialect = connection.dialect
    statement = insert(table).inline().compile(dialect=dialect, column_keys=columns)
    if list(statement.positiontup or ()) != list(columns):
        raise RuntimeError(f"{dialect.name} does not take the columns of {table.name} in order")
    processors = [_processor(table, name, dialect) for name in columns]
    if any(processors):
        rows = [
            tuple(
                value if process is None else process(value)
                for process, value in zip(processors, row, strict=True)
            )
            for row in rows
        ]
    connection.exec_driver_sql(str(statement), rows)


def _processor(table: Table, column: str, dialect: Dialect) -> Processor | None:
    """Return what a column's type does to a value before the driver gets it, if anything."""
    return table.c[column].type.dialect_impl(dialect).bind_processor(dialect)
