"""Writers of one SQLite file: who waits is not overtaken without end, and is told in the end."""

from __future__ import annotations

import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from meters.archive.driver import begin_writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

WITHIN_S = 30
HASTE_S = 0.05
WORK_S, BETWEEN_S = 0.05, 0.0015
TURNS = 4


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "written.sqlite") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return tmp_path / "written.sqlite"


def writing(file: Path, within_s: float) -> Engine:
    engine = create_engine(f"sqlite:///{file}")

    @event.listens_for(engine, "connect")
    def _ours(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        begin_writing(connection, within_s=within_s)

    return engine


@pytest.fixture
def patient(file: Path) -> Iterator[Engine]:
    engine = writing(file, WITHIN_S)
    yield engine
    engine.dispose()


def test_who_waits_has_a_turn_among_those_who_write_without_pause(
    file: Path, patient: Engine
) -> None:
    over, begun = threading.Event(), threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        other = sqlite3.connect(file, isolation_level=None)
        while not over.is_set():
            other.execute("BEGIN IMMEDIATE")
            begun.set()
            time.sleep(WORK_S)
            other.execute("COMMIT")
            written += 1
            time.sleep(BETWEEN_S)
        other.close()

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(TURNS):
        begun.clear()
        assert begun.wait(WITHIN_S)
        with patient.begin():
            pass
    over.set()
    thread.join()
    assert written < 10 * TURNS  # SQLite's own way lets some forty pass for one


def test_a_lock_that_is_not_given_back_is_told(file: Path) -> None:
    engine = writing(file, HASTE_S)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="database is locked"), engine.begin():
            pass
        other.execute("COMMIT")
        with engine.begin() as connection:
            waits_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    other.close()
    engine.dispose()
    assert waits_ms == HASTE_S * 1000  # whatever else waits, waits as long


def test_what_is_no_lock_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"this is no database " * 100)
    engine = writing(tmp_path / "other", WITHIN_S)
    with pytest.raises(Exception, match="not a database"), engine.begin():
        pass
    engine.dispose()
