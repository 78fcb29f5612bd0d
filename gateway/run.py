"""A running gateway: everything composed on one event loop, and stopped in the right order."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.clock import WatchedClock
from gateway.forwarder import Forwarder
from gateway.health import StatusFile
from gateway.management import Management
from gateway.metrics import Figures, FiguresServer
from gateway.report import Reporter
from gateway.requests import Requests
from gateway.running import GatewayFailedError, Running
from gateway.spool import Spool
from gateway.tasks import cancel
from meters.archive.open import open_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from gateway.device_list import Kept
    from gateway.health import Health
    from gateway.site import Site
    from meters.archive.protocol import Archive

log = logging.getLogger(__name__)

STATUS_EVERY_S = 2.0
FORWARD_WITHIN_S = 5.0


def utc_now() -> datetime:
    """Return the wall clock's time."""
    return datetime.now(UTC)


class Gateway:
    """A gateway for `site`. It runs once: `await run(stop)` until `stop` is set.

    `now` is the wall clock; `connect` makes the archive that readings are forwarded to. `load`
    makes the site anew, of its settings file and of the device list that it is given; without it
    the gateway keeps the site that it began with.
    """

    def __init__(
        self,
        site: Site,
        *,
        now: Callable[[], datetime] = utc_now,
        connect: Callable[[str], Archive] = open_archive,
        load: Callable[[Kept | None], Site] | None = None,
    ) -> None:
        self._site = site
        self._now = now
        self._clock = WatchedClock(now)
        self._connect = connect
        self._load = load
        self._reload = asyncio.Event()
        self._figures = Figures()

    def reload(self) -> None:
        """Have the settings file read anew; call it on the gateway's loop."""
        self._reload.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Read, keep and forward until `stop` is set; then stop in order and return.

        Raises `SpoolError` where the spool cannot be used, `GatewayFailedError` where a part ended
        by itself. What was acknowledged is in the spool in any case.
        """
        with ExitStack() as stack:
            if (table := self._site.metrics) is not None:
                stack.enter_context(FiguresServer(self._figures, host=table.host, port=table.port))
            spool = stack.enter_context(
                Spool(
                    self._site.spool_path,
                    quarantine_limit=self._site.quarantine_limit,
                    quota_bytes=self._site.quota_bytes,
                )
            )
            tally = spool.conservation()
            log.info("gateway %s starts, spool %s: %s", self._site.gateway, spool.path, tally)
            forwarder = Forwarder(
                spool, lambda: self._connect(self._site.archive_url), now=self._now
            )
            stack.callback(forwarder.close)
            await self._run(spool, forwarder, stop)
            log.info("gateway %s stopped: %s", self._site.gateway, spool.conservation())

    async def _run(self, spool: Spool, forwarder: Forwarder, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        running = Running(
            self._site,
            spool=spool,
            clock=self._clock,
            now=self._now,
            committed=lambda: _on_loop(loop, forwarder.wake),
        )
        management = Management(
            running, spool=spool, progress=lambda: forwarder.progress, load=self._load
        )
        await running.start()
        reading = [asyncio.create_task(running.buses.run(), name="buses")]
        reading += map(asyncio.create_task, self._asking(management))
        rest = [
            asyncio.create_task(each)
            for each in self._others(spool, forwarder, running, management)
        ]
        try:
            await _until(stop, reading + rest)
        finally:
            await cancel(reading)
            await running.stop()
            await cancel(rest)
            await forwarder.flush(FORWARD_WITHIN_S)
            self._write_status(spool, forwarder, running.health)

    def _asking(self, management: Management) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what changes the site or asks the buses, and must end before they do."""
        yield self._reloading(management)
        if self._site.report is not None:
            yield Requests(self._site.report, management).run()

    def _others(
        self, spool: Spool, forwarder: Forwarder, running: Running, management: Management
    ) -> Iterator[Coroutine[Any, Any, None]]:
        yield forwarder.run()
        yield self._watch(spool, forwarder, running)
        if self._site.report is not None:
            reporter = Reporter(
                self._site.report,
                gateway=self._site.gateway,
                spool=spool,
                health=running.health,
                now=self._now,
                heartbeat=management.heartbeat,
            )
            yield reporter.run()

    async def _reloading(self, management: Management) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            await management.reload()

    async def _watch(self, spool: Spool, forwarder: Forwarder, running: Running) -> None:
        """Write the status, and see that the threads run: nothing else would miss them."""
        while True:
            running.assert_alive()
            await asyncio.to_thread(self._write_status, spool, forwarder, running.health)
            await asyncio.sleep(STATUS_EVERY_S)

    def _write_status(self, spool: Spool, forwarder: Forwarder, health: Health) -> None:
        snapshot = health.snapshot(
            gateway=self._site.gateway,
            now=self._now(),
            tally=spool.tally(),
            occupancy=spool.occupancy(),
            progress=forwarder.progress,
            strangers=spool.strangers(),
        )
        self._figures.snapshot = snapshot
        try:
            StatusFile(self._site.spool_path).write(snapshot.document())
        except OSError as error:
            # a full disk stops the spool, which says so; the status is only for people
            log.warning("the status cannot be written: %s", error)


async def run_until_signalled(
    site: Site, load: Callable[[Kept | None], Site] | None = None
) -> None:
    """Run a gateway for `site` until SIGTERM or SIGINT; SIGHUP makes it read its settings anew."""
    stop = asyncio.Event()
    gateway = Gateway(site, load=load)
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGTERM: stop.set, signal.SIGINT: stop.set, signal.SIGHUP: gateway.reload}
    for signum, handler in handlers.items():
        loop.add_signal_handler(signum, handler)
    try:
        await gateway.run(stop)
    finally:
        for signum in handlers:
            loop.remove_signal_handler(signum)


async def _until(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for `stop`; raise what a task raises, as none of them ends by itself."""
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel([stopped])
    for task in done - {stopped}:
        task.result()
        raise GatewayFailedError(f"{task.get_coro()} has ended")


def _on_loop(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    # at the stop the loop may be closed before the last batch is
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
