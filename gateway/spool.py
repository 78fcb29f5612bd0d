"""The gateway's spool: what was received, on disk, until the archive has confirmed it.

One SQLite file (WAL, `synchronous=FULL`) holds pending readings in their order, the quarantine,
the judge's baselines and the tally. What changes together changes in one transaction, so that
I1 holds at every instant, also after a power cut:

    received = stored + duplicate + quarantined + dropped + spooled
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from gateway import lanes, quarantine_table, quota, recent, spool_file
from gateway.quarantine import Fault, Quarantined, quarantined, reading_content
from gateway.quota import MEGABYTE, Occupancy
from gateway.spool_file import Entry, Pending, Row, SpoolError
from gateway.spool_lock import SpoolLock
from meters.baseline import from_text, to_text
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from gateway.quarantine_table import Stranger
    from gateway.recent import Mark
    from meters.archive.protocol import Appended
    from meters.baseline import Baseline
    from meters.reading import Reading


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
    dropped: int = 0
    """Gauges that made room for what bills rest on."""


class Spool:
    """The spool at `path`, made where there is none.

    It may be used from several threads; every method is one transaction. `read_only` looks into
    the spool of a running gateway, or of one that stands still, without taking the lock.

    Raises `SpoolLockedError` where another process holds the spool, `SpoolError` where the file
    cannot be used. Methods raise `sqlite3.OperationalError` where the disk is full or fails; then
    nothing has changed, and the call may be repeated.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        quarantine_limit: int = 100_000,
        quota_bytes: int = 1000 * MEGABYTE,
    ) -> None:
        self.path = path
        self._quarantine_limit = quarantine_limit
        self._quota_bytes = quota_bytes
        self._guard = threading.Lock()
        self._reading_guard = threading.Lock()
        self._lock = None if read_only else SpoolLock(path)
        try:
            self._connection = spool_file.connect(path, read_only=read_only)
            # a connection of its own: what is forwarded or shown does not hold up what comes in
            self._reader = spool_file.connect(path, read_only=True)
        except SpoolError:
            self._release()
            raise

    def close(self) -> None:
        """Close the file and release the lock."""
        with self._guard, self._reading_guard:
            self._reader.close()
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
        *,
        gauges: Sequence[Row] = (),
        duplicates: int = 0,
        retaken: Sequence[int] = (),
        marks: Sequence[Mark] = (),
    ) -> None:
        """Keep a batch: readings to forward, items for the quarantine, and the moved baselines.

        `gauges` are readings that no bill rests on, `duplicates` counts readings that were kept
        before; `retaken` are numbers of items that leave the quarantine as readings of this batch.
        Raises `SpoolFullError` where readings that bills rest on leave no space.
        """
        while True:
            try:
                with self._transaction() as connection:
                    lanes.put(connection, lanes.BILLING, rows)
                    lanes.put(connection, lanes.GAUGES, gauges)
                    _put_baselines(connection, baselines or {})
                    _put_marks(connection, marks)
                    if quarantine_table.take_out(connection, retaken) != len(retaken):
                        raise ConservationError(
                            f"{self.path}: items that became readings are not in quarantine"
                        )
                    self._set_aside(connection, items)
                    connection.execute(
                        "UPDATE tally SET received = received + ?, duplicate = duplicate + ?,"
                        " quarantined = quarantined + ?",
                        (
                            len(rows) + len(gauges) + duplicates + len(items) - len(retaken),
                            duplicates,
                            len(items) - len(retaken),
                        ),
                    )
                    quota.keep_within(connection, self._quota_bytes)
            except sqlite3.OperationalError as error:
                if not (is_full(error) and self._made_room()):
                    raise
            else:
                return

    def baselines(self) -> dict[Series, Baseline]:
        """Return what every series is judged against."""
        found = self._read("SELECT meter, register, state FROM baseline")
        return {Series(meter, register): from_text(state) for meter, register, state in found}

    def marks(self) -> list[Mark]:
        """Return what is remembered of telegrams, oldest first."""
        return self._read("SELECT mark, at FROM recent ORDER BY id")

    # what goes out

    def pending(self, limit: int) -> Pending | None:
        """Return at most `limit` of the pending readings, None where there are none.

        They are the oldest ones; while more than `limit` wait, the newest are among them.
        """
        with self._reading_guard:
            return lanes.batch(self._reader, limit)

    def settle(self, pending: Pending, appended: Appended, *, now: datetime) -> None:
        """Let go of `pending`, which the archive has confirmed as `appended`.

        Conflicts and what the archive refuses go to the quarantine. Raises `ConservationError`
        where its account does not cover the batch; then everything stays pending.
        """
        items = [
            _left_over(
                conflict.offered,
                Fault.CONFLICT,
                f"the archive holds {conflict.kept.value} (raw {conflict.kept.raw}), and keeps it;"
                " look for two meters under one id",
                now=now,
            )
            for conflict in appended.conflicts
        ]
        items += [
            _left_over(refused.reading, Fault.REFUSED, refused.why, now=now)
            for refused in appended.refused
        ]
        accounted = appended.stored + appended.duplicates + len(items)
        if accounted != len(pending.readings):
            raise ConservationError(
                f"the archive accounts for {accounted} of {len(pending.readings)} readings; "
                "they stay in the spool"
            )
        self._let_go(pending, appended.stored, appended.duplicates, items)

    # what is told

    def tally(self) -> Tally:
        """Return the account; what is spooled follows from the other figures."""
        ((received, stored, duplicate, held, dropped),) = self._read(_FIGURES)
        spooled = received - stored - duplicate - held - dropped
        return Tally(received, stored, duplicate, held, spooled, dropped)

    def conservation(self) -> Tally:
        """Return the account with the pending readings counted; raise where I1 does not hold."""
        with self._reading_guard:
            # one read transaction: a figure that changed between two statements proves nothing
            self._reader.execute("BEGIN")
            try:
                received, stored, duplicate, held, dropped = self._reader.execute(
                    _FIGURES
                ).fetchone()
                billing, gauges, kept, forgotten = self._reader.execute(_COUNTED).fetchone()
            finally:
                self._reader.execute("ROLLBACK")
        spooled = billing + gauges
        tally = Tally(received, stored, duplicate, held, spooled, dropped)
        if (
            received != stored + duplicate + held + dropped + spooled
            or held != kept + forgotten
            or dropped < 0
        ):
            raise ConservationError(
                f"{self.path}: {tally}, of the quarantine {kept} kept and {forgotten} forgotten: "
                "the figures do not add up; keep the file and report this"
            )
        return tally

    def occupancy(self) -> Occupancy:
        """Return how much of its quota the spool uses."""
        with self._reading_guard:
            return Occupancy(quota.used_bytes(self._reader), self._quota_bytes)

    def quarantine(
        self,
        *,
        limit: int = 1000,
        after: int = 0,
        unreported: bool = False,
        source: str | None = None,
    ) -> tuple[Entry, ...]:
        """Return at most `limit` items with a number above `after`, oldest first."""
        found = self._read(
            f"SELECT {spool_file.ENTRY} FROM quarantine"  # noqa: S608 - names of columns
            " WHERE id > ? AND reported <= ? AND (? IS NULL OR source = ?) ORDER BY id LIMIT ?",
            (after, 0 if unreported else 1, source, source, limit),
        )
        return tuple(map(spool_file.entry, found))

    def strangers(self, *, limit: int = 100) -> tuple[Stranger, ...]:
        """Return who reports and is not stated, as far as quarantine keeps it; the last first."""
        with self._reading_guard:
            return quarantine_table.strangers(self._reader, limit)

    def mark_reported(self, upto: int) -> None:
        """Note that every item up to the number `upto` was reported."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE quarantine SET reported = 1 WHERE id <= ? AND NOT reported", (upto,)
            )

    # inside

    def _read(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self._reading_guard:
            return self._reader.execute(statement, values).fetchall()

    def _let_go(
        self, pending: Pending, stored: int, duplicates: int, items: Sequence[Quarantined]
    ) -> None:
        with self._transaction() as connection:
            gone = lanes.remove(connection, lanes.BILLING, pending.numbers)
            gone_gauges = lanes.remove(connection, lanes.GAUGES, pending.gauges)
            # gauges that made room while they were forwarded: they did not get lost after all
            rescued = len(pending.gauges) - gone_gauges
            (dropped,) = connection.execute("SELECT dropped FROM tally").fetchone()
            if gone != len(pending.numbers) or rescued > dropped:
                raise ConservationError(
                    f"{self.path}: {len(pending.readings)} readings were confirmed, but "
                    f"{gone + gone_gauges} of them were pending; nothing was removed"
                )
            self._set_aside(connection, items)
            connection.execute(
                "UPDATE tally SET stored = stored + ?, duplicate = duplicate + ?,"
                " quarantined = quarantined + ?, dropped = dropped - ?",
                (stored, duplicates, len(items), rescued),
            )

    def _set_aside(self, connection: sqlite3.Connection, items: Sequence[Quarantined]) -> None:
        if items:
            quarantine_table.put(connection, items, limit=self._quarantine_limit)

    def _made_room(self) -> bool:
        """Let go of what may go where the disk is full; return whether anything went."""
        with self._guard:
            # what was written once is written over, so that letting go needs no new space
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        with self._transaction() as connection:
            return bool(quota.make_room(connection))

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


_FIGURES = "SELECT received, stored, duplicate, quarantined, dropped FROM tally"
_COUNTED = (
    "SELECT (SELECT count(*) FROM pending), (SELECT count(*) FROM pending_gauge),"
    " (SELECT count(*) FROM quarantine), forgotten FROM tally"
)


def _left_over(reading: Reading, fault: Fault, why: str, *, now: datetime) -> Quarantined:
    return quarantined(
        received_at=now,
        source=f"meter:{reading.series.meter}",
        reason=fault,
        detail=f"register {reading.series.register} at {reading.time.isoformat()}: {why}",
        content=reading_content(reading),
    )


def is_full(error: sqlite3.Error) -> bool:
    """Return whether `error` says that the disk has no space left."""
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL


def _put_baselines(connection: sqlite3.Connection, baselines: Mapping[Series, Baseline]) -> None:
    connection.executemany(
        "INSERT INTO baseline (meter, register, state) VALUES (?, ?, ?)"
        " ON CONFLICT (meter, register) DO UPDATE SET state = excluded.state",
        ((*series, to_text(baseline)) for series, baseline in baselines.items()),
    )


def _put_marks(connection: sqlite3.Connection, marks: Sequence[Mark]) -> None:
    if marks:
        connection.executemany("INSERT INTO recent (mark, at) VALUES (?, ?)", marks)
        connection.execute(
            "DELETE FROM recent WHERE id <= (SELECT max(id) FROM recent) - ?", (recent.KEPT,)
        )
