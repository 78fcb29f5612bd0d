"""How a running gateway is managed: its settings read anew, its device list taken from the API."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from gateway.device_list import DeviceListFile, Kept, read_device_list
from meters.definition import DefinitionError, Problem
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from gateway.committer import Words
    from gateway.forwarder import Progress
    from gateway.running import Running
    from gateway.site import Site
    from gateway.spool import Spool
    from meters.baseline import Baseline
    from meters.meter_type import MeterType
    from meters.question import Question
    from meters.reading import Series

log = logging.getLogger(__name__)

SETTINGS_ALARM = "settings"
LIST_ALARM = "device-list"
ASKED_WITHIN_S = 5.0
"""How long a heartbeat waits for the committer, which waits itself where the disk is full."""
SOURCE = "the API's device list"
NEEDS_RESTART = (
    "gateway",
    "archive_url",
    "spool_path",
    "quarantine_limit",
    "quota_bytes",
    "report",
)
"""What a running gateway cannot change."""


class Management:
    """Changes what `running` works for; `load` makes a site of the settings file and a list.

    It is the `gateway.requests.Site` that requests of the API are done with.
    """

    def __init__(
        self,
        running: Running,
        *,
        spool: Spool,
        progress: Callable[[], Progress],
        load: Callable[[Kept | None], Site] | None,
    ) -> None:
        self._running = running
        self._spool = spool
        self._progress = progress
        self._load = load
        self._seen_tag = running.site.list_tag
        self._refused: str | None = None

    # what requests of the API are done with

    @property
    def list_tag(self) -> str | None:
        """The tag of the list that was seen last, taken or not; None for devices in a file."""
        return None if self._running.site.list_tag is None else self._seen_tag

    async def take_list(self, tag: str, document: Any) -> None:
        """Work from the list and keep it, if it can be taken; else the last good one stays."""
        if self._load is None:
            return
        self._seen_tag = tag
        try:
            kept = Kept(tag, read_device_list(document, SOURCE))
            site = await asyncio.to_thread(self._load, kept)
            self._assert_goes_on(site)
            await self._running.replace(site)
        except (DefinitionError, OSError) as error:
            self._refused = str(error)
            log.error("the new device list is refused, the last one stays: %s", error)  # noqa: TRY400 - the problems say it all
            return
        self._refused = None
        try:
            await asyncio.to_thread(DeviceListFile(self._spool.path).write, tag, document)
        except OSError as error:
            self._running.health.alarm(LIST_ALARM, f"the device list cannot be kept: {error}")
        else:
            self._running.health.all_clear(LIST_ALARM)

    async def read_now(self, meter: str) -> Words:
        """Read `meter` before anything else; raise `ModbusError` or `KeyError`."""
        return await self._running.read_now(meter)

    async def rebase(self, series: Series, time: datetime, value: Decimal) -> None:
        """Let `series` go on from `value`."""
        await self._running.rebase(series, time, value)

    async def known(self, meter: str) -> tuple[MeterType, Mapping[Series, Baseline], str | None]:
        """Return the meter's type, what it is judged by, and the number that it must state."""
        return await self._running.known(meter)

    # what a person at the box asks

    async def reload(self) -> None:
        """Read the settings file anew; where it is wrong, everything goes on as it is."""
        if self._load is None:
            return
        health = self._running.health
        try:
            site = await asyncio.to_thread(self._load, None)
            self._assert_goes_on(site)
            await self._running.replace(site)
        except (DefinitionError, OSError) as error:
            health.alarm(SETTINGS_ALARM, f"the settings are refused: {error}")
            log.error("the settings are refused, everything goes on as it is: %s", error)  # noqa: TRY400 - the problems say it all
            return
        health.all_clear(SETTINGS_ALARM)

    def _assert_goes_on(self, site: Site) -> None:
        running = self._running.site
        changed = [name for name in NEEDS_RESTART if getattr(site, name) != getattr(running, name)]
        if changed:
            what = f"{', '.join(changed)} cannot change while it runs; restart the gateway"
            raise DefinitionError([Problem("the settings", "", what)])

    # what the API hears

    async def heartbeat(self) -> dict[str, Any]:
        """Return how the gateway does, beside its counts and devices."""
        site, health = self._running.site, self._running.health
        occupancy = await asyncio.to_thread(self._spool.occupancy)
        alarms = dict(health.alarms)
        if error := self._progress().error:
            alarms["archive"] = error
        if health.broker_error is not None:
            alarms["broker"] = health.broker_error
        found: dict[str, Any] = {
            "spool": {"bytes": occupancy.used_bytes, "quota_bytes": occupancy.quota_bytes},
            "alarms": [{"kind": kind, "detail": text} for kind, text in sorted(alarms.items())],
        }
        if site.list_tag is not None:
            found["device_list"] = {"tag": site.list_tag, "refused": self._refused}
        try:
            async with asyncio.timeout(ASKED_WITHIN_S):
                asked = await self._running.questions()
        except TimeoutError:
            return found  # the alarm of the spool says why
        found["questions"] = [self._question(each) for each in asked]
        return found

    def _question(self, asked: Question) -> dict[str, Any]:
        meter, register = asked.series
        meter_type = self._running.type_of(meter)
        known = None if meter_type is None else meter_type.registers.get(register)
        return {
            "meter": meter,
            "register": register,
            "unit": "1" if known is None else known.canonical_unit,
            "likely": asked.likely.value,
            "known": plain(asked.known),
            "known_at": asked.known_at.isoformat(),
            "first": plain(asked.first),
            "since": asked.since.isoformat(),
            "value": plain(asked.value),
            "time": asked.time.isoformat(),
            "readings": asked.readings,
        }
