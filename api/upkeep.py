"""What the API does for its archive while it runs: closed days are compacted, hour by hour.

The API is the one process that an installation has once and that is always there: gateways may be
many, and are busy. What is due stands in the archive itself (rows of a closed day), so nothing is
missed where an hour is, and two processes that tick at once do no harm.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from apscheduler.schedulers.background import BackgroundScheduler

from meters.archive.compaction import compact
from meters.archive.protocol import ArchiveUnavailableError
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from meters.archive.protocol import Archive

log = logging.getLogger(__name__)


@contextmanager
def archive_upkeep(
    archive: Archive, now: Callable[[], datetime], after_days: int
) -> Iterator[None]:
    """Compact days of `archive` that ended `after_days` days ago, while the block runs.

    0 days leave it alone, and so does an archive that is not of SQL.
    """
    if not after_days or not isinstance(archive, SqlArchive):
        yield
        return
    stopping = threading.Event()

    def tick() -> None:
        before = (now() - timedelta(days=after_days)).date()
        try:
            done = compact(archive, before, proceed=lambda: not stopping.is_set())
        except ArchiveUnavailableError as error:
            log.warning("the archive is not compacted now: %s", error)
        else:
            if done.readings:
                log.info("%d readings of %d closed days are compacted", done.readings, done.days)

    scheduler = BackgroundScheduler(timezone="UTC")
    # a tick that comes late is as good; two that come together are one
    scheduler.add_job(tick, "cron", minute=17, coalesce=True, misfire_grace_time=None)
    scheduler.start()
    try:
        yield
    finally:
        stopping.set()
        scheduler.shutdown()
