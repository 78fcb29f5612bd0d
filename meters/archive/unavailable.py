"""Which database errors mean that the archive cannot be reached or written now.

They are told from mistakes in the software, which must be heard: SQLite by its result codes
(https://sqlite.org/rescode.html), PostgreSQL by SQLSTATE
(https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from meters.archive.protocol import ArchiveUnavailableError, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

_SQLITE_CODES = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
_SQLSTATE_CLASSES = (
    "08",  # connection
    "25006",  # a standby or a read-only server
    "28",  # the login is refused
    "3D",  # the database is not there
    "40",  # deadlock, serialisation
    "53",  # disk full, out of memory, too many connections
    "55P03",  # a lock is not to be had
    "57",  # shutdown, start-up, cancelled
    "58",  # an error of the server's system
)


@contextmanager
def reaching(url: URL) -> Iterator[None]:
    """Turn what says "not now" inside the block into `ArchiveUnavailableError`."""
    try:
        yield
    except PoolTimeoutError as error:
        raise _unavailable(url, "all connections are in use") from error
    except DBAPIError as error:
        if isinstance(error, InterfaceError) or error.connection_invalidated:
            raise _unavailable(url, str(error.orig)) from error
        why = _sqlite_reason(error.orig) or _postgresql_reason(error.orig)
        if why is None:
            raise
        raise _unavailable(url, why) from error


def _unavailable(url: URL, why: str) -> ArchiveUnavailableError:
    return unavailable(url.render_as_string(hide_password=True), why)


def _sqlite_reason(error: object) -> str | None:
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", 0)  # absent where the driver itself complains
    return str(error) if code & 0xFF in _SQLITE_CODES else None


def _postgresql_reason(error: object) -> str | None:
    """Return the server's message; pg8000 gives its fields as a dict, `C` being the SQLSTATE."""
    fields = error.args[0] if isinstance(error, Exception) and error.args else None
    if not isinstance(fields, dict):
        return None
    state = str(fields.get("C", ""))
    return f"{fields.get('M')} ({state})" if state.startswith(_SQLSTATE_CLASSES) else None
