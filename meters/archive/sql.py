"""The SQL archive: SQLite as the embedded default, PostgreSQL through pg8000 in production.

A batch is one transaction, so what `append` has returned for is on disk. SQLite writes ahead with
`synchronous=FULL`: other processes read while one writes, and writers wait for one another.
PostgreSQL keeps this promise unless its own `synchronous_commit` or `fsync` is turned off.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.dialects import sqlite

from meters.archive import queries
from meters.archive.protocol import (
    BOUNDARY_WINDOW,
    Appended,
    ArchiveUnavailableError,
    ArchiveUrlError,
    Boundary,
    Conflict,
)
from meters.archive.rows import Row, ceil_seconds, decode, encode, floor_seconds
from meters.archive.tables import READING, prepare
from meters.archive.unavailable import reaching
from meters.interval import utc

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Any

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

    from meters.interval import Interval
    from meters.reading import Reading, Series

_LOG = logging.getLogger(__name__)

DRIVERS = ("sqlite", "postgresql+pg8000")
TIMEOUT_S = 30
"""How long a writer waits for another one (SQLite) or for the server's answer (PostgreSQL)."""

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-32768",  # KiB: the hours being written stay in memory
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=67108864",
)
_PREPARE_LOCK = 0x7A11_6A7E  # any number that no other use of the database takes

# One array a column is what pg8000 sends fastest without a temporary table for COPY.
_POSTGRESQL_INSERT = text(
    "INSERT INTO reading (hour, series, time, value, verdict, reasons, raw)"
    " SELECT * FROM unnest("
    "CAST(:hour AS integer[]), CAST(:series AS integer[]), CAST(:time AS bigint[]),"
    " CAST(:value AS bigint[]), CAST(:verdict AS smallint[]), CAST(:reasons AS text[]),"
    " CAST(:raw AS text[])) ON CONFLICT DO NOTHING"
)


class SqlArchive:
    """An `Archive` in one SQL database, shared by any number of threads and processes."""

    def __init__(self, url: str, *, timeout_s: int = TIMEOUT_S) -> None:
        """Open the archive at `url`: `sqlite:///path` or `postgresql+pg8000://…`; make its tables.

        A database that is away now is no error: each call tries anew. Raises `ArchiveUrlError`
        for a URL of another kind and `ArchiveSchemaError` for an archive of a newer version.
        """
        self._engine = _engine(make_url(url), timeout_s)
        self._writer = self._engine.execution_options(writing=True)
        self._sqlite_insert = str(
            sqlite.insert(READING).on_conflict_do_nothing().compile(dialect=sqlite.dialect())
        )
        self._ids: dict[Series, int] = {}
        self._prepared = False
        try:
            self._prepare()
        except ArchiveUnavailableError as error:
            _LOG.warning("%s", error)
        except BaseException:
            self.close()
            raise

    def append(self, readings: Sequence[Reading]) -> Appended:
        """Store what is new: see `Archive.append`.

        Raises `UnstorableReadingError` (a `ValueError`) before anything is stored.
        """
        if not readings:
            return Appended(stored=0, duplicates=0)
        try:
            rows = encode(readings, self._ids)
        except KeyError:  # a series seen for the first time
            rows = encode(readings, self._registered({reading.series for reading in readings}))
        with self._transaction(self._writer) as connection:
            stored = self._insert(connection, rows)
            if stored == len(rows):
                return Appended(stored=stored, duplicates=0)
            offered = [Row._make(row) for row in rows]
            kept = queries.stored_rows(connection, offered)
        conflicts = tuple(
            Conflict(offered=reading, kept=decode(kept[row.identity], reading.series))
            for reading, row in zip(readings, offered, strict=True)
            if _contradict(row, kept[row.identity])
        )
        return Appended(stored, len(rows) - stored - len(conflicts), conflicts)

    def boundaries(
        self,
        series: Collection[Series],
        instant: datetime,
        *,
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Mapping[Series, Boundary]:
        """Return the good readings next to `instant`, at most `window` away from it."""
        at_s = floor_seconds(instant)
        with self._transaction() as connection:
            ids = self._known(connection, series)
            before = queries.nearest(
                connection,
                ids.values(),
                first_s=ceil_seconds(instant - window),
                last_s=at_s,
                newest=True,
                only_good=True,
            )
            after = queries.nearest(
                connection,
                ids.values(),
                first_s=at_s + 1,
                last_s=floor_seconds(instant + window),
                newest=False,
                only_good=True,
            )
        at = utc(instant)
        return {
            one: Boundary(at, _reading(before, one, ids), _reading(after, one, ids))
            for one in series
        }

    def readings(self, series: Series, interval: Interval) -> list[Reading]:
        """Return every reading of `series` inside `interval`, of any verdict, oldest first."""
        first_s, last_s = ceil_seconds(interval.start), ceil_seconds(interval.end) - 1
        with self._transaction() as connection:
            number = self._known(connection, [series]).get(series)
            kept = queries.first_and_last_second(connection)
            if number is None or kept is None:
                return []
            first_s, last_s = max(first_s, kept[0]), min(last_s, kept[1])
            return [
                decode(row, series) for row in queries.span(connection, number, first_s, last_s)
            ]

    def latest(self, series: Collection[Series] | None = None) -> Mapping[Series, Reading]:
        """Return the newest reading of each of `series` (of all by default) that has any."""
        with self._transaction() as connection:
            if series is None:
                ids = queries.all_series_ids(connection)
            else:
                ids = self._known(connection, series)
            kept = queries.first_and_last_second(connection)
            if kept is None:
                return {}
            rows = queries.nearest(
                connection,
                ids.values(),
                first_s=kept[0],
                last_s=kept[1],
                newest=True,
                only_good=False,
            )
        return {one: decode(rows[number], one) for one, number in ids.items() if number in rows}

    def close(self) -> None:
        """Release files and connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, engine: Engine | None = None) -> Iterator[Connection]:
        if not self._prepared:
            self._prepare()
        with reaching(self._engine.url), (engine or self._engine).begin() as connection:
            yield connection

    def _prepare(self) -> None:
        with reaching(self._engine.url), self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PREPARE_LOCK}
                )
            prepare(connection)
        self._prepared = True

    def _registered(self, series: set[Series]) -> Mapping[Series, int]:
        """Return ids that hold all of `series`; those seen for the first time are given one."""
        with self._transaction(self._writer) as connection:
            new = series - self._known(connection, series).keys()
            queries.add_series(connection, new)
            found = queries.series_ids(connection, {one.meter for one in new})
        self._ids.update(found)  # only now: before the commit another process cannot rely on them
        return self._ids

    def _known(self, connection: Connection, series: Iterable[Series]) -> dict[Series, int]:
        """Return the ids of those of `series` that the archive knows."""
        asked = set(series)
        if unknown := asked - self._ids.keys():
            self._ids.update(queries.series_ids(connection, {one.meter for one in unknown}))
        return {one: self._ids[one] for one in asked if one in self._ids}

    def _insert(self, connection: Connection, rows: list[tuple[Any, ...]]) -> int:
        """Insert the rows whose identity is free, the first of equals; return how many."""
        if connection.dialect.name == "sqlite":
            return connection.exec_driver_sql(self._sqlite_insert, rows).rowcount
        # All writers take the keys in one order, so that none waits for another in a circle.
        columns = zip(*sorted(rows, key=itemgetter(0, 1, 2)), strict=True)
        arrays = dict(zip(READING.c.keys(), map(_array, columns), strict=True))
        return connection.execute(_POSTGRESQL_INSERT, arrays).rowcount


def _engine(url: URL, timeout_s: int) -> Engine:
    if url.drivername == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise ArchiveUrlError(
                f"the archive {url} names no file; write sqlite:///path/of/archive.db"
            )
        engine = create_engine(url, connect_args={"timeout": timeout_s})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if url.drivername == "postgresql+pg8000":
        return create_engine(
            url,
            connect_args={"timeout": timeout_s, "application_name": "tallygate archive"},
            isolation_level="READ COMMITTED",  # what another writer has won is seen at once
            pool_pre_ping=True,
        )
    raise ArchiveUrlError(
        f"{url.drivername!r} is no kind of SQL archive; write {' or '.join(DRIVERS)} in the URL"
    )


def _set_up_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its place in the queue at once: to find out later is to fail.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _array(column: tuple[Any, ...]) -> str:
    """Return `column` as PostgreSQL writes arrays: `{1,NULL,3}` or `{"a","b"}`."""
    if isinstance(column[0], str):
        escaped = (item.replace("\\", r"\\").replace('"', r"\"") for item in column)
        return '{"' + '","'.join(escaped) + '"}'
    return "{" + ",".join(["NULL" if item is None else str(item) for item in column]) + "}"


def _contradict(offered: Row, kept: Row) -> bool:
    return (offered.value, offered.raw) != (kept.value, kept.raw)


def _reading(rows: Mapping[int, Row], series: Series, ids: Mapping[Series, int]) -> Reading | None:
    row = rows.get(ids[series]) if series in ids else None
    return None if row is None else decode(row, series)
