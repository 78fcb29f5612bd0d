"""The SQL archive: SQLite as the embedded default, PostgreSQL through pg8000 in production.

A batch is one transaction, so what `append` has returned for is on disk. SQLite writes ahead with
`synchronous=FULL`: other processes read while one writes, and writers wait for one another.
PostgreSQL keeps this promise unless its own `synchronous_commit` or `fsync` is turned off.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.dialects import sqlite

from meters.archive import chunk_queries, edge_queries, history, last_queries, queries
from meters.archive.driver import begin_writing, set_up_postgresql
from meters.archive.protocol import (
    BOUNDARY_WINDOW,
    Appended,
    ArchiveUnavailableError,
    ArchiveUrlError,
    Boundary,
    Conflict,
    LastRead,
    Refused,
)
from meters.archive.rows import (
    DAY_S,
    HOUR_S,
    SECOND,
    Row,
    UnstorableReadingError,
    ceil_seconds,
    decode,
    encode,
    floor_seconds,
)
from meters.archive.tables import READING, prepare
from meters.archive.unavailable import reaching
from meters.edges import Gathered
from meters.interval import utc

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Any

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

    from meters.edges import Edges
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
_DAY_H = DAY_S // HOUR_S
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
        """Store what is new: see `Archive.append`."""
        readings, rows, refused = self._encoded(readings)
        if not rows:
            return Appended(stored=0, duplicates=0, refused=refused)
        with self.transaction(writing=True) as connection:
            stored = self._insert(connection, rows)
            if chunked := self._in_chunks(connection, rows):  # late, and known already
                queries.delete_rows(connection, chunked.values())
                stored -= len(chunked)
            if stored == len(rows):
                return Appended(stored=stored, duplicates=0, refused=refused)
            offered = [Row._make(row) for row in rows]
            kept = queries.stored_rows(connection, offered) | chunked
        conflicts = tuple(
            Conflict(offered=reading, kept=decode(kept[row.identity], reading.series))
            for reading, row in zip(readings, offered, strict=True)
            if _contradict(row, kept[row.identity])
        )
        return Appended(stored, len(rows) - stored - len(conflicts), conflicts, refused)

    def boundaries(
        self,
        series: Collection[Series],
        instant: datetime,
        *,
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Mapping[Series, Boundary]:
        """Return the good readings next to `instant`, at most `window` away from it."""
        at_s = floor_seconds(instant)
        with self.transaction() as connection:
            ids = self._known(connection, series)
            before, after = history.around(
                connection,
                ids.values(),
                first_s=ceil_seconds(instant - window),
                at_s=at_s,
                last_s=floor_seconds(instant + window),
            )
        at = utc(instant)
        found = dict.fromkeys(series, Boundary(at, None, None))
        for one, number in ids.items():
            early, late = before.get(number), after.get(number)
            if early is not None or late is not None:
                found[one] = Boundary(
                    at,
                    None if early is None else decode(early, one),
                    None if late is None else decode(late, one),
                )
        return found

    def edges(
        self,
        series: Collection[Series],
        instants: Collection[datetime],
        *,
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Edges:
        """Return what `boundaries` tells, for many instants at once and in columns."""
        gathered = Gathered(series, [floor_seconds(each) for each in instants], window // SECOND)
        with self.transaction() as connection:
            ids = self._known(connection, gathered.series)
            edge_queries.gather(connection, gathered, ids)
        return gathered.edges()

    def readings(self, series: Series, interval: Interval) -> list[Reading]:
        """Return every reading of `series` inside `interval`, of any verdict, oldest first."""
        first_s, last_s = ceil_seconds(interval.start), ceil_seconds(interval.end) - 1
        with self.transaction() as connection:
            number = self._known(connection, [series]).get(series)
            kept = history.first_and_last_second(connection)
            if number is None or kept is None:
                return []
            first_s, last_s = max(first_s, kept[0]), min(last_s, kept[1])
            return [
                decode(row, series) for row in history.span(connection, number, first_s, last_s)
            ]

    def latest(self, series: Collection[Series] | None = None) -> Mapping[Series, Reading]:
        """Return the newest reading of each of `series` (of all by default) that has any."""
        with self.transaction() as connection:
            if series is None:
                ids = queries.all_series_ids(connection)
            else:
                ids = self._known(connection, series)
            kept = history.first_and_last_second(connection)
            if kept is None:
                return {}
            rows = history.nearest(
                connection,
                ids.values(),
                first_s=kept[0],
                last_s=kept[1],
                newest=True,
                only_good=False,
            )
        return {one: decode(rows[number], one) for one, number in ids.items() if number in rows}

    def last_read(self, series: Sequence[Series]) -> LastRead:
        """Return when and how `latest` was read, for any number of series: in their order."""
        with self.transaction() as connection:
            self._known(connection, [one for one in series if one not in self._ids])
            ids = np.array([self._ids.get(one, last_queries.NOBODY) for one in series], np.int64)
            return LastRead(*last_queries.last_read(connection, ids))

    def close(self) -> None:
        """Release files and connections."""
        self._engine.dispose()

    @property
    def url(self) -> URL:
        return self._engine.url

    @contextmanager
    def transaction(self, *, writing: bool = False) -> Iterator[Connection]:
        """Yield a connection inside a transaction, for what else is asked of the tables.

        Raises `ArchiveUnavailableError`.
        """
        if not self._prepared:
            self._prepare()
        engine = self._writer if writing else self._engine
        with reaching(self._engine.url), engine.begin() as connection:
            yield connection

    def shrink(self) -> None:
        """Give back to the disk what deleted rows have left; needs room for a second copy.

        Nobody can write meanwhile, and in PostgreSQL nobody can read.
        """
        unbound = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with reaching(self._engine.url), unbound.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("COMMIT")  # the BEGIN of `_begin_sqlite`
                connection.exec_driver_sql("PRAGMA temp_store=FILE")  # the copy is no small thing
                connection.exec_driver_sql("VACUUM")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.invalidate()
            else:
                connection.exec_driver_sql("VACUUM FULL reading")
                connection.exec_driver_sql("VACUUM FULL chunk")

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
        with self.transaction(writing=True) as connection:
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

    def _encoded(
        self, readings: Sequence[Reading]
    ) -> tuple[Sequence[Reading], list[tuple[Any, ...]], tuple[Refused, ...]]:
        """Return the readings that can be held, their rows, and what is refused."""
        try:
            return readings, self._rows(readings), ()
        except UnstorableReadingError:
            pass
        refused, held = [], []
        for reading in readings:
            try:
                encode([reading], {reading.series: 0})
                held.append(reading)
            except UnstorableReadingError as error:
                refused.append(Refused(reading, error.why))
        return held, self._rows(held), tuple(refused)

    def _rows(self, readings: Sequence[Reading]) -> list[tuple[Any, ...]]:
        try:
            return encode(readings, self._ids)
        except KeyError:  # a series seen for the first time
            return encode(readings, self._registered({reading.series for reading in readings}))

    def _in_chunks(
        self, connection: Connection, rows: list[tuple[Any, ...]]
    ) -> dict[tuple[int, int], Row]:
        """Return what the chunks of closed days hold under the identities of `rows`."""
        last = chunk_queries.last_day(connection)
        if last is None or min(row[0] for row in rows) // _DAY_H > last:
            return {}
        return chunk_queries.kept(connection, map(Row._make, rows), last)

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
        event.listen(engine, "begin", partial(_begin_sqlite, timeout_s=timeout_s))
        return engine
    if url.drivername == "postgresql+pg8000":
        engine = create_engine(
            url,
            connect_args={"timeout": timeout_s, "application_name": "tallygate archive"},
            isolation_level="READ COMMITTED",  # what another writer has won is seen at once
            pool_pre_ping=True,
        )
        event.listen(engine, "connect", set_up_postgresql)
        return engine
    raise ArchiveUrlError(
        f"{url.drivername!r} is no kind of SQL archive; write {' or '.join(DRIVERS)} in the URL"
    )


def _set_up_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection, *, timeout_s: int) -> None:
    # A writer takes its place in the queue at once: to find out later is to fail.
    if connection.get_execution_options().get("writing", False):
        begin_writing(connection, within_s=timeout_s)
    else:
        connection.exec_driver_sql("BEGIN")


def _array(column: tuple[Any, ...]) -> str:
    """Return `column` as PostgreSQL writes arrays: `{1,NULL,3}` or `{"a","b"}`."""
    if isinstance(column[0], str):
        escaped = (item.replace("\\", r"\\").replace('"', r"\"") for item in column)
        return '{"' + '","'.join(escaped) + '"}'
    return "{" + ",".join(["NULL" if item is None else str(item) for item in column]) + "}"


def _contradict(offered: Row, kept: Row) -> bool:
    return (offered.value, offered.raw) != (kept.value, kept.raw)
