"""Insert rows and return their ids, on every database."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Insert, Table
    from sqlalchemy.sql.dml import ReturningInsert


def insert(connection: Connection, table: Table, **values: Any) -> int:
    """Insert one row into `table` and return the id that the database gave it."""
    result = connection.execute(into(table), values)
    (row_id,) = result.inserted_primary_key or (None,)
    if row_id is None:
        raise RuntimeError(f"the database gave no id for a row of {table.name}")
    return int(row_id)


def insert_all(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Insert `rows`, of the same columns each, into `table`; return their ids in that order."""
    return [int(row_id) for row_id in connection.scalars(_numbering(table), rows)]


@cache
def _numbering(table: Table) -> ReturningInsert[Any]:
    return into(table).returning(table.c.id, sort_by_parameter_order=True)


@cache
def into(table: Table) -> Insert:
    """Return the statement that inserts into `table`: made once, whatever the row."""
    return table.insert()
