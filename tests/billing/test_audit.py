"""The audit log: each entry hangs on the one before, however many write at once (I9)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import LargeBinary, cast, create_engine, make_url, select, text

from billing import tables
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
        connection.exec_driver_sql("INSERT INTO project (code, name) VALUES ('other', 'Other')")
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
        ("UPDATE audit SET project_id = 2 WHERE position = 2", 2),
        ("UPDATE audit SET project_id = NULL WHERE position = 2", 2),
        (
            """INSERT INTO audit (position, at, actor, action, subject, detail, previous, digest)
            SELECT 6, at, '', '', '', '{}', digest, digest FROM audit LIMIT 1""",
            6,
        ),
    ],
)
def test_every_change_is_found_where_it_is(change: str, position: int, written: Database) -> None:
    with written.transaction() as connection:
        connection.exec_driver_sql(change)

    with pytest.raises(audit.AuditBrokenError, match=f"audit entry {position} is not what was"):
        verify(written)


def test_a_change_of_any_byte_of_any_entry_is_found(written: Database) -> None:
    columns = ("at", "actor", "action", "subject", "detail", "previous", "digest")
    stored_as_bytes = [cast(tables.audit.c[each], LargeBinary).label(each) for each in columns]
    with written.snapshot() as connection:
        rows = connection.execute(select(tables.audit.c.position, *stored_as_bytes)).all()
    kept = [(row.position, each, getattr(row, each)) for row in rows for each in columns]
    missed, tried = [], 0
    for position, column, stored in kept:
        for place in range(len(stored)):
            changed = bytearray(stored)
            changed[place] ^= 1 + place % 255  # also bytes that are no UTF-8, and NUL
            tried += 1
            with pytest.raises(ZeroDivisionError), written.transaction() as connection:  # noqa: PT012  undone again
                connection.exec_driver_sql(
                    f"UPDATE audit SET {column} = CAST(? AS TEXT)"  # noqa: S608  names of columns
                    " WHERE position = ?",
                    (bytes(changed), position),
                )
                try:
                    audit.verify(connection)
                    missed.append((position, column, place))
                except audit.AuditBrokenError:
                    pass
                raise ZeroDivisionError
    assert missed == []
    assert tried > 900


def test_another_way_to_write_a_time_is_a_change(written: Database) -> None:
    with written.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE audit SET at = '2026-11-03T08:30:00.123456' WHERE position = 2"
        )
    with pytest.raises(audit.AuditBrokenError, match=r"entry 2 is not .* cannot be read"):
        verify(written)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE audit SET actor = 'x' WHERE position = 2", "its content is not that of its dig"),
        ("DELETE FROM audit WHERE position = 3", "it is missing, and entry 4 follows"),
    ],
)
def test_it_is_said_what_is_wrong(change: str, what: str, written: Database) -> None:
    with written.transaction() as connection:
        connection.exec_driver_sql(change)
    with pytest.raises(audit.AuditBrokenError, match=what):
        verify(written)


def test_an_entry_that_was_forged_whole_does_not_fit_the_next(written: Database) -> None:
    with written.transaction() as connection:
        row = connection.execute(tables.audit.select().where(tables.audit.c.position == 2)).one()
        entry = {**row._mapping, "actor": "x"}
        del entry["digest"]
        connection.execute(
            tables.audit.update()
            .where(tables.audit.c.position == 2)
            .values(actor="x", digest=audit._digest(entry))
        )
    with pytest.raises(audit.AuditBrokenError, match=r"entry 3 is not .* does not follow entry 2"):
        verify(written)


def test_a_cut_at_the_end_shows_by_the_last_entry_kept_elsewhere(written: Database) -> None:
    with written.snapshot() as connection:
        head = audit.last(connection)
    assert head.position == 5
    append(written, "later")
    with written.snapshot() as connection:
        assert audit.verify(connection, head=head) == 6
    with written.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE position > 4")
    assert verify(written) == 4
    with (
        written.snapshot() as connection,
        pytest.raises(audit.AuditBrokenError, match="ends with entry 4, but it held 5 before"),
    ):
        audit.verify(connection, head=head)
    append(written, "in its place")
    with (
        written.snapshot() as connection,
        pytest.raises(audit.AuditBrokenError, match=r"entry 5 is not .* another one before"),
    ):
        audit.verify(connection, head=head)


def test_entries_are_found_by_who_what_and_when(database: Database) -> None:
    for number, actor in enumerate(("a", "b", "a")):
        append(database, actor, NOW + timedelta(hours=number))

    def found(wanted: audit.Wanted, before: int | None = None) -> list[int]:
        with database.snapshot() as connection:
            rows = audit.entries(connection, wanted, limit=2, before=before)
        return [row.position for row in rows]

    assert found(audit.Wanted()) == [3, 2]
    assert found(audit.Wanted(), before=2) == [1]
    assert found(audit.Wanted(actor="a")) == [3, 1]
    assert found(audit.Wanted(subject="x:1", action="other")) == []
    hour = timedelta(hours=1)
    assert found(audit.Wanted(since=NOW + hour, until=NOW + 2 * hour)) == [2]
