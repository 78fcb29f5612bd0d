"""What an SQL archive holds and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from meters.archive import history
from meters.archive.rows import EPOCH
from meters.archive.tables import CHUNK, READING, SERIES

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from meters.archive.sql import SqlArchive


@dataclass(frozen=True, slots=True)
class Stock:
    """What is held: series, readings as rows and in chunks, from when to when, bytes on disk.

    `first` and `last` are whole hours or days around the readings, None where there are none.
    `free_bytes` are inside the file, for what comes; PostgreSQL does not tell them.
    """

    series: int
    rows: int
    chunks: int
    chunked: int
    first: datetime | None
    last: datetime | None
    bytes: int
    free_bytes: int | None

    @property
    def readings(self) -> int:
        return self.rows + self.chunked


def take_stock(archive: SqlArchive) -> Stock:
    """Return what `archive` holds; it counts rows one by one, which takes a while."""
    with archive.transaction() as connection:
        held = history.first_and_last_second(connection)
        chunks, chunked = connection.execute(
            select(func.count(), func.coalesce(func.sum(CHUNK.c.readings), 0)).select_from(CHUNK)
        ).one()
        size, free = _size(connection)
        return Stock(
            series=connection.execute(select(func.count()).select_from(SERIES)).scalar_one(),
            rows=connection.execute(select(func.count()).select_from(READING)).scalar_one(),
            chunks=chunks,
            chunked=int(chunked),
            first=None if held is None else EPOCH + timedelta(seconds=held[0]),
            last=None if held is None else EPOCH + timedelta(seconds=held[1] + 1),
            bytes=size,
            free_bytes=free,
        )


def _size(connection: Connection) -> tuple[int, int | None]:
    if connection.dialect.name == "sqlite":
        page, pages, free = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_size", "page_count", "freelist_count")
        )
        return page * pages, page * free
    tables = (SERIES, READING, CHUNK)
    each = " + ".join(f"pg_total_relation_size('{table.name}')" for table in tables)
    return int(connection.execute(text(f"SELECT {each}")).scalar_one()), None
