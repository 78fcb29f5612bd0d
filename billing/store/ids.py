"""Insert one row and return its id, on every database."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Insert, Table


def insert(connection: Connection, table: Table, **values: Any) -> int:
    """Insert one row into `table` and return the id that the database gave it."""
    result = connection.execute(into(table), values)
    (row_id,) = result.inserted_primary_key or (None,)
    if row_id is None:
        raise RuntimeError(f"the database gave no id for a row of {table.name}")
    return int(row_id)


@cache
def into(table: Table) -> Insert:
    """Return the statement that inserts into `table`: made once, whatever the row."""
    return table.insert()
