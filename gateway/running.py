"""The parts of a gateway at work: buses, subscriber, intake; its site may change meanwhile."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from gateway.bus import BusWorker
from gateway.buses import Buses
from gateway.committer import Committer
from gateway.health import DeviceHealth, Health
from gateway.intake import Intake
from gateway.mqtt import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from decimal import Decimal

    from gateway.clock import WatchedClock
    from gateway.committer import Words
    from gateway.site import Bus, Site
    from gateway.spool import Spool
    from meters.baseline import Baseline
    from meters.meter_type import MeterType
    from meters.question import Question
    from meters.reading import Series

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

COMMIT_WITHIN_S = 10.0
GOODBYE_WITHIN_S = 3.0


class GatewayFailedError(RuntimeError):
    """A part of the gateway ended that must not; the process should be started anew."""


class Running:
    """Reads the meters of `site` into `spool`; `committed` is called when readings were kept.

    Everything is called on one event loop but `committed`, which is called on the committer's
    thread.
    """

    def __init__(
        self,
        site: Site,
        *,
        spool: Spool,
        clock: WatchedClock,
        now: Callable[[], datetime],
        committed: Callable[[], None],
    ) -> None:
        self.site = site
        self._spool = spool
        self._clock = clock
        self._now = now
        self.health = Health(_devices(site, spool.baselines()))
        self._intake = Intake(
            spool, meters=site.types, mqtt=site.mqtt_meters, identities=site.identities
        )
        self.committer = Committer(self._intake, health=self.health, committed=committed)
        self._subscriber = self._new_subscriber(site)
        self.buses = Buses(self._worker)
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Begin to read, after what was kept of meters that are known by now was taken in."""
        await asyncio.to_thread(self._intake.adopt)
        self.committer.start()
        if self._subscriber is not None:
            self._subscriber.start()
        await self.buses.replace(self.site.buses, self.site.poll)

    async def stop(self) -> None:
        """End reading first, then keep what was read, then acknowledge it."""
        await self.buses.stop()
        if self._subscriber is not None:
            self._subscriber.pause()
        await asyncio.to_thread(self.committer.stop, COMMIT_WITHIN_S)
        if self._subscriber is not None:
            await asyncio.to_thread(self._subscriber.stop, GOODBYE_WITHIN_S)

    def assert_alive(self) -> None:
        """Raise `GatewayFailedError` where a thread has ended: nothing else would miss it."""
        if not self.committer.is_alive:
            raise GatewayFailedError("the committer has ended; see the error above")
        if self._subscriber is not None and not self._subscriber.is_alive:
            raise GatewayFailedError("the subscriber's network loop stands still")

    async def replace(self, site: Site) -> None:
        """Read the meters of `site` from now on; no reading is dropped for the change.

        What is under way ends as it began, and what came in is judged by what came before it. Then
        what was kept of meters that were unknown so far is taken in. Raises `OSError` where a
        certificate for the broker cannot be read; then nothing has changed.
        """
        async with self._changing:
            before = self.site
            is_elsewhere = _way(before) != _way(site)
            subscriber = self._new_subscriber(site) if is_elsewhere else None
            # what a meter that goes still answers, or one that comes, finds its place
            self.health.add(_devices(site, await asyncio.to_thread(self._spool.baselines)))
            await self._errand(
                lambda: self._intake.replace_site(
                    meters=site.types, mqtt=site.mqtt_meters, identities=site.identities
                )
            )
            if site.zone != before.zone:
                # a worker keeps the midnights that it began with
                await self.buses.replace((), site.poll)
            self.site = site
            await self.buses.replace(site.buses, site.poll)
            if is_elsewhere:
                await self._change_subscriber(subscriber)
            elif self._subscriber is not None and site.broker is not None:
                self._subscriber.want(site.broker.meters, site.broker.listen)
            adopted = await self._errand(self._intake.adopt)
            self.health.keep({device.meter for device in _devices(site, {})})
        log.info(
            "gateway %s reads %d meters on %d buses and %d through the broker; %d kept messages "
            "were taken in",
            site.gateway,
            len(site.types),
            len(site.buses),
            len(site.mqtt_meters),
            adopted,
        )

    async def questions(self) -> tuple[Question, ...]:
        """Return what only a person can answer, of the meters that are still read."""
        found = await self._errand(self._intake.questions)
        return tuple(each for each in found if self.type_of(each.series.meter) is not None)

    async def rebase(self, series: Series, time: datetime, value: Decimal) -> None:
        """Let `series` go on from `value`, which it showed at `time`; durable on return."""
        await self._errand(lambda: self._intake.rebase(series, time, value))

    async def read_now(self, meter: str) -> Words:
        """Read `meter` before anything else; raise `ModbusError`, or `KeyError` for no such one."""
        return await self.buses.read_now(meter)

    async def known(self, meter: str) -> tuple[MeterType, Mapping[Series, Baseline], str | None]:
        """Return the type of a meter on a bus, what it is judged by, and the number it must state.

        Raises `KeyError` where it stands on no bus.
        """
        meter_type = self.site.types[meter]
        baselines = await asyncio.to_thread(self._spool.baselines)
        return meter_type, baselines, self.site.identities.get(meter)

    def type_of(self, meter: str) -> MeterType | None:
        """Return the type of any meter of the site."""
        reporting = {each.meter: each.type for each in self.site.mqtt_meters}
        return self.site.types.get(meter) or reporting.get(meter)

    async def _errand(self, run: Callable[[], Answer]) -> Answer:
        return await asyncio.wrap_future(self.committer.call(run))

    async def _change_subscriber(self, new: Subscriber | None) -> None:
        """Receive from another broker, or on another way."""
        if (old := self._subscriber) is not None:
            old.pause()  # what it gave is committed and acknowledged before it goes
            await self._errand(lambda: None)
            await asyncio.to_thread(old.stop, GOODBYE_WITHIN_S)
        self._subscriber = new
        if new is not None:
            new.start()

    def _new_subscriber(self, site: Site) -> Subscriber | None:
        if site.broker is None:
            return None
        return Subscriber(
            site.broker, offer=self.committer.offer, health=self.health, now=self._now
        )

    def _worker(self, bus: Bus) -> BusWorker:
        return BusWorker(
            bus,
            poll=self.site.poll,
            zone=self.site.zone,
            deliver=self.committer.put,
            health=self.health,
            clock=self._clock,
        )


def _way(site: Site) -> object:
    """Return how the broker is reached, whatever is wanted from it."""
    return None if site.broker is None else replace(site.broker, meters=(), listen=())


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
