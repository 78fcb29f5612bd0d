"""All lines of meters: one worker each, started, changed and ended while the others read on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.tasks import cancel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.bus import BusWorker
    from gateway.committer import Words
    from gateway.settings import PollTable
    from gateway.site import Bus


class Buses:
    """The workers of the site's buses; `start` makes the one for a bus."""

    def __init__(self, start: Callable[[Bus], BusWorker]) -> None:
        self._start = start
        self._workers: dict[str, BusWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._meters: dict[str, str] = {}
        self._changed = asyncio.Event()

    async def replace(self, buses: Iterable[Bus], poll: PollTable) -> None:
        """Read `buses` from now on; a bus that stays goes on, whatever changes about it."""
        wanted = {bus.name: bus for bus in buses}
        gone = [name for name in self._workers if name not in wanted]
        ended = [self._tasks.pop(name) for name in gone]
        for name in gone:
            del self._workers[name]
        for name, bus in wanted.items():
            if name in self._workers:
                self._workers[name].update(bus, poll=poll)
            else:
                self._workers[name] = self._start(bus)
                self._tasks[name] = asyncio.create_task(self._workers[name].run(), name=name)
        self._meters = {device.meter: bus.name for bus in wanted.values() for device in bus.devices}
        self._changed.set()
        await cancel(ended)

    async def run(self) -> None:
        """Watch the workers until cancelled; raise what one of them raises."""
        while True:
            self._changed.clear()
            changed = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait(
                    [changed, *self._tasks.values()], return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                await cancel([changed])
            for name, task in self._tasks.items():
                if task.done():
                    task.result()
                    raise RuntimeError(f"the worker of bus {name} has ended")

    async def read_now(self, meter: str) -> Words:
        """Read all registers of `meter` before anything else on its bus.

        Raises `ModbusError` where it does not answer, `KeyError` where it stands on no bus.
        """
        return await self._workers[self._meters[meter]].read_now(meter)

    async def stop(self) -> None:
        """End every worker."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        self._workers.clear()
        self._meters.clear()
        await cancel(tasks)
