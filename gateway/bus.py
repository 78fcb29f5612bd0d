"""One line of meters: a serialised worker that reads whoever is due, and leaves the dead alone."""

from __future__ import annotations

import asyncio
import logging
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from gateway.backoff import Backoff
from gateway.cadence import Cadence
from gateway.modbus import ModbusError, RefusedError, UnreachableError
from gateway.plan import Block, billing_names, gauge_names, plan, singly

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from gateway.health import Health
    from gateway.settings import PollTable
    from gateway.site import Bus, Device

log = logging.getLogger(__name__)

LONGEST_SLEEP_S = 5.0
"""A wall clock that is set while the worker sleeps is noticed after so long."""


class Connection(Protocol):
    """What a worker asks: see `gateway.modbus.ModbusConnection`."""

    async def read(self, unit: int, function: int, address: int, words: int) -> tuple[int, ...]:
        """Return the words, or raise a `ModbusError`."""

    def close(self) -> None:
        """Drop the connection."""


class _Turn:
    """A device's place in the order of the bus."""

    def __init__(self, device: Device, poll: PollTable) -> None:
        self.device = device
        self.backoff = Backoff()
        self.served = 0
        """The number of its last turn on the bus."""
        self.not_before_s = 0.0
        """The second after the last answer: a reading's identity is its second."""
        self._billing_names = billing_names(device.type)
        self._gauge_names = gauge_names(device.type)
        self._billing = Cadence(poll.billing_s)
        # a type without gauges would be due for ever, for nothing
        self._gauges = Cadence(poll.gauges_s) if poll.gauges_s and self._gauge_names else None
        self._single: set[Block] = set()
        self._planned: dict[frozenset[str], tuple[Block, ...]] = {}

    def due_at(self, now_s: float) -> float:
        due = self._billing.due_at(now_s)
        if self._gauges is not None:
            due = min(due, self._gauges.due_at(now_s))
        # at most a second ahead, or a clock that was set back silences the device
        return max(due, min(self.not_before_s, now_s + 1.0))

    def names(self, now_s: float) -> frozenset[str]:
        """Return the registers that are due at `now_s`."""
        names: frozenset[str] = frozenset()
        if self._billing.is_due(now_s):
            names |= self._billing_names
        if self._gauges is not None and self._gauges.is_due(now_s):
            names |= self._gauge_names
        return names

    def blocks(self, names: frozenset[str]) -> tuple[Block, ...]:
        """Return the requests that read `names`: single ones for what was refused as a block."""
        if names not in self._planned:
            self._planned[names] = tuple(
                single
                for block in plan(self.device.type, names)
                for single in (
                    singly(self.device.type, block) if block in self._single else (block,)
                )
            )
        return self._planned[names]

    def split(self, block: Block) -> tuple[Block, ...]:
        """Note that the device refuses `block`; return what to ask for instead, now and later."""
        self._single.add(block)
        self._planned.clear()
        return singly(self.device.type, block)

    def serve(self, names: frozenset[str], began_s: float) -> None:
        """Note that `names` were read in a turn that began at `began_s`."""
        if names & self._billing_names:
            self._billing.serve(began_s)
        if self._gauges is not None and names & self._gauge_names:
            self._gauges.serve(began_s)


class BusWorker:
    """Reads the devices of `bus` through `connection`, one request at a time, until cancelled.

    What a device answered goes to `deliver(meter, time of the answer, address → word)`. A device
    that fails costs one timeout, and is then left alone for 2 s, 4 s, … 5 min; its first request
    afterwards is the probe. An address that nobody answers at backs off as a whole.
    """

    def __init__(
        self,
        bus: Bus,
        connection: Connection,
        *,
        poll: PollTable,
        deliver: Callable[[str, datetime, Mapping[int, int]], Awaitable[None]],
        health: Health,
        now: Callable[[], datetime],
    ) -> None:
        self._bus = bus
        self._connection = connection
        self._deliver = deliver
        self._health = health
        self._now = now
        self._backoff = Backoff()
        self._turns_taken = 0
        self._turns = [_Turn(device, poll) for device in bus.devices]

    async def run(self) -> None:
        """Read whoever is due, until cancelled."""
        try:
            while True:
                turn, wait_s = self._next()
                if wait_s > 0:
                    await asyncio.sleep(min(wait_s, LONGEST_SLEEP_S))
                else:
                    await self._serve(turn)
        finally:
            self._connection.close()

    def _next(self) -> tuple[_Turn, float]:
        """Return whose turn comes first, and how many seconds from now."""
        now_s = self._now().timestamp()
        at = asyncio.get_running_loop().time()
        bus_wait_s = self._backoff.wait_s(at)

        def order(turn: _Turn) -> tuple[float, float, int]:
            due_at = turn.due_at(now_s)
            wait_s = max(due_at - now_s, turn.backoff.wait_s(at), bus_wait_s, 0.0)
            return wait_s, due_at, turn.served

        wait_s, _, _, first = min(
            ((*order(turn), turn) for turn in self._turns), key=itemgetter(slice(3))
        )
        return first, wait_s

    async def _serve(self, turn: _Turn) -> None:
        self._turns_taken += 1
        turn.served = self._turns_taken
        began_s = self._now().timestamp()
        names = turn.names(began_s)
        if not names:
            return  # the clock was set back since the turn was chosen
        remarks: list[str] = []
        try:
            for block in turn.blocks(names):
                await self._read(turn, block, remarks)
        except UnreachableError as error:
            self._bus_failed(error)
        except ModbusError as error:
            self._bus_answered()
            self._device_failed(turn, str(error))
        except Exception as error:
            # the loop's edge: one device's oddity must not silence its neighbours
            log.exception("bus %s: reading %s failed", self._bus.name, turn.device.meter)
            self._connection.close()
            self._device_failed(turn, f"{type(error).__name__}: {error}")
        else:
            self._bus_answered()
            turn.serve(names, began_s)
            if turn.backoff.succeeded():
                log.info("bus %s: %s answers again", self._bus.name, turn.device.meter)
            self._health.answered(turn.device.meter, self._now(), remark="; ".join(remarks) or None)

    async def _read(self, turn: _Turn, block: Block, remarks: list[str]) -> None:
        """Read `block` and deliver it; register by register where the device refuses it whole."""
        device = turn.device
        try:
            words = await self._connection.read(
                device.unit, block.function, block.start, block.words
            )
        except RefusedError as error:
            if not error.is_about_the_request:
                raise
            if len(block.names) == 1:
                remarks.append(f"register {block.names[0]} is refused: {error}")
                return
            log.warning(
                "bus %s: %s refuses a block, reading its registers singly: %s",
                self._bus.name,
                device.meter,
                error,
            )
            for single in turn.split(block):
                await self._read(turn, single, remarks)
            return
        at = self._now()
        turn.not_before_s = int(at.timestamp()) + 1.0
        await self._deliver(device.meter, at, dict(enumerate(words, start=block.start)))

    def _device_failed(self, turn: _Turn, error: str) -> None:
        wait_s = turn.backoff.failed(asyncio.get_running_loop().time())
        self._health.failed(turn.device.meter, error)
        if turn.backoff.failures == 1:
            log.warning("bus %s: %s fails: %s", self._bus.name, turn.device.meter, error)
        else:
            log.info(
                "bus %s: %s fails, %d times in a row, next try in %.0f s",
                self._bus.name,
                turn.device.meter,
                turn.backoff.failures,
                wait_s,
            )

    def _bus_failed(self, error: UnreachableError) -> None:
        wait_s = self._backoff.failed(asyncio.get_running_loop().time())
        log.warning("bus %s: next try in %.0f s: %s", self._bus.name, wait_s, error)
        for turn in self._turns:
            self._health.failed(turn.device.meter, str(error))

    def _bus_answered(self) -> None:
        if self._backoff.succeeded():
            log.info("bus %s: connected again", self._bus.name)
