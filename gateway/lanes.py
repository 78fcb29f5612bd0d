"""The two lanes of the spool in which readings wait for the archive, each in its order.

Readings that bills rest on go first and are never dropped; gauges and partial registers follow, and
make room where space ends. While much waits, part of each batch is what came last, so that people
see today's values and not those of the day when the archive went away.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from gateway.spool_file import READING, pending, runs
from gateway.spool_schema import LANES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gateway.spool_file import Found, Pending, Row

BILLING, GAUGES = LANES
ROWS_A_STATEMENT = 100
"""The driver lets go of the interpreter at each statement: fewer of them, fewer waits."""
LIVE_SHARE = 8
"""While more waits than one batch holds, an eighth of it is the newest of each lane."""

_ONE = f"INSERT INTO {{lane}} ({READING.removeprefix('id, ')}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - names of this module
_MANY = {
    lane: _ONE.format(lane=lane) + ", (?, ?, ?, ?, ?, ?, ?)" * (ROWS_A_STATEMENT - 1)
    for lane in LANES
}


def put(connection: sqlite3.Connection, lane: str, rows: Sequence[Row]) -> None:
    """Put `rows` at the end of `lane`."""
    whole = len(rows) - len(rows) % ROWS_A_STATEMENT
    many = _MANY[lane]
    for start in range(0, whole, ROWS_A_STATEMENT):
        values = chain.from_iterable(rows[start : start + ROWS_A_STATEMENT])
        connection.execute(many, tuple(values))
    if whole < len(rows):
        connection.executemany(_ONE.format(lane=lane), rows[whole:])


def batch(connection: sqlite3.Connection, limit: int) -> Pending | None:
    """Return at most `limit` readings to forward, None where none wait."""
    billing = _oldest(connection, BILLING, limit)
    gauges = _oldest(connection, GAUGES, limit - len(billing))
    if not billing and not gauges:
        return None
    live = limit // LIVE_SHARE
    if len(billing) + len(gauges) == limit and live:
        fresh = _newest(connection, BILLING, live, after=billing)
        fresh_gauges = _newest(connection, GAUGES, live, after=gauges)
        room = limit - len(fresh) - len(fresh_gauges)
        gauges = [*gauges[: max(0, room - len(billing))], *fresh_gauges]
        billing = [*billing[:room], *fresh]
    return pending(billing, gauges)


def remove(connection: sqlite3.Connection, lane: str, numbers: Sequence[int]) -> int:
    """Remove the readings with these numbers, which rise; return how many were there."""
    return sum(
        connection.execute(
            f"DELETE FROM {lane} WHERE id BETWEEN ? AND ?",  # noqa: S608 - one of two names
            run,
        ).rowcount
        for run in runs(numbers)
    )


def drop_gauges(connection: sqlite3.Connection, count: int) -> int:
    """Drop `count` of the oldest gauges; return how many there were."""
    return connection.execute(
        f"DELETE FROM {GAUGES} WHERE id <="  # noqa: S608 - a name of this module
        f" (SELECT max(id) FROM (SELECT id FROM {GAUGES} ORDER BY id LIMIT ?))",
        (count,),
    ).rowcount


def _oldest(connection: sqlite3.Connection, lane: str, limit: int) -> list[Found]:
    return connection.execute(
        f"SELECT {READING} FROM {lane} ORDER BY id LIMIT ?",  # noqa: S608 - one of two names
        (limit,),
    ).fetchall()


def _newest(
    connection: sqlite3.Connection, lane: str, limit: int, *, after: Sequence[Found]
) -> list[Found]:
    found = connection.execute(
        f"SELECT {READING} FROM {lane} WHERE id > ? ORDER BY id DESC LIMIT ?",  # noqa: S608 - one of two names
        (after[-1][0] if after else 0, limit),
    ).fetchall()
    return found[::-1]
