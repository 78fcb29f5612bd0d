"""What the driver of PostgreSQL leaves to be set on its connections."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry


def set_up_postgresql(connection: Any, _record: ConnectionPoolEntry) -> None:
    """Let each part of a message follow the one before at once; for SQLAlchemy's event "connect".

    pg8000 sends the rows of a COPY and its end one after another, and long statements by 8 KiB. By
    Nagle's algorithm each waits until the server confirms the one before, which it does after 40 ms
    as it has nothing to answer yet (RFC 1122, 4.2.3).
    """
    to_server: socket.socket = connection._usock  # noqa: SLF001  pg8000 names it nowhere else
    if to_server.family != socket.AF_UNIX:
        to_server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
