"""What people ask of the gateway: a new device list, a reading now, a counter to go on from.

The gateway calls the API and waits there, so that nothing has to reach the gateway from outside.
What the API asks is done at most as often as it asks; where the API is away, nothing is missed but
readings that nobody waits for any more.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from gateway.api_link import ApiError, ApiLink, reason_of
from gateway.backoff import Backoff
from gateway.modbus import ModbusError
from gateway.read_now import registers_read
from meters.interval import utc
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.api_link import Request
    from gateway.committer import Words
    from gateway.site import ReportTarget
    from meters.baseline import Baseline
    from meters.meter_type import MeterType

log = logging.getLogger(__name__)

READ_WITHIN_S = 50.0
"""How long a bus may take for a reading that somebody waits for: less than they wait."""
PAUSE_S = 1.0
"""The shortest time between two calls: an API that answers at once is not flooded."""


class Site(Protocol):
    """What a request can be done with: see `gateway.run.Running`."""

    @property
    def list_tag(self) -> str | None:
        """The tag of the list that was seen last; None where devices stand in a file."""

    async def take_list(self, tag: str, document: Any) -> None:
        """Work from this list from now on, if it can be taken; else say so in the report."""

    async def read_now(self, meter: str) -> Words:
        """Read `meter` before anything else; raise `ModbusError` or `KeyError`."""

    async def rebase(self, series: Series, time: datetime, value: Decimal) -> None:
        """Let `series` go on from `value`."""

    async def known(self, meter: str) -> tuple[MeterType, Mapping[Series, Baseline], str | None]:
        """Return the meter's type, what it is judged by, and the number that it must state."""


class Requests:
    """Asks the API at `target` what to do on `site`, and does it, until cancelled."""

    def __init__(self, target: ReportTarget, site: Site) -> None:
        self._target = target
        self._site = site
        self._under_way: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Ask, do and answer; back off where the API is away."""
        backoff = Backoff(first_s=1.0)
        loop = asyncio.get_running_loop()
        try:
            async with ApiLink(self._target) as link:
                while True:
                    try:
                        await self.ask(link)
                    except (ApiError, httpx.HTTPError) as error:
                        wait_s = backoff.failed(loop.time())
                        log.info("requests: next try in %.0f s: %s", wait_s, reason_of(error))
                        await asyncio.sleep(wait_s)
                        continue
                    if backoff.succeeded():
                        log.info("requests: the API is back")
                    await asyncio.sleep(PAUSE_S)
        finally:
            for task in self._under_way.values():
                task.cancel()

    async def ask(self, link: ApiLink) -> None:
        """Ask once, and begin what is to be done. Raises `ApiError`, `HTTPError`."""
        tag = self._site.list_tag
        waiting = await link.waiting("" if tag is None else tag)
        if tag is not None and waiting.list_tag != tag:
            found = await link.device_list(tag)
            if found is not None:
                await self._site.take_list(*found)
        for request in waiting.requests:
            if request.id not in self._under_way:
                self._under_way[request.id] = asyncio.create_task(self._do(link, request))

    async def _do(self, link: ApiLink, request: Request) -> None:
        try:
            await self._answer(link, request)
        finally:
            del self._under_way[request.id]

    async def _answer(self, link: ApiLink, request: Request) -> None:
        try:
            body = await self._outcome(request)
        except Exception as error:
            # the edge of one request: whoever asked shall hear it, and the gateway goes on
            log.exception("request %d could not be done", request.id)
            body = _failed(f"{type(error).__name__}: {error}; this is a defect of the gateway")
        try:
            await link.answer(request.id, body)
        except (ApiError, httpx.HTTPError) as error:
            log.warning("request %d: the answer did not arrive: %s", request.id, reason_of(error))

    async def _outcome(self, request: Request) -> dict[str, Any]:
        """Do what is asked and return the answer."""
        match request.kind:
            case "read":
                return await self._read(request.meter)
            case "rebase":
                return await self._rebase(request)
        return _failed(f"this gateway knows no request of kind {request.kind!r}; update it")

    async def _read(self, meter: str) -> dict[str, Any]:
        try:
            meter_type, baselines, identity = await self._site.known(meter)
            async with asyncio.timeout(READ_WITHIN_S):
                words = await self._site.read_now(meter)
        except KeyError:
            return _failed(f"meter {meter!r} stands on no bus of this gateway")
        except ModbusError as error:
            return _failed(str(error))
        except TimeoutError:
            return _failed(f"the bus was busy for {READ_WITHIN_S:.0f} s; ask again")
        return {
            "done": True,
            "time": words.time.isoformat(),
            "registers": registers_read(meter_type, words, baselines, identity),
        }

    async def _rebase(self, request: Request) -> dict[str, Any]:
        try:
            series = Series(request.meter, str(request.detail["register"]))
            time = utc(datetime.fromisoformat(request.detail["time"]))
            value = Decimal(request.detail["value"])
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            return _failed(f"the request cannot be understood: {error!r}")
        await self._site.rebase(series, time, value)
        log.info("%s of %s goes on from %s, as a person confirmed", *reversed(series), value)
        return {"done": True}


def _failed(error: str) -> dict[str, Any]:
    return {"done": False, "error": error}
