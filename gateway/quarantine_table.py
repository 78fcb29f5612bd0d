"""The quarantine in the spool's file: bounded, and what is forgotten is counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from gateway.quarantine import Fault

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gateway.quarantine import Quarantined

KEPT_OF_A_STRANGER = 1000
"""How many messages of a meter that nobody stated are kept; the oldest go first."""


class Stranger(NamedTuple):
    """A meter that nobody stated: where it reports, and what quarantine keeps of it."""

    source: str
    messages: int
    first: datetime
    last: datetime


def put(connection: sqlite3.Connection, items: Sequence[Quarantined], *, limit: int) -> None:
    """Put `items` in; a flood of foreign messages must not fill the disk.

    Where the quarantine then holds more than `limit`, the oldest reported items are forgotten.
    """
    connection.executemany(
        "INSERT INTO quarantine (received_at, source, reason, detail, content, retained)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                int(i.received_at.timestamp()),
                i.source,
                i.reason.value,
                i.detail,
                i.content,
                i.retained,
            )
            for i in items
        ),
    )
    excess = 0
    for source in {item.source for item in items if item.reason is Fault.UNKNOWN_METER}:
        excess += connection.execute(
            "DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine"
            " WHERE source = ? AND reason = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
            (source, Fault.UNKNOWN_METER.value, KEPT_OF_A_STRANGER),
        ).rowcount
    _count_forgotten(connection, excess)
    (kept,) = connection.execute("SELECT count(*) FROM quarantine").fetchone()
    if kept > limit:
        forget(connection, kept - limit)


def take_out(connection: sqlite3.Connection, numbers: Sequence[int]) -> int:
    """Remove the items with these numbers; return how many were there."""
    return sum(
        connection.execute("DELETE FROM quarantine WHERE id = ?", (number,)).rowcount
        for number in numbers
    )


def strangers(connection: sqlite3.Connection, limit: int) -> tuple[Stranger, ...]:
    """Return those that were not stated, the one heard last first."""
    found = connection.execute(
        "SELECT s.source, s.messages, first.received_at, last.received_at FROM"
        " (SELECT source, count(*) AS messages, min(id) AS first, max(id) AS last FROM quarantine"
        " WHERE reason = ? GROUP BY source ORDER BY max(id) DESC LIMIT ?) AS s"
        " JOIN quarantine AS first ON first.id = s.first"
        " JOIN quarantine AS last ON last.id = s.last ORDER BY s.last DESC",
        (Fault.UNKNOWN_METER.value, limit),
    ).fetchall()
    return tuple(
        Stranger(
            source, messages, datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)
        )
        for source, messages, first, last in found
    )


def forget(connection: sqlite3.Connection, count: int) -> int:
    """Forget `count` items, those reported first; return how many there were."""
    forgotten = connection.execute(
        "DELETE FROM quarantine WHERE id IN"
        " (SELECT id FROM quarantine ORDER BY reported DESC, id LIMIT ?)",
        (count,),
    ).rowcount
    _count_forgotten(connection, forgotten)
    return forgotten


def _count_forgotten(connection: sqlite3.Connection, count: int) -> None:
    if count:
        connection.execute("UPDATE tally SET forgotten = forgotten + ?", (count,))
