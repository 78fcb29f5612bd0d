"""The gateway's spool: what was received, on disk, until the archive has confirmed it.

One SQLite file (WAL, `synchronous=FULL`) holds pending readings in their order, the quarantine,
the judge's baselines and the tally. What changes together changes in one transaction, so that
I1 holds at every instant, also after a power cut:

    received = stored + duplicate + quarantined + spooled
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from gateway import spool_file
from gateway.quarantine import Fault, Quarantined, quarantined, reading_content
from gateway.spool_file import Entry, Pending, Row, SpoolError
from gateway.spool_lock import SpoolLock

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from meters.archive.protocol import Appended
    from meters.judge import Baseline
    from meters.reading import Series


class ConservationError(SpoolError):
    """What was received is not what is accounted for (I1)."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of everything that was received, since the spool began."""

    received: int
    stored: int
    duplicate: int
    quarantined: int
    spooled: int


class Spool:
    """The spool at `path`, made where there is none.

    It may be used from several threads; every method is one transaction. `read_only` looks into
    the spool of a running gateway, or of one that stands still, without taking the lock.

    Raises `SpoolLockedError` where another process holds the spool, `SpoolError` where the file
    cannot be used. Methods raise `sqlite3.OperationalError` where the disk is full or fails; then
    nothing has changed, and the call may be repeated.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, quarantine_limit: int = 100_000
    ) -> None:
        self.path = path
        self._quarantine_limit = quarantine_limit
        self._guard = threading.Lock()
        self._lock = None if read_only else SpoolLock(path)
        try:
            self._connection = spool_file.connect(path, read_only=read_only)
        except SpoolError:
            self._release()
            raise

    def close(self) -> None:
        """Close the file and release the lock."""
        with self._guard:
            self._connection.close()
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # what comes in

    def take_in(
        self,
        rows: Sequence[Row],
        items: Sequence[Quarantined] = (),
        baselines: Mapping[Series, Baseline] | None = None,
    ) -> None:
        """Keep a batch: readings to forward, items for the quarantine, and the moved baselines."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO pending (meter, register, time, value, raw, verdict, reasons)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            if baselines:
                connection.executemany(
                    "INSERT INTO baseline (meter, register, time, value) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (meter, register)"
                    " DO UPDATE SET time = excluded.time, value = excluded.value",
                    (
                        (*series, int(baseline.time.timestamp()), str(baseline.value))
                        for series, baseline in baselines.items()
                    ),
                )
            self._put_into_quarantine(connection, items)
            connection.execute(
                "UPDATE tally SET received = received + ?, quarantined = quarantined + ?",
                (len(rows) + len(items), len(items)),
            )

    def baselines(self) -> dict[Series, Baseline]:
        """Return the last good reading of every series."""
        with self._guard:
            found = self._connection.execute(
                "SELECT meter, register, time, value FROM baseline"
            ).fetchall()
        return dict(map(spool_file.baseline, found))

    # what goes out

    def pending(self, limit: int) -> Pending | None:
        """Return at most `limit` of the oldest pending readings, None where there are none."""
        with self._guard:
            found = self._connection.execute(
                "SELECT id, meter, register, time, value, raw, verdict, reasons FROM pending"
                " ORDER BY id LIMIT ?",
                (limit,),
            ).fetchall()
        if not found:
            return None
        return Pending(tuple(spool_file.reading(columns[1:]) for columns in found), found[-1][0])

    def settle(self, pending: Pending, appended: Appended, *, now: datetime) -> None:
        """Let go of `pending`, which the archive has confirmed as `appended`.

        Conflicts go to the quarantine. Raises `ConservationError` where the archive's account does
        not cover the batch; then everything stays pending.
        """
        items = [
            quarantined(
                received_at=now,
                source=f"meter:{conflict.offered.series.meter}",
                reason=Fault.CONFLICT,
                detail=(
                    f"register {conflict.offered.series.register} at "
                    f"{conflict.offered.time.isoformat()}: the archive holds {conflict.kept.value}"
                    f" (raw {conflict.kept.raw}), and keeps it; look for two meters under one id"
                ),
                content=reading_content(conflict.offered),
            )
            for conflict in appended.conflicts
        ]
        accounted = appended.stored + appended.duplicates + len(items)
        if accounted != len(pending.readings):
            raise ConservationError(
                f"the archive accounts for {accounted} of {len(pending.readings)} readings; "
                "they stay in the spool"
            )
        self._let_go(pending, appended.stored, appended.duplicates, items)

    def refuse(self, pending: Pending, detail: str, *, now: datetime) -> None:
        """Move `pending`, which the archive cannot hold for what `detail` says, to quarantine."""
        items = [
            quarantined(
                received_at=now,
                source=f"meter:{reading.series.meter}",
                reason=Fault.REFUSED,
                detail=f"register {reading.series.register}: {detail}",
                content=reading_content(reading),
            )
            for reading in pending.readings
        ]
        self._let_go(pending, 0, 0, items)

    # what is told

    def tally(self) -> Tally:
        """Return the account; what is spooled follows from the other figures."""
        with self._guard:
            received, stored, duplicate, held = self._figures()
        return Tally(received, stored, duplicate, held, received - stored - duplicate - held)

    def conservation(self) -> Tally:
        """Return the account with the pending readings counted; raise where I1 does not hold."""
        with self._guard:
            # one read transaction: a figure that changed between two statements proves nothing
            self._connection.execute("BEGIN")
            try:
                received, stored, duplicate, held = self._figures()
                spooled, kept, forgotten = self._connection.execute(
                    "SELECT (SELECT count(*) FROM pending), (SELECT count(*) FROM quarantine),"
                    " forgotten FROM tally"
                ).fetchone()
            finally:
                self._connection.execute("ROLLBACK")
        tally = Tally(received, stored, duplicate, held, spooled)
        if received != stored + duplicate + held + spooled or held != kept + forgotten:
            raise ConservationError(
                f"{self.path}: {tally}, of the quarantine {kept} kept and {forgotten} forgotten: "
                "the figures do not add up; keep the file and report this"
            )
        return tally

    def quarantine(
        self, *, limit: int = 1000, after: int = 0, unreported: bool = False
    ) -> tuple[Entry, ...]:
        """Return at most `limit` items with a number above `after`, oldest first."""
        with self._guard:
            found = self._connection.execute(
                "SELECT id, received_at, source, reason, detail, content, reported FROM quarantine"
                " WHERE id > ? AND reported <= ? ORDER BY id LIMIT ?",
                (after, 0 if unreported else 1, limit),
            ).fetchall()
        return tuple(map(spool_file.entry, found))

    def mark_reported(self, upto: int) -> None:
        """Note that every item up to the number `upto` was reported."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE quarantine SET reported = 1 WHERE id <= ? AND NOT reported", (upto,)
            )

    # inside

    def _figures(self) -> tuple[int, int, int, int]:
        figures: tuple[int, int, int, int] = self._connection.execute(
            "SELECT received, stored, duplicate, quarantined FROM tally"
        ).fetchone()
        return figures

    def _let_go(
        self, pending: Pending, stored: int, duplicates: int, items: Sequence[Quarantined]
    ) -> None:
        with self._transaction() as connection:
            gone = connection.execute("DELETE FROM pending WHERE id <= ?", (pending.last,)).rowcount
            if gone != len(pending.readings):
                raise ConservationError(
                    f"{self.path}: {len(pending.readings)} readings were confirmed, but {gone} "
                    "were pending up to there; nothing was removed"
                )
            self._put_into_quarantine(connection, items)
            connection.execute(
                "UPDATE tally SET stored = stored + ?, duplicate = duplicate + ?,"
                " quarantined = quarantined + ?",
                (stored, duplicates, len(items)),
            )

    def _put_into_quarantine(
        self, connection: sqlite3.Connection, items: Sequence[Quarantined]
    ) -> None:
        if not items:
            return
        connection.executemany(
            "INSERT INTO quarantine (received_at, source, reason, detail, content)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                (int(i.received_at.timestamp()), i.source, i.reason.value, i.detail, i.content)
                for i in items
            ),
        )
        # a flood of foreign messages must not fill the disk: reported items go first
        (kept,) = connection.execute("SELECT count(*) FROM quarantine").fetchone()
        if (excess := kept - self._quarantine_limit) > 0:
            connection.execute(
                "DELETE FROM quarantine WHERE id IN"
                " (SELECT id FROM quarantine ORDER BY reported DESC, id LIMIT ?)",
                (excess,),
            )
            connection.execute("UPDATE tally SET forgotten = forgotten + ?", (excess,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # a full disk may have ended the transaction already
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
