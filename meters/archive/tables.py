"""The tables of the SQL archive, and how a database comes to have them.

The key of `reading` begins with the hour: rows arrive almost in key order, so that writing stays
fast, and one series' readings lie together within each hour, so that a month of one meter is 744
short seeks instead of a scan of every meter's month. A day that is closed moves from `reading` to
`chunk`: one block a series and day, in the order in which days are closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEMA_VERSION = 2
_WITHOUT_CHUNKS = 1

_METADATA = MetaData()

SERIES = Table(
    "series",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("meter", Text, nullable=False),
    Column("register", Text, nullable=False),
    UniqueConstraint("meter", "register"),
)

# No foreign key to `series`: it would be checked row by row, and ids come from nowhere else.
READING = Table(
    "reading",
    _METADATA,
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("time", BigInteger, primary_key=True, autoincrement=False),
    Column("value", BigInteger),
    Column("verdict", SmallInteger, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("raw", Text, nullable=False),
    sqlite_with_rowid=False,
)

CHUNK = Table(
    "chunk",
    _METADATA,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("readings", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

_VERSION = Table(
    "archive_schema",
    _METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)


class ArchiveSchemaError(RuntimeError):
    """The database holds an archive that this version of the software does not know."""


def prepare(connection: Connection) -> None:
    """Create what is missing, in an older archive too.

    The caller holds the right to do so alone until it commits.

    Raises `ArchiveSchemaError` if the database was made by a newer version.
    """
    _VERSION.create(connection, checkfirst=True)
    version = connection.execute(select(_VERSION.c.version)).scalar()
    if version is None:
        connection.execute(insert(_VERSION).values(id=1, version=SCHEMA_VERSION))
    elif version == _WITHOUT_CHUNKS:
        connection.execute(update(_VERSION).values(version=SCHEMA_VERSION))
    elif version != SCHEMA_VERSION:
        where = connection.engine.url.render_as_string(hide_password=True)
        raise ArchiveSchemaError(
            f"the archive at {where} has schema version {version}, this software knows"
            f" {SCHEMA_VERSION}: upgrade the software, or name another archive"
        )
    _METADATA.create_all(connection)
