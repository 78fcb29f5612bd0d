"""What the API does while it runs: it compacts days, finds payments, tells people, computes runs, …

The API is the one process that an installation has once and that is always there: gateways may be
many, and are busy. What is due stands in the archive itself (rows of a closed day), and in the
orders (when each was asked about), so nothing is missed where a tick is, and two processes that
tick at once do no harm.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError

from api.resealing import seal_anew
from api.store import silences
from billing.computing import Sources
from billing.delivery.dispatching import Dispatcher
from billing.payments.provider import ProviderError
from billing.sealing import SealError
from billing.store import medians
from billing.store.delivery_pruning import prune
from billing.store.payments_overlaps import close_superfluous
from billing.store.payments_sweep import sweep, sweep_refunds
from billing.working import work
from meters.archive.compaction import compact
from meters.archive.protocol import ArchiveUnavailableError
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from api.catalogue import Catalogue
    from api.providers import Providers
    from api.resources import Resources
    from billing.database import Database
    from billing.delivery.channels import Channels
    from billing.payments.provider import Provider
    from billing.sealing import Seal
    from meters.archive.protocol import Archive

log = logging.getLogger(__name__)

DELIVERY_SECONDS = 5
SILENCE_MINUTES = 5
LOOK_FOR_JOBS_S = 2
CLOSE_SECONDS = 10
SWEEP_MINUTES = 4
"""With the times of `billing.payments.asking`, a payment is found within ten minutes."""


@contextmanager
def upkeep(resources: Resources) -> Iterator[None]:
    """Do what is to be done once, whoever calls, while the block runs.

    Another process that does it too does no harm: what is due is claimed in the database.
    """
    settings, database, now = resources.settings, resources.database, resources.now
    with (
        archive_upkeep(resources.archive, now, settings.archive_compact_after_days),
        payment_upkeep(database, resources.providers, now),
        run_upkeep(database, resources.archive, resources.catalogue, now),
        seal_upkeep(database, resources.seal, now),
        event_upkeep(database, settings.events_kept_days, now),
        median_upkeep(database, now),
        delivery_upkeep(database, resources.channels, now),
    ):
        yield


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

    with _ticking(tick, "cron", minute=17):
        try:
            yield
        finally:
            stopping.set()


@contextmanager
def payment_upkeep(
    database: Database, providers: Providers, now: Callable[[], datetime]
) -> Iterator[None]:
    """Ask providers every four minutes what became of orders and refunds, while the block runs.

    Every ten seconds, orders over what is paid already are closed there.

    The first tick is at the start. It fetches WeChat Pay's certificates, without which no callback
    is proven; where that fails, the next one does.
    """
    asked = dict(providers.by_account)
    if not asked:
        yield
        return

    def tick() -> None:
        _renew_certificates(providers, now)
        try:
            found = sweep(database, asked, now=now())
            refunds = sweep_refunds(database, asked, now=now())
        except SQLAlchemyError:
            log.exception("payments are not looked for now")
            return
        for number, outcome in found.taken.items():
            log.info("order %s: %s, found without its callback", number, outcome.verdict)
        for number, outcome in refunds.taken.items():
            log.info("refund %s: %s, found without its callback", number, outcome.verdict)
        for number, why in refunds.unanswered.items():
            log.warning("refund %s: the provider said nothing: %s", number, why)
        for number, why in found.unanswered.items():
            log.warning("order %s: the provider was not asked, or said nothing: %s", number, why)

    def close() -> None:
        _close_superfluous(database, asked, now())

    with (
        _ticking(tick, "interval", minutes=SWEEP_MINUTES, next_run_time=now()),
        _ticking(close, "interval", seconds=CLOSE_SECONDS),
    ):
        try:
            yield
        finally:
            asked.clear()  # so that a sweep under way asks nobody else


def _close_superfluous(
    database: Database, providers: Mapping[tuple[str, str], Provider], now: datetime
) -> None:
    try:
        found = close_superfluous(database, providers, now=now)
    except SQLAlchemyError:
        log.exception("orders over what is paid are not closed now")
        return
    for number in found.closed:
        log.info("order %s is closed: what it was for is paid", number)
    for number, why in found.unanswered.items():
        log.warning("order %s is for what is paid, and is not closed yet: %s", number, why)


@contextmanager
def certificate_upkeep(providers: Providers, now: Callable[[], datetime]) -> Iterator[None]:
    """Know the keys that prove callbacks, while the block runs, where no sweep learns them."""
    if providers.wechat is None:
        yield
        return

    def tick() -> None:
        _renew_certificates(providers, now)

    with _ticking(tick, "interval", minutes=SWEEP_MINUTES, next_run_time=now()):
        yield


def _renew_certificates(providers: Providers, now: Callable[[], datetime]) -> None:
    if providers.wechat is None:
        return
    try:
        providers.wechat.renew_certificates(now=now())
    except ProviderError as error:
        log.warning("WeChat Pay's certificates are not fetched now: %s", error)


@contextmanager
def delivery_upkeep(
    database: Database, channels: Channels, now: Callable[[], datetime]
) -> Iterator[None]:
    """Tell whoever wants to hear what has happened, while the block runs.

    What is due stands in the database: two processes share it, and a tick that fails is made up
    for by the next.
    """
    dispatcher = Dispatcher(database, channels.senders, now, channels.groups)

    def send() -> None:
        try:
            dispatcher.deliver()
        except SQLAlchemyError:
            log.exception("messages are not sent now")

    def notice() -> None:
        try:
            silences.tell_of_silent_meters(database, now=now())
        except SQLAlchemyError:
            log.exception("silent meters are not told of now")

    with (
        _ticking(send, "interval", seconds=DELIVERY_SECONDS),
        _ticking(notice, "interval", minutes=SILENCE_MINUTES),
    ):
        try:
            yield
        finally:
            dispatcher.stop()


@contextmanager
def seal_upkeep(database: Database, seal: Seal, now: Callable[[], datetime]) -> Iterator[None]:
    """Keep what is sealed under the newest key, at the start and hourly, while the block runs."""

    def tick() -> None:
        try:
            seal_anew(database, seal)
        except SealError as error:
            log.error("nothing is sent to webhooks, their secrets do not open: %s", error)  # noqa: TRY400  no fault of the program
        except SQLAlchemyError:
            log.exception("secrets are not sealed anew now")

    with _ticking(tick, "interval", hours=1, next_run_time=now()):
        yield


@contextmanager
def event_upkeep(database: Database, kept_days: int, now: Callable[[], datetime]) -> Iterator[None]:
    """Drop events that were told `kept_days` days ago, hourly, while the block runs."""

    def tick() -> None:
        try:
            dropped = prune(database, before=now() - timedelta(days=kept_days))
        except SQLAlchemyError:
            log.exception("events of long ago are not dropped now")
            return
        if dropped:
            log.info("%d events from more than %d days ago are dropped", dropped, kept_days)

    with _ticking(tick, "cron", minute=47):
        yield


@contextmanager
def median_upkeep(database: Database, now: Callable[[], datetime]) -> Iterator[None]:
    """Keep what similar households used in months that are issued, while the block runs.

    At the start and every minute; until then each page works it out for itself.
    """
    stopping = threading.Event()

    def tick() -> None:
        try:
            with database.snapshot() as connection:
                communities = medians.missing(connection)
            for each in communities:
                if stopping.is_set():
                    return
                with database.transaction() as connection:
                    medians.keep(connection, each)
        except SQLAlchemyError:
            log.exception("what similar households used is not kept now")

    with _ticking(tick, "interval", minutes=1, next_run_time=now()):
        try:
            yield
        finally:
            stopping.set()


@contextmanager
def run_upkeep(
    database: Database, archive: Archive, catalogue: Catalogue, now: Callable[[], datetime]
) -> Iterator[None]:
    """Compute the runs that somebody asked for, one after the other, while the block runs.

    The one that is under way is ended first; a process that is killed leaves it to the next.
    """
    stopping = threading.Event()

    def opened(own: Database) -> Sources:
        return Sources(own, archive, catalogue.current(own))

    def tick() -> None:
        try:
            while not stopping.is_set() and (job := work(database, opened, now)) is not None:
                log.info("job %s of run %s is %s", job.id, job.run_id, job.state)
        except SQLAlchemyError:
            log.exception("no run is computed in the background now")

    with _ticking(tick, "interval", seconds=LOOK_FOR_JOBS_S, next_run_time=now()):
        try:
            yield
        finally:
            stopping.set()


@contextmanager
def _ticking(tick: Callable[[], None], trigger: str, **when: object) -> Iterator[None]:
    scheduler = BackgroundScheduler(timezone="UTC")
    # a tick that comes late is as good; two that come together are one
    scheduler.add_job(tick, trigger, coalesce=True, misfire_grace_time=None, **when)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown()
