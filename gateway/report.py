"""What the gateway tells the API: how it does, and what is in quarantine.

Quarantine items wait in the spool until the API has answered that it holds them.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import httpx

from gateway.api_link import reason_of
from gateway.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.health import Health
    from gateway.site import ReportTarget
    from gateway.spool import Spool, Tally
    from gateway.spool_file import Entry

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
CLOCK_ALARM = "clock"
CLOCK_TOLERANCE = timedelta(seconds=30)
"""How far the gateway's clock may be from the API's, the way between them included."""
ITEMS = 100
"""How many items of the quarantine one report carries at most."""
ITEMS_BYTES = 1_000_000
"""How much of their content; one item always fits."""


class ReportError(RuntimeError):
    """The API did not take the report; the message says what it answered and what to do."""


class Reporter:
    """Reports `gateway` to `target` until cancelled."""

    def __init__(
        self,
        target: ReportTarget,
        *,
        gateway: str,
        spool: Spool,
        health: Health,
        now: Callable[[], datetime],
        heartbeat: Callable[[], Awaitable[dict[str, Any]]] | None = None,
    ) -> None:
        self._target = target
        self._gateway = gateway
        self._spool = spool
        self._health = health
        self._now = now
        self._heartbeat = heartbeat

    async def run(self) -> None:
        """Report at the interval, and at once while more items wait; back off where it fails."""
        backoff = Backoff(first_s=min(2.0, self._target.interval_s))
        loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            while True:
                try:
                    more = await self.report(client)
                except (ReportError, httpx.HTTPError) as error:
                    wait_s = backoff.failed(loop.time())
                    log.warning("report: next try in %.0f s: %s", wait_s, reason_of(error))
                    await asyncio.sleep(wait_s)
                    continue
                if backoff.succeeded():
                    log.info("report: the API is back")
                await asyncio.sleep(0 if more else self._target.interval_s)

    async def report(self, client: httpx.AsyncClient) -> bool:
        """Send one report; return whether more items wait. Raises `ReportError`, `HTTPError`."""
        tally, waiting = await asyncio.to_thread(self._gather)
        entries = _first(waiting)
        more = {} if self._heartbeat is None else await self._heartbeat()
        response = await client.post(
            f"{self._target.url}/v1/gateway/report",
            headers={"Authorization": f"Bearer {self._target.key}"},
            json={**body(self._gateway, self._now(), tally, self._health, entries), **more},
        )
        upto = _accepted(response)
        self._compare_clocks(response)
        if entries and upto is not None:
            # never beyond what was sent, whatever the other side says
            await asyncio.to_thread(self._spool.mark_reported, min(upto, entries[-1].id))
            return len(waiting) > len(entries) and upto >= entries[-1].id
        return False

    def _compare_clocks(self, response: httpx.Response) -> None:
        """Hold the gateway's clock against the API's, where that one says what time it is."""
        stated = response.json().get("now")
        if not isinstance(stated, str):
            return
        with suppress(ValueError):
            ahead = self._now() - datetime.fromisoformat(stated)
            if abs(ahead) <= CLOCK_TOLERANCE:
                self._health.all_clear(CLOCK_ALARM)
                return
            side = "ahead of" if ahead > timedelta(0) else "behind"
            self._health.alarm(
                CLOCK_ALARM,
                f"the gateway's clock is {abs(ahead) // timedelta(seconds=1)} s {side} the API's; "
                "check its time server",
            )

    def _gather(self) -> tuple[Tally, tuple[Entry, ...]]:
        return self._spool.tally(), self._spool.quarantine(limit=ITEMS + 1, unreported=True)


def body(
    gateway: str, now: datetime, tally: Tally, health: Health, entries: Sequence[Entry]
) -> dict[str, Any]:
    """Return the report as the API expects it."""
    return {
        "gateway": gateway,
        "sent_at": now.isoformat(timespec="seconds"),
        "version": _version(),
        "tally": asdict(tally),
        "devices": health.devices(now),
        "quarantine": [
            {
                "id": entry.id,
                "received_at": entry.item.received_at.isoformat(),
                "source": entry.item.source,
                "reason": entry.item.reason.value,
                "detail": entry.item.detail,
                "content_base64": base64.b64encode(entry.item.content).decode("ascii"),
            }
            for entry in entries
        ],
    }


def _first(waiting: Sequence[Entry]) -> Sequence[Entry]:
    """Return as many of the oldest items as one report may carry."""
    total = 0
    for position, entry in enumerate(waiting[:ITEMS]):
        total += len(entry.item.content)
        if total > ITEMS_BYTES and position > 0:
            return waiting[:position]
    return waiting[:ITEMS]


def _accepted(response: httpx.Response) -> int | None:
    """Return up to which item the API holds the quarantine, None where it holds nothing new."""
    if response.status_code in (401, 403):
        raise ReportError(
            f"the API refuses the key ({response.status_code}); check the variable that "
            "report.key_env names, and that the key may report"
        )
    if response.status_code != 200:
        raise ReportError(f"{response.request.url} answered {response.status_code}")
    try:
        upto = response.json()["quarantine_upto"]
    except (ValueError, KeyError, TypeError) as error:
        raise ReportError(
            f"{response.request.url} answered something else than a gateway report's receipt; "
            "check report.url"
        ) from error
    return upto if isinstance(upto, int) else None


def _version() -> str:
    try:
        return version("tallygate")
    except PackageNotFoundError:
        return "unknown"
