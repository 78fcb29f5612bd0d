"""How much of the disk the spool may take, and what goes when that is used up.

In this order: the oldest gauges, which are counted as dropped; what the quarantine holds, first
what was reported, which is counted as forgotten. Readings that bills rest on never go: where they
alone fill the spool, nothing more is taken in until the archive has taken some.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway import lanes, quarantine_table
from gateway.spool_file import SpoolError

if TYPE_CHECKING:
    import sqlite3

MEGABYTE = 1_000_000
STEP = 500
"""How many go at once: enough to free pages, and not much more than must go."""


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How much the spool holds of what it may hold."""

    used_bytes: int
    quota_bytes: int

    @property
    def is_nearly_full(self) -> bool:
        return self.used_bytes * 10 >= self.quota_bytes * 9

    def __str__(self) -> str:
        used, may = self.used_bytes // MEGABYTE, self.quota_bytes // MEGABYTE
        return f"the spool holds {used} of {may} MB"


class SpoolFullError(SpoolError):
    """Readings that bills rest on fill the spool: nothing more can be taken in now."""


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return how much of the file holds something, in bytes."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    used: int = (pages - free) * size
    return used


def keep_within(connection: sqlite3.Connection, quota_bytes: int) -> None:
    """Make what is stored fit `quota_bytes`, inside the caller's transaction.

    Raises `SpoolFullError` where it cannot; the caller then takes everything back.
    """
    while used_bytes(connection) > quota_bytes:
        if not make_room(connection):
            raise SpoolFullError(
                f"readings that bills rest on fill the spool's quota of "
                f"{quota_bytes // MEGABYTE} MB; nothing is acknowledged until the archive takes "
                "some: bring it back, or raise spool.quota_mb"
            )


def make_room(connection: sqlite3.Connection) -> int:
    """Let go of some of what may go, counted; return how much that was, 0 where nothing may."""
    if dropped := lanes.drop_gauges(connection, STEP):
        connection.execute("UPDATE tally SET dropped = dropped + ?", (dropped,))
        return dropped
    return quarantine_table.forget(connection, STEP)
