"""Tasks of the event loop, and how they are ended for certain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

AGAIN_S = 0.5


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` and wait for their end, however often that takes."""
    ending = list(tasks)
    pending = set(ending)
    while pending:
        for task in pending:
            task.cancel()
        # a library may swallow a cancellation, and then waits for the next one
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)
    await asyncio.gather(*ending, return_exceptions=True)
