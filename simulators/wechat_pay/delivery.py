"""How notices reach a merchant: by HTTP, again and again until they are taken, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from simulators.chance import draw
from simulators.wechat_pay.books import RefundStatus
from simulators.wechat_pay.faults import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from simulators.wechat_pay.notices import Notice
    from simulators.wechat_pay.platform import Platform

_MINUTE = 60
_HOUR = 3600
RETRIES_S = (
    *(15, 15, 30),
    *(minutes * _MINUTE for minutes in (3, 10, 20, 30, 30, 30, 60)),
    *(hours * _HOUR for hours in (3, 3, 3, 6, 6)),
)
"""Seconds from one try to the next: 24 hours and 4 minutes in all."""
ANSWER_WITHIN_S = 5
TAKEN = frozenset({200, 204})


@dataclass(frozen=True, slots=True)
class Try:
    """One try to tell a merchant something. `status` is None where no answer came."""

    number: int
    event: str
    about: str
    attempt: int
    trouble: Trouble | None
    status: int | None

    @property
    def is_taken(self) -> bool:
        return self.status in TAKEN


class Deliveries:
    """Sends what `platform` has to tell, on the running loop. Times are scaled by `pace`.

    A refund settles by itself after `refund_after_s`, unless that is None. `tries` holds what was
    sent, in order.
    """

    def __init__(
        self,
        platform: Platform,
        clock: Callable[[], datetime],
        *,
        pace: float = 1.0,
        refund_after_s: float | None = 5.0,
    ) -> None:
        self.tries: list[Try] = []
        self._platform = platform
        self._clock = clock
        self._pace = pace
        self._refund_after_s = refund_after_s
        self._http = httpx.AsyncClient(timeout=ANSWER_WITHIN_S, trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: asyncio.Event | None = None
        self._settling: set[str] = set()

    async def end(self) -> None:
        """Forget what is still to be delivered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    def tell(self, notice: Notice) -> None:
        """Deliver `notice` from now on."""
        self._begin(self._deliver(notice))

    def settle_refunds(self) -> None:
        """See to it that refunds under way are settled in time."""
        if self._refund_after_s is None:
            return
        for refund in self._platform.refunds_under_way():
            if refund.number not in self._settling:
                self._settling.add(refund.number)
                self._begin(self._settle(refund.number, self._refund_after_s))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, number: str, after_s: float) -> None:
        await asyncio.sleep(after_s * self._pace)
        notice = self._platform.settle(number, RefundStatus.SUCCESS, self._clock())
        if notice is not None:
            self.tell(notice)

    async def _deliver(self, notice: Notice) -> None:
        await self._wait_out_of_order(notice)
        for attempt, wait_s in enumerate((0, *RETRIES_S)):
            await asyncio.sleep(wait_s * self._pace)
            if await self._try(notice, attempt):
                return

    async def _wait_out_of_order(self, notice: Notice) -> None:
        """Wait until the next notice was sent, if that is to happen; never two at a time."""
        if not self._happens(Trouble.REORDER, notice, 0) or self._held is not None:
            return
        self._held = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._platform.faults.delay_s * self._pace):
                await self._held.wait()
        self._held = None

    async def _try(self, notice: Notice, attempt: int) -> bool:
        """Try once, with what goes wrong; return whether the notice is taken."""
        if self._happens(Trouble.LOSE, notice, attempt):
            self._note(notice, attempt, Trouble.LOSE, None)
            return False
        if self._happens(Trouble.DELAY, notice, attempt):
            await asyncio.sleep(self._platform.faults.delay_s * self._pace)
        if self._happens(Trouble.PROBE, notice, attempt):
            await self._post(notice, attempt, Trouble.PROBE)
        if self._happens(Trouble.CORRUPT, notice, attempt):
            taken = await self._post(notice, attempt, Trouble.CORRUPT)
        else:
            taken = await self._post(notice, attempt, None)
        if self._happens(Trouble.DUPLICATE, notice, attempt):
            await self._post(notice, attempt, Trouble.DUPLICATE)
        if self._held is not None:
            self._held.set()
        return taken

    async def _post(self, notice: Notice, attempt: int, trouble: Trouble | None) -> bool:
        key = self._platform.keys.for_notice(notice.number, attempt)
        headers = key.headers(notice.body, self._clock(), probe=trouble is Trouble.PROBE)
        body = notice.body
        if trouble is Trouble.CORRUPT:
            place = draw(self._platform.seed, "place", notice.number, attempt) % len(body)
            body = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        try:
            response = await self._http.post(notice.url, content=body, headers=headers)
        except httpx.HTTPError:
            return self._note(notice, attempt, trouble, None)
        return self._note(notice, attempt, trouble, response.status_code)

    def _note(
        self, notice: Notice, attempt: int, trouble: Trouble | None, status: int | None
    ) -> bool:
        tried = Try(notice.number, notice.event, notice.about, attempt, trouble, status)
        self.tries.append(tried)
        return tried.is_taken

    def _happens(self, trouble: Trouble, notice: Notice, attempt: int) -> bool:
        return self._platform.faults.happens(trouble, self._platform.seed, notice.number, attempt)
