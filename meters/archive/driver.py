"""What the drivers of databases leave to be done on their connections."""

from __future__ import annotations

import socket
import sqlite3
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.pool import ConnectionPoolEntry

LOOK_S = 0.0005
PRIMARY = 0xFF
"""The bits of a code of SQLite that say what an error is; the others say of which kind."""


def set_up_postgresql(connection: Any, _record: ConnectionPoolEntry) -> None:
    """Let each part of a message follow the one before at once; for SQLAlchemy's event "connect".

    pg8000 sends the rows of a COPY and its end one after another, and long statements by 8 KiB. By
    Nagle's algorithm each waits until the server confirms the one before, which it does after 40 ms
    as it has nothing to answer yet (RFC 1122, 4.2.3).
    """
    to_server: socket.socket = connection._usock  # noqa: SLF001  pg8000 names it nowhere else
    if to_server.family != socket.AF_UNIX:
        to_server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def begin_writing(connection: Connection, *, within_s: float) -> None:
    """Take SQLite's write lock soon after it is free; for SQLAlchemy's event "begin".

    SQLite itself looks for it ever more seldom, up to 0.1 s apart (`sqliteDefaultBusyCallback`).
    Where several processes write without pause, who has just committed would have it again before
    another looks. Raises SQLAlchemy's `OperationalError` where it is not free `within_s`.
    """
    driver: Any = connection.connection.dbapi_connection
    until_s = time.monotonic() + within_s
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while _is_held(driver) and time.monotonic() < until_s:
            time.sleep(LOOK_S)
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # what is wrong is told by SQLAlchemy
    finally:
        driver.execute(f"PRAGMA busy_timeout = {round(within_s * 1000)}")


def _is_held(driver: sqlite3.Connection) -> bool:
    """Begin to write; return whether another holds the lock."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & PRIMARY == sqlite3.SQLITE_BUSY
    return False
