"""How many calls somebody may make: a bucket of tokens for each key, person and address.

A bucket holds a minute's calls and fills evenly. Buckets stand in memory: each server counts for
itself, and a restart forgives. Headers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

WINDOW_S = 60
BUCKETS = 10_000
"""Above so many, those that are full again are forgotten."""
STATE = "rate"
"""The key of a request's state under which its `Standing` is."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands after a call. `wait_s`: until one call more is admitted, 0 for now."""

    admitted: bool
    limit: int
    left: int
    wait_s: int
    full_s: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"calls";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"calls";r={self.left};t={self.full_s}',
        }


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class Limiter:
    """The buckets of one server. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, who: str, per_minute: int) -> Standing:
        """Count one call of `who`, who may make `per_minute`."""
        now_s, each_s = self._clock(), WINDOW_S / per_minute
        bucket = self._buckets.get(who)
        if bucket is None:
            self._forget(now_s)
            bucket = self._buckets[who] = _Bucket(per_minute, now_s)
        bucket.left = min(per_minute, bucket.left + (now_s - bucket.at_s) / each_s)
        bucket.at_s = now_s
        admitted = bucket.left >= 1
        if admitted:
            bucket.left -= 1
        return Standing(
            admitted=admitted,
            limit=per_minute,
            left=int(bucket.left),
            wait_s=math.ceil(max(0, 1 - bucket.left) * each_s),
            full_s=math.ceil((per_minute - bucket.left) * each_s),
        )

    def _forget(self, now_s: float) -> None:
        if len(self._buckets) >= BUCKETS:
            before_s = now_s - WINDOW_S
            self._buckets = {
                who: bucket for who, bucket in self._buckets.items() if bucket.at_s > before_s
            }


class RateHeaders:
    """Says on every answer that was counted how the caller stands."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            standing = state.get(STATE)
            if message["type"] == "http.response.start" and standing is not None:
                headers = MutableHeaders(scope=message)
                for name, value in standing.headers.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers)
