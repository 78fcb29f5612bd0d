"""A whole gateway in this process, and what a test waits for while it runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gateway.run import Gateway
from gateway.spool import Spool
from gateway.spool_file import SpoolError
from meters.archive.open import open_archive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gateway.site import Site
    from meters.archive.protocol import Archive


@asynccontextmanager
async def running_gateway(
    site: Site, connect: Callable[[str], Archive] = open_archive
) -> AsyncIterator[asyncio.Task[None]]:
    """Run the gateway of `site` while the block does; it stops cleanly."""
    stop = asyncio.Event()
    task = asyncio.create_task(Gateway(site, connect=connect).run(stop))
    try:
        yield task
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool], *, within_s: float = 60) -> None:
    """Wait until `condition` holds, which is asked in a thread."""
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)


def stored(site: Site) -> int:
    """Return how many readings the archive has taken from the spool of `site`."""
    try:
        with Spool(site.spool_path, read_only=True) as spool:
            return spool.tally().stored
    except SpoolError:
        return 0  # the gateway has not made it yet
