"""From the spool to the archive: in order, in batches, and gone only once it is confirmed.

What the archive contradicts or refuses goes to quarantine, and keeps nobody back.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.backoff import Backoff
from meters.archive.protocol import ArchiveUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.spool import Spool
    from meters.archive.protocol import Archive

log = logging.getLogger(__name__)

BATCH = 5000
SETTLE_S = 0.05
"""How long a first reading waits for company before both are forwarded."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What became of the readings that left the spool."""

    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0

    @property
    def total(self) -> int:
        return self.stored + self.duplicates + self.quarantined

    def __add__(self, other: Forwarded) -> Forwarded:
        return Forwarded(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
        )


@dataclass(slots=True)
class Progress:
    """How forwarding goes, for people."""

    last_success: datetime | None = None
    error: str | None = None


class Forwarder:
    """Empties `spool` into the archive that `open_archive` opens. One thread at a time uses it.

    The archive is opened when it is first needed and after every failure, so that a gateway also
    starts and works while its archive is away. An archive that is away costs one try, then rest:
    2 s, twice as long after each, up to 5 min.
    """

    def __init__(
        self,
        spool: Spool,
        open_archive: Callable[[], Archive],
        *,
        now: Callable[[], datetime],
        batch: int = BATCH,
    ) -> None:
        self._spool = spool
        self._open_archive = open_archive
        self._archive: Archive | None = None
        self._now = now
        self._batch = batch
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="forwarder")
        self._wake = asyncio.Event()
        self.progress = Progress()

    def forward_batch(self) -> Forwarded:
        """Forward the next batch; its total is 0 where nothing is pending.

        That is the oldest; while more waits than one batch holds, the newest are among it, so that
        catching up after a long outage does not keep back what is read now.

        Raises `ArchiveUnavailableError`; then everything stays pending.
        """
        pending = self._spool.pending(self._batch)
        if pending is None:
            return Forwarded()
        try:
            appended = self._opened().append(pending.readings)
        except ArchiveUnavailableError:
            self._close_archive()
            raise
        self._spool.settle(pending, appended, now=self._now())
        for refused in appended.refused:
            log.warning("the archive refuses a reading of %s", refused.reading.series.meter)
        quarantined = len(appended.conflicts) + len(appended.refused)
        return Forwarded(appended.stored, appended.duplicates, quarantined)

    def forward_all(self) -> Forwarded:
        """Forward until nothing is pending. Raises `ArchiveUnavailableError`."""
        total = Forwarded()
        while (forwarded := self.forward_batch()).total:
            total += forwarded
        return total

    def close(self) -> None:
        """Close the archive. The forwarder may not be used afterwards."""
        self._executor.submit(self._close_archive).result()
        self._executor.shutdown()

    # on the event loop

    def wake(self) -> None:
        """Say, on the event loop, that something is pending."""
        self._wake.set()

    async def run(self) -> None:
        """Forward whatever comes, until cancelled; wait where the archive is away."""
        backoff = Backoff()
        while True:
            self._wake.clear()
            wait_s = await self._attempt(backoff)
            if wait_s is None:
                await self._wake.wait()
                wait_s = SETTLE_S
            await asyncio.sleep(wait_s)

    async def flush(self, within_s: float) -> None:
        """Forward what can be forwarded in `within_s` seconds; what cannot stays in the spool."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        try:
            while loop.time() < deadline:
                forwarded = await loop.run_in_executor(self._executor, self.forward_batch)
                if not forwarded.total:
                    return
        except ArchiveUnavailableError as error:
            log.warning("archive away at the stop, readings stay in the spool: %s", error)

    async def _attempt(self, backoff: Backoff) -> float | None:
        """Forward one batch; return how long to wait before the next, None for until woken."""
        loop = asyncio.get_running_loop()
        try:
            forwarded = await loop.run_in_executor(self._executor, self.forward_batch)
        except ArchiveUnavailableError as error:
            self.progress.error = str(error)
            wait_s = backoff.failed(loop.time())
            log.warning("archive away, next try in %.0f s: %s", wait_s, error)
            return wait_s
        except Exception as error:
            # the loop's edge: an archive's bug must not stop the intake, and nothing is let go
            self.progress.error = f"{type(error).__name__}: {error}"
            wait_s = backoff.failed(loop.time())
            log.exception("forwarding failed, next try in %.0f s", wait_s)
            return wait_s
        if backoff.succeeded():
            log.info("archive is back")
        self.progress.error = None
        if not forwarded.total:
            return None
        self.progress.last_success = self._now()
        log.debug("forwarded %d readings", forwarded.total)
        return 0

    # on the executor's thread

    def _opened(self) -> Archive:
        if self._archive is None:
            self._archive = self._open_archive()
        return self._archive

    def _close_archive(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None
