"""How many calls somebody may make: a bucket of tokens for each key, person and address.

A bucket holds a minute's calls and fills evenly. Buckets stand in memory, which the processes of
one server share, so that a limit is the server's however many there are; a restart forgives.
Headers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import mmap
import struct
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

WINDOW_S = 60
SETS, WAYS = 4096, 8
"""Where a bucket may stand: in one of `WAYS` places of the one set that its name leads to."""
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


_PLACE = struct.Struct("=8sdd")
"""A bucket: the digest of its name, the calls that are left, and when that was, in seconds."""
_NOBODY = bytes(8)


class Limiter:
    """The buckets of one server. `clock` gives seconds that never go back, to all its processes.

    `shared` is a file whose memory those processes share: each locks the set that it changes, and
    one that is killed gives its lock back. A process takes one call after the other: its event loop
    does. Where a set is full, who has called least recently is forgotten.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, shared: Path | None = None
    ) -> None:
        self._clock = clock
        size = SETS * WAYS * _PLACE.size
        if shared is None:
            self._file, self._memory = None, mmap.mmap(-1, size)
            return
        self._file = shared.open("a+b")
        self._file.truncate(size)
        self._memory = mmap.mmap(self._file.fileno(), size)

    def close(self) -> None:
        """Let go of the memory; no call is counted afterwards."""
        self._memory.close()
        if self._file is not None:
            self._file.close()

    def take(self, who: str, per_minute: int) -> Standing:
        """Count one call of `who`, who may make `per_minute`."""
        name = hashlib.blake2b(who.encode(), digest_size=8).digest()
        start = int.from_bytes(name, "big") % SETS * WAYS * _PLACE.size
        each_s = WINDOW_S / per_minute
        with self._locked(start):
            now_s = self._clock()
            place, left, at_s = self._find(start, name, (float(per_minute), now_s))
            left = max(0.0, min(per_minute, left + (now_s - at_s) / each_s))
            admitted = left >= 1
            if admitted:
                left -= 1
            _PLACE.pack_into(self._memory, place, name, left, now_s)
        return Standing(
            admitted=admitted,
            limit=per_minute,
            left=int(left),
            wait_s=math.ceil(max(0, 1 - left) * each_s),
            full_s=math.ceil((per_minute - left) * each_s),
        )

    def _find(self, start: int, name: bytes, new: tuple[float, float]) -> tuple[int, float, float]:
        """Return where the bucket `name` stands, what is left in it, and since when.

        One that is not there is `new`, and stands where nobody does, or who called longest ago.
        """
        oldest, oldest_s = start, math.inf
        for place in range(start, start + WAYS * _PLACE.size, _PLACE.size):
            found, left, at_s = _PLACE.unpack_from(self._memory, place)
            if found == name:
                return place, left, at_s
            if found == _NOBODY:
                at_s = -math.inf
            if at_s < oldest_s:
                oldest, oldest_s = place, at_s
        return oldest, *new

    @contextmanager
    def _locked(self, start: int) -> Iterator[None]:
        if self._file is None:
            yield
            return
        length = WAYS * _PLACE.size
        fcntl.lockf(self._file, fcntl.LOCK_EX, length, start)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, length, start)


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
