"""The audit log: each entry hangs on the one before, however many write at once (I9)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

from billing.database import Database
from billing.store import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 3, 8, 30, 0, 123456, tzinfo=UTC)


def append(database: Database, actor: str = "clerk", at: datetime = NOW) -> None:
    with database.transaction() as connection:
        audit.append(
            connection, at=at, actor=actor, action="test", subject="x:1", detail={"note": "电费"}
        )


def verify(database: Database) -> int:
    with database.snapshot() as connection:
        return audit.verify(connection)


def test_an_empty_log_is_unbroken(database: Database) -> None:
    assert verify(database) == 0


def test_each_entry_hangs_on_the_one_before(database: Database) -> None:
    for actor in ("a", "b", "c"):
        append(database, actor)

    with database.snapshot() as connection:
        rows = connection.execute(
            text("SELECT position, previous, digest FROM audit ORDER BY position")
        ).all()
    assert [row.position for row in rows] == [1, 2, 3]
    assert [row.previous for row in rows] == [audit.FIRST, rows[0].digest, rows[1].digest]
    assert verify(database) == 3


@pytest.mark.parametrize("hours", [8, -3, 0])
def test_the_zone_of_a_writer_does_not_break_the_chain(hours: int, database: Database) -> None:
    append(database, at=NOW.astimezone(timezone(timedelta(hours=hours))))

    assert verify(database) == 1


def test_the_zone_of_a_server_does_not_break_the_chain(fresh_postgresql_url: str) -> None:
    engine = create_engine(fresh_postgresql_url, isolation_level="AUTOCOMMIT")
    name = make_url(fresh_postgresql_url).database
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET timezone TO 'Asia/Shanghai'"))
    engine.dispose()
    with Database(fresh_postgresql_url) as database:
        database.migrate()
        append(database)

        assert verify(database) == 1


def test_an_entry_goes_with_the_transaction_that_it_tells_of(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012  both belong in it
        audit.append(connection, at=NOW, actor="a", action="b", subject="c")
        raise ZeroDivisionError

    assert verify(database) == 0


def test_those_who_write_at_once_do_not_fork_the_chain(database: Database) -> None:
    writers, entries = 6, 5
    start = threading.Barrier(writers)
    failed: list[Exception] = []

    def write(number: int) -> None:
        start.wait()
        try:
            for _ in range(entries):
                append(database, f"writer {number}")
        except Exception as error:  # noqa: BLE001  whatever it is, the test shows it
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert verify(database) == writers * entries


@pytest.fixture
def written(sqlite_database: Database) -> Iterator[Database]:
    """A log of five entries whose triggers somebody has removed."""
    for number in range(5):
        append(sqlite_database, f"actor {number}")
    with sqlite_database.transaction() as connection:
        for event in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER audit_stays_on_{event}")
    return sqlite_database


@pytest.mark.parametrize(
    ("change", "position"),
    [
        ("UPDATE audit SET actor = 'x' WHERE position = 2", 2),
        ("UPDATE audit SET at = '2026-11-03 08:30:00.123457' WHERE position = 5", 5),
        ("UPDATE audit SET detail = '{}' WHERE position = 1", 1),
        ("DELETE FROM audit WHERE position = 3", 3),
        ("DELETE FROM audit WHERE position = 1", 1),
        ("UPDATE audit SET position = position + 10 WHERE position = 4", 4),
        ("INSERT INTO audit SELECT 6, at, '', '', '', '{}', digest, digest FROM audit LIMIT 1", 6),
    ],
)
def test_every_change_is_found_where_it_is(change: str, position: int, written: Database) -> None:
    with written.transaction() as connection:
        connection.exec_driver_sql(change)

    with pytest.raises(audit.AuditBrokenError, match=f"audit entry {position} is not what was"):
        verify(written)
