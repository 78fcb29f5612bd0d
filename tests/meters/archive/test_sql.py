"""What can go wrong with an SQL database, and what is said then."""

from __future__ import annotations

import logging
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, create_engine, event, make_url, text
from sqlalchemy.exc import DatabaseError, OperationalError

from billing.database import Database
from meters.archive.compaction import compact
from meters.archive.open import open_archive
from meters.archive.protocol import ArchiveUnavailableError, ArchiveUrlError
from meters.archive.sql import SqlArchive
from meters.archive.tables import ArchiveSchemaError
from meters.edges import NEVER_AGAIN_S, NEVER_S
from meters.interval import Interval
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
ENERGY = Series("sdm120-1", "import_energy")
DAY = Interval(NOON, NOON + timedelta(days=1))


def reading(number: int = 0, series: Series = ENERGY) -> Reading:
    time = NOON + timedelta(seconds=number)
    return Reading(series, time, Decimal(number), "462a 7521", Verdict.GOOD)


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()


def test_an_archive_is_found_again_when_opened_again(archive_url: str) -> None:
    for stored in (1, 0):
        archive = open_archive(archive_url)
        assert archive.append([reading()]).stored == stored
        archive.close()


def test_edges_of_some_series_are_theirs_alone_wherever_their_ids_lie(
    sql_archive: SqlArchive,
) -> None:
    """Ids that lie near each other are read in one go, with those between them."""
    every = [Series(f"m-{number:02}", "volume") for number in range(30)]
    far = {7: -4000, 12: 5000}  # not found at the first look
    sql_archive.append(
        [
            reading(at + far.get(number, 0), one)
            for number, one in enumerate(every)
            for at in (-number, number + 1)
        ]
    )
    some = [every[number] for number in (1, 2, 5, 7, 12, 13, 29)]

    edges = sql_archive.edges(some, [NOON, NOON + timedelta(hours=1)])

    noon, never, ever = int(NOON.timestamp()), NEVER_S, NEVER_AGAIN_S
    before = [each if each == never else each - noon for each in edges.before_s[:, 0].tolist()]
    after = [each if each == ever else each - noon for each in edges.after_s[:, 0].tolist()]
    assert edges.series == tuple(some)
    assert before == [-1, -2, -5, -3992, never, -13, -29]
    assert after == [2, 3, 6, ever, 4988, 14, 30]
    assert (edges.before[:, 1] // 10_000).tolist() == [2, 3, 6, 0, 0, 14, 30]


def test_an_archive_of_a_newer_version_is_refused_and_left_alone(archive_url: str) -> None:
    SqlArchive(archive_url).close()
    execute(archive_url, "UPDATE archive_schema SET version = 99", "DROP TABLE reading")
    with pytest.raises(ArchiveSchemaError, match=r"schema version 99, .* knows 2: upgrade"):
        SqlArchive(archive_url)
    with pytest.raises(DatabaseError, match="reading"):
        execute(archive_url, "SELECT count(*) FROM reading")


def test_an_archive_from_before_there_were_chunks_is_taken_on(archive_url: str) -> None:
    before = SqlArchive(archive_url)
    before.append([reading()])
    before.close()
    execute(archive_url, "DROP TABLE chunk", "UPDATE archive_schema SET version = 1")
    archive = SqlArchive(archive_url)
    compact(archive, date(2026, 10, 2))
    assert archive.readings(ENERGY, DAY) == [reading()]
    archive.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://host/db", "mysql: is no kind of archive; write sqlite or postgresql"),
        ("postgresql://host/db", r"write sqlite or postgresql\+pg8000"),
        ("archive.db", "cannot be read; write sqlite:///path"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_url_that_names_no_archive_is_refused(url: str, says: str) -> None:
    with pytest.raises(ArchiveUrlError, match=says):
        open_archive(url)


def test_sqlite_writes_ahead_and_waits_for_the_disk(sqlite_archive: SqlArchive) -> None:
    with sqlite_archive._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_missing_folder_is_said_and_mended_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        archive = SqlArchive(f"sqlite:///{tmp_path}/later/archive.db")
    assert "later/archive.db cannot be used now: unable to open database file" in caplog.text
    with pytest.raises(ArchiveUnavailableError, match="unable to open database file"):
        archive.append([reading()])
    (tmp_path / "later").mkdir()
    assert archive.append([reading()]).stored == 1
    archive.close()


def test_a_locked_database_is_unavailable_until_it_is_free(
    sqlite_archive: SqlArchive, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "archive.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ArchiveUnavailableError, match="database is locked; nothing is known"):
        sqlite_archive.append([reading()])
    assert sqlite_archive.readings(ENERGY, DAY) == []
    other.close()
    assert sqlite_archive.append([reading()]).stored == 1


def test_a_full_disk_is_unavailable_and_stores_nothing_of_the_batch(
    sqlite_archive: SqlArchive,
) -> None:
    sqlite_archive.append([reading()])

    @event.listens_for(sqlite_archive._engine, "begin")
    def _no_room(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # of what it has, at least

    with pytest.raises(ArchiveUnavailableError, match="database or disk is full"):
        sqlite_archive.append([reading(number) for number in range(20_000)])
    assert sqlite_archive.readings(ENERGY, DAY) == [reading()]


def test_a_damaged_schema_is_heard_and_not_taken_for_an_outage(sqlite_archive: SqlArchive) -> None:
    sqlite_archive.append([reading()])
    with sqlite_archive._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE reading")
    with pytest.raises(OperationalError, match="no such table: reading"):
        sqlite_archive.append([reading(1)])


def test_a_server_that_is_away_is_unavailable_without_its_password(
    free_port: Callable[[], int],
) -> None:
    url = f"postgresql+pg8000://someone:secret@127.0.0.1:{free_port()}/archive"
    archive = open_archive(url)
    for ask in (lambda: archive.append([reading()]), archive.latest):
        with pytest.raises(ArchiveUnavailableError, match=r"someone:\*\*\*@127.0.0.1") as caught:
            ask()
        assert "secret" not in str(caught.value)
    archive.close()


def test_a_connection_that_the_server_ended_is_replaced(fresh_postgresql_url: str) -> None:
    archive = SqlArchive(fresh_postgresql_url)
    archive.append([reading()])
    execute(
        fresh_postgresql_url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'tallygate archive'",
    )
    assert archive.append([reading(), reading(1)]).stored == 1
    archive.close()


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("53100", ArchiveUnavailableError),  # disk full
        ("25006", ArchiveUnavailableError),  # a standby
        ("40P01", ArchiveUnavailableError),  # deadlock
        ("57P01", ArchiveUnavailableError),  # shutting down
        ("22012", DatabaseError),  # a division by zero would be our own mistake
    ],
)
def test_the_servers_errors_are_outages_or_mistakes_by_their_sqlstate(
    fresh_postgresql_url: str, state: str, error: type[Exception]
) -> None:
    archive = SqlArchive(fresh_postgresql_url)
    execute(
        fresh_postgresql_url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'for the test' USING ERRCODE = '{state}'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON reading FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    with pytest.raises(error, match=f"for the test.*{state}|{state}.*for the test"):
        archive.append([reading()])
    archive.close()


def test_no_part_of_a_message_waits_for_word_of_the_one_before(fresh_postgresql_url: str) -> None:
    """Rows of a COPY and long statements are sent in parts; each would be held for 40 ms."""
    with (
        closing(SqlArchive(fresh_postgresql_url)) as archive,
        Database(fresh_postgresql_url) as database,
    ):
        for engine in (archive._engine, database.engine):
            with engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                assert driver._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_login_that_is_refused_is_unavailable(fresh_postgresql_url: str) -> None:
    url = make_url(fresh_postgresql_url).set(database="no_such_database")
    archive = SqlArchive(url.render_as_string(hide_password=False))
    with pytest.raises(ArchiveUnavailableError, match=r"no_such_database.*3D000"):
        archive.latest()
    archive.close()


def test_one_series_is_sought_by_its_key_and_never_by_scanning_the_others(
    sqlite_archive: SqlArchive,
) -> None:
    meters = [Series(f"meter-{number}", "volume") for number in range(50)]
    sqlite_archive.append([reading(60 * minute, one) for minute in range(90) for one in meters])
    asked: list[tuple[str, tuple[object, ...]]] = []

    @event.listens_for(sqlite_archive._engine, "before_cursor_execute")
    def _note(_connection: Connection, _cursor: object, statement: str, *rest: object) -> None:
        if "FROM reading" in statement and "series" in statement:
            asked.append((statement, rest[0]))  # type: ignore[arg-type]  # SQLAlchemy hands the parameters on untyped

    sqlite_archive.readings(meters[7], DAY)
    sqlite_archive.latest([meters[7]])
    sqlite_archive.last_read([meters[7]])
    sqlite_archive.boundaries([meters[7]], NOON + timedelta(minutes=30))
    assert len(asked) == 5
    with sqlite_archive._engine.connect() as connection:
        for statement, values in tuple(asked):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            steps = " ".join(str(step[3]) for step in plan)
            assert "SEARCH reading USING PRIMARY KEY (hour=? AND series=?" in steps
            assert "SCAN reading" not in steps


def test_thousands_of_series_are_answered_by_one_statement_a_side(
    sqlite_archive: SqlArchive,
) -> None:
    meters = [Series(f"meter-{number}", "volume") for number in range(10_000)]
    sqlite_archive.append([reading(quarter * 900, one) for quarter in range(3) for one in meters])
    asked: list[str] = []

    @event.listens_for(sqlite_archive._engine, "before_cursor_execute")
    def _note(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if "FROM reading" in statement:
            asked.append(statement)

    found = sqlite_archive.boundaries(meters, NOON + timedelta(minutes=15))
    of_hours = [each for each in asked if each.startswith(("SELECT min(", "SELECT max("))]
    assert len(asked) - len(of_hours) == 2
    assert len(of_hours) <= 4, "the first and the last hour that there are, on either side"
    assert {(b.before, b.after) for b in found.values()} == {
        (reading(900, one), reading(1800, one)) for one in meters
    }
