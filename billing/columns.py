"""What every table of billing is made with: one metadata, ids, references and UTC times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, MetaData, TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

FIRST = 1
"""The project of what was there before there were projects; a migration makes it."""
SCOPE = "project"
"""The execution option of a connection that says to which project it is kept."""

Identifier = BigInteger().with_variant(Integer, "sqlite")
"""64 bits everywhere; SQLite numbers rows by itself only under the name INTEGER."""


class Instant(TypeDecorator[datetime]):
    """An aware UTC time, also on databases that drop the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def own_id() -> Column[int]:
    return Column("id", Identifier, primary_key=True)


def refers_to(table: str, *, nullable: bool = False, index: bool = False) -> Column[int]:
    return Column(
        f"{table}_id", Identifier, ForeignKey(f"{table}.id"), nullable=nullable, index=index
    )


def of_project(*, nullable: bool = False) -> Column[int]:
    """Return the column that says whose a row is: its connection's, where nothing else is said."""
    return Column(
        "project_id",
        Identifier,
        ForeignKey("project.id"),
        nullable=nullable,
        index=True,
        default=_of_connection,
        server_default=str(FIRST),
    )


def _of_connection(context: Any) -> int:
    found: int = context.execution_options.get(SCOPE, FIRST)
    return found
