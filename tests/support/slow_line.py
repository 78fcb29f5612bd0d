"""A serial line of meters in virtual time, read by a bus worker: what each request costs there."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from virtual_time import run_virtually

from gateway.bus import BusWorker
from gateway.clock import WatchedClock
from gateway.health import DeviceHealth, Health
from gateway.line import SerialPort
from gateway.modbus import NoAnswerError
from gateway.settings import PollTable
from gateway.site import Bus, Device
from meters.catalog import shipped
from meters.serial_line import parse_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.committer import Words

START = datetime(2026, 11, 22, 10, 5, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
READ_S = 0.25
"""The billing registers of one meter at 2400 baud."""
TIMEOUT_S = 1.5
METER = shipped()["orno-we516"]


class SlowLine:
    """A serial line of meters: what each request costs, in virtual time."""

    def __init__(self, is_dead: Callable[[int, float], bool]) -> None:
        self.interruptions = 0
        self._is_dead = is_dead
        self._quiet_s = 0.0

    async def read(self, unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
        await asyncio.sleep(self._quiet_s)
        self._quiet_s = 0.0
        if self._is_dead(unit, asyncio.get_running_loop().time()):
            self._quiet_s = TIMEOUT_S  # after silence the line must be quiet for as long
            await asyncio.sleep(TIMEOUT_S)
            raise NoAnswerError("no answer")
        await asyncio.sleep(READ_S)
        return (0,) * words

    def close(self) -> None:
        pass


async def read_for(
    seconds: float, is_dead: Callable[[int, float], bool], *, meters: int, poll: PollTable
) -> list[tuple[str, float]]:
    """Return which meter was read when, in virtual seconds, on a bus of `meters`."""
    loop = asyncio.get_running_loop()
    read: list[tuple[str, float]] = []
    line = SerialPort("/dev/ttyUSB0", parse_line("9600 8N1"))
    devices = tuple(Device(f"e-{unit}", unit, METER) for unit in range(1, meters + 1))

    async def deliver(words: Words) -> None:
        read.append((words.meter, loop.time()))

    worker = BusWorker(
        Bus("riser", line, TIMEOUT_S, devices),
        poll=poll,
        zone=SHANGHAI,
        deliver=deliver,
        health=Health(DeviceHealth(device.meter, METER.id) for device in devices),
        clock=WatchedClock(lambda: START + timedelta(seconds=loop.time()), monotonic=loop.time),
        connect=lambda _: SlowLine(is_dead),
    )
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(seconds)
    task.cancel()
    return read


def cycles_a_second(*, dead: bool) -> float:
    """Return how often 31 meters are all read, with a dead one beside them that is hardly tried."""
    read = run_virtually(
        read_for(2400, lambda unit, _: unit == 32, meters=32 if dead else 31, poll=EVERY_SECOND)
    )
    return sum(1 for _, at in read if at > BACKED_OFF_S) / 31 / (2400 - BACKED_OFF_S)


EVERY_SECOND = PollTable(billing_s=1)
BACKED_OFF_S = 600
"""From then on a dead meter is tried every five minutes."""
