"""Tables of SQLite made anew: it cannot change a constraint of one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import op

if TYPE_CHECKING:
    from collections.abc import Mapping


def dropped_triggers() -> list[str]:
    """Drop every trigger and return how to make them: SQLite renames no table that one names."""
    if op.get_bind().dialect.name != "sqlite":
        return []
    found = op.get_bind().exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
    )
    triggers = [(str(name), str(sql)) for name, sql in found]
    for name, _ in triggers:
        op.execute(f'DROP TRIGGER "{name}"')
    return [sql for _, sql in triggers]


def rebuild(table: str, edits: Mapping[str, str]) -> None:
    """Make `table` of SQLite, which cannot change a constraint, anew with an edited definition."""
    bind = op.get_bind()
    sql, *indexes = bind.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
        " ORDER BY type = 'index', rowid",
        (table,),
    ).scalars()
    sql = sql.replace(f'"{table}"', table, 1)  # quoted, once it was made anew
    for old, new in {f"CREATE TABLE {table}": f"CREATE TABLE {table}_new", **edits}.items():
        if old not in sql:
            raise RuntimeError(f"{table} is not as the migrations before left it: no {old!r}")
        sql = sql.replace(old, new)
    columns = ", ".join(
        f'"{row[1]}"' for row in bind.exec_driver_sql(f"PRAGMA table_info({table})")
    )
    op.execute(sql)
    op.execute(f"INSERT INTO {table}_new ({columns}) SELECT {columns} FROM {table}")  # noqa: S608  names of ours
    op.execute(f"DROP TABLE {table}")
    op.execute(f"ALTER TABLE {table}_new RENAME TO {table}")
    for index in indexes:
        op.execute(index)
