"""A running gateway: everything composed on one event loop, and stopped in the right order."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gateway.bus import BusWorker
from gateway.committer import Committer, Words
from gateway.forwarder import Forwarder
from gateway.health import DeviceHealth, Health, StatusFile
from gateway.intake import Intake
from gateway.modbus import ModbusConnection
from gateway.mqtt import Subscriber
from gateway.report import Reporter
from gateway.spool import Spool
from meters.archive.open import open_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from typing import Any

    from gateway.site import Site
    from meters.archive.protocol import Archive
    from meters.baseline import Baseline
    from meters.reading import Series

log = logging.getLogger(__name__)

STATUS_EVERY_S = 2.0
COMMIT_WITHIN_S = 10.0
FORWARD_WITHIN_S = 5.0
GOODBYE_WITHIN_S = 3.0


class GatewayFailedError(RuntimeError):
    """A part of the gateway ended that must not; the process should be started anew."""


def utc_now() -> datetime:
    """Return the wall clock's time."""
    return datetime.now(UTC)


class Gateway:
    """A gateway for `site`. It runs once: `await run(stop)` until `stop` is set.

    `now` is the wall clock; `connect` makes the archive that readings are forwarded to.
    """

    def __init__(
        self,
        site: Site,
        *,
        now: Callable[[], datetime] = utc_now,
        connect: Callable[[str], Archive] = open_archive,
    ) -> None:
        self._site = site
        self._now = now
        self._connect = connect

    async def run(self, stop: asyncio.Event) -> None:
        """Read, keep and forward until `stop` is set; then stop in order and return.

        Raises `SpoolError` where the spool cannot be used, `GatewayFailedError` where a part ended
        by itself. What was acknowledged is in the spool in any case.
        """
        with ExitStack() as stack:
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
        intake = Intake(spool, meters=self._site.types, mqtt=self._site.mqtt_meters)
        health = Health(_devices(self._site, spool.baselines()))
        committer = Committer(
            intake,
            health=health,
            committed=lambda: _on_loop(loop, forwarder.wake),
        )
        subscriber = None
        if self._site.broker is not None:
            subscriber = Subscriber(
                self._site.broker, offer=committer.offer, health=health, now=self._now
            )
        committer.start()
        if subscriber is not None:
            subscriber.start()
        reading = [asyncio.create_task(each, name="bus") for each in self._buses(committer, health)]
        rest = [
            asyncio.create_task(each)
            for each in self._others(spool, forwarder, health, committer, subscriber)
        ]
        try:
            await _until(stop, reading + rest)
        finally:
            await _cancel(reading)
            if subscriber is not None:
                subscriber.pause()
            await asyncio.to_thread(committer.stop, COMMIT_WITHIN_S)
            if subscriber is not None:
                await asyncio.to_thread(subscriber.stop, GOODBYE_WITHIN_S)
            await _cancel(rest)
            await forwarder.flush(FORWARD_WITHIN_S)
            self._write_status(spool, forwarder, health)

    def _buses(self, committer: Committer, health: Health) -> Iterator[Coroutine[Any, Any, None]]:
        async def deliver(meter: str, time: datetime, image: Mapping[int, int]) -> None:
            await committer.put(Words(meter, time, image))

        for bus in self._site.buses:
            connection = ModbusConnection(bus.host, bus.port, timeout_s=bus.timeout_s)
            worker = BusWorker(
                bus,
                connection,
                poll=self._site.poll,
                deliver=deliver,
                health=health,
                now=self._now,
            )
            yield worker.run()

    def _others(
        self,
        spool: Spool,
        forwarder: Forwarder,
        health: Health,
        committer: Committer,
        subscriber: Subscriber | None,
    ) -> Iterator[Coroutine[Any, Any, None]]:
        yield forwarder.run()
        yield self._watch(spool, forwarder, health, committer, subscriber)
        if self._site.report is not None:
            reporter = Reporter(
                self._site.report,
                gateway=self._site.gateway,
                spool=spool,
                health=health,
                now=self._now,
            )
            yield reporter.run()

    async def _watch(
        self,
        spool: Spool,
        forwarder: Forwarder,
        health: Health,
        committer: Committer,
        subscriber: Subscriber | None,
    ) -> None:
        """Write the status, and see that the threads run: nothing else would miss them."""
        while True:
            if not committer.is_alive:
                raise GatewayFailedError("the committer has ended; see the error above")
            if subscriber is not None and not subscriber.is_alive:
                raise GatewayFailedError("the subscriber's network loop stands still")
            await asyncio.to_thread(self._write_status, spool, forwarder, health)
            await asyncio.sleep(STATUS_EVERY_S)

    def _write_status(self, spool: Spool, forwarder: Forwarder, health: Health) -> None:
        found = health.snapshot(
            gateway=self._site.gateway,
            now=self._now(),
            tally=spool.tally(),
            occupancy=spool.occupancy(),
            progress=forwarder.progress,
            strangers=spool.strangers(),
        ).document()
        try:
            StatusFile(self._site.spool_path).write(found)
        except OSError as error:
            # a full disk stops the spool, which says so; the status is only for people
            log.warning("the status cannot be written: %s", error)


async def run_until_signalled(site: Site) -> None:
    """Run a gateway for `site` until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    try:
        await Gateway(site).run(stop)
    finally:
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(signum)


def _devices(site: Site, baselines: Mapping[Series, Baseline]) -> Iterator[DeviceHealth]:
    """Yield every meter; one that was heard before the start is not silent for the restart."""
    heard: dict[str, datetime] = {}
    for series, baseline in baselines.items():
        heard[series.meter] = max(baseline.time, heard.get(series.meter, baseline.time))
    for device in site.devices:
        yield DeviceHealth(device.meter, device.type.id, last_answer=heard.get(device.meter))
    if site.broker is not None:
        silent_after = timedelta(seconds=site.broker.silent_after_s)
        for meter in site.broker.meters:
            yield DeviceHealth(meter.meter, meter.type.id, silent_after, heard.get(meter.meter))


async def _until(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for `stop`; raise what a task raises, as none of them ends by itself."""
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel([stopped])
    for task in done - {stopped}:
        task.result()
        raise GatewayFailedError(f"{task.get_coro()} has ended")


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` and wait for their end, however often that takes."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        # a library may swallow a cancellation, and then waits for the next one
        _, pending = await asyncio.wait(pending, timeout=0.5)
    await asyncio.gather(*tasks, return_exceptions=True)


def _on_loop(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    # at the stop the loop may be closed before the last batch is
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
