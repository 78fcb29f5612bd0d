"""One line of meters: a serialised worker that reads whoever is due, and leaves the dead alone."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.backoff import Backoff
from gateway.cadence import Days
from gateway.connection import ModbusConnection
from gateway.conversation import Conversation
from gateway.modbus import ModbusError, UnreachableError
from gateway.turn import Priority, Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from zoneinfo import ZoneInfo

    from gateway.clock import Moment, WatchedClock
    from gateway.committer import Words
    from gateway.conversation import Connection
    from gateway.health import Health
    from gateway.line import Line
    from gateway.settings import PollTable
    from gateway.site import Bus

log = logging.getLogger(__name__)

LONGEST_SLEEP_S = 5.0
"""A wall clock that is set while the worker sleeps is noticed after so long."""


def connection_to(bus: Bus) -> Connection:
    """Return a connection to the line of `bus`."""
    return ModbusConnection(bus.line, timeout_s=bus.timeout_s, turnaround_s=bus.turnaround_s)


class BusWorker:
    """Reads the devices of `bus`, one request at a time, until cancelled.

    What a device answered in a turn goes to `deliver`. Days begin at the midnights of `zone`. A
    device that fails costs one timeout, and is then left alone for 2 s, 4 s, … 5 min; its smallest
    request is the probe. An address that nobody answers at backs off as a whole. Everything is
    called on one event loop.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        poll: PollTable,
        zone: ZoneInfo,
        deliver: Callable[[Words], Awaitable[None]],
        health: Health,
        clock: WatchedClock,
        connect: Callable[[Bus], Connection] = connection_to,
    ) -> None:
        self._bus = bus
        self._connect = connect
        self._connection = connect(bus)
        self._retired: list[Connection] = []
        self._deliver = deliver
        self._health = health
        self._clock = clock
        self._days = Days(zone)
        self._backoff = Backoff()
        self._turns_taken = 0
        self._turns = [Turn(device, poll, self._days) for device in bus.devices]
        self._seen: tuple[int, bool] | None = None
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Read whoever is due, until cancelled."""
        try:
            while True:
                while self._retired:
                    self._retired.pop().close()
                turn, wait_s, alone = self._next()
                if turn is None:
                    await self._sleep(min(wait_s, LONGEST_SLEEP_S))
                else:
                    await self._serve(turn, alone=alone)
        finally:
            for connection in (self._connection, *self._retired):
                connection.close()
            error = ModbusError(f"bus {self._bus.name} is not read any more")
            for turn in self._turns:
                _disappoint(turn.asked, error)

    async def read_now(self, meter: str) -> Words:
        """Read all registers of `meter` before anything else, deliver them and return them.

        Raises a `ModbusError` where it does not answer, `KeyError` where it is not on this bus.
        It waits for as long as the bus takes: set a limit with `asyncio.timeout`.
        """
        turn = next((each for each in self._turns if each.device.meter == meter), None)
        if turn is None:
            raise KeyError(meter)
        future: asyncio.Future[Words] = asyncio.get_running_loop().create_future()
        turn.asked.append(future)
        turn.changes_s = -math.inf
        self._wake.set()
        return await future

    def update(self, bus: Bus, *, poll: PollTable | None = None) -> None:
        """Read the devices of `bus` from now on; what is under way ends as it began.

        What is known of a device that stays as it is stays too. The health must know the new ones.
        """
        known = {turn.device.meter: turn for turn in self._turns}
        turns = []
        for device in bus.devices:
            turn = known.get(device.meter)
            if turn is None or turn.device != device or poll not in (None, turn.poll):
                turn = Turn(device, poll or self._turns[0].poll, self._days)
            turns.append(turn)
        for gone in [turn for turn in self._turns if turn not in turns]:
            error = ModbusError(f"meter {gone.device.meter} has left bus {bus.name}")
            _disappoint(gone.asked, error)
        self._turns = turns
        if _way_to(bus) != _way_to(self._bus):
            self._retired.append(self._connection)
            self._connection = self._connect(bus)
            self._backoff = Backoff()
        self._bus = bus
        self._wake.set()

    def _next(self) -> tuple[Turn | None, float, bool]:
        """Return whose turn it is, else how many seconds to wait; and whether nobody else waits."""
        moment = self._clock.look()
        now_s, at = moment.time.timestamp(), asyncio.get_running_loop().time()
        if self._seen != (moment.steps, moment.trusted):
            self._look_anew(moment)
        first, waiting, nearest_s = None, 0, math.inf
        for turn in self._turns:
            if now_s >= turn.changes_s:
                turn.look(now_s, at)
            if turn.ready_s > now_s:
                nearest_s = min(nearest_s, turn.ready_s)
                continue
            waiting += turn.priority <= Priority.BILLING
            if first is None or turn.order < first.order:
                first = turn
        bus_wait_s = self._backoff.wait_s(at)
        if first is None:
            return None, max(nearest_s - now_s, bus_wait_s), False
        if bus_wait_s and first.priority is not Priority.NOW:
            return None, bus_wait_s, False
        return first, 0.0, waiting <= (first.priority <= Priority.BILLING)

    def _look_anew(self, moment: Moment) -> None:
        """Choose by the clock as it is now: it was set, or is to be believed again."""
        for turn in self._turns:
            turn.changes_s = -math.inf
            if moment.trusted:
                turn.believe()
        self._seen = moment.steps, moment.trusted

    async def _sleep(self, seconds: float) -> None:
        """Sleep, unless somebody asks for a reading now or the devices change."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _serve(self, turn: Turn, *, alone: bool) -> None:
        self._turns_taken += 1
        turn.served = self._turns_taken
        turn.changes_s = -math.inf
        began = self._clock.look()
        began_s = began.time.timestamp()
        names = turn.names(began_s, alone=alone)
        if not names:
            return  # the clock was set back since the turn was chosen
        asked, turn.asked = turn.asked, deque()
        conversation = Conversation(turn, self._connection, self._clock, self._deliver)
        try:
            await conversation.hold(names)
        except asyncio.CancelledError:
            turn.asked = asked  # they are told by who ends the worker
            raise
        except UnreachableError as error:
            self._bus_failed(error)
            _disappoint(asked, error)
        except ModbusError as error:
            self._bus_answered()
            self._device_failed(turn, str(error))
            _disappoint(asked, error)
        except Exception as error:
            # the loop's edge: one device's oddity must not silence its neighbours
            log.exception("bus %s: reading %s failed", self._bus.name, turn.device.meter)
            self._connection.close()
            self._device_failed(turn, f"{type(error).__name__}: {error}")
            _disappoint(asked, ModbusError(f"{type(error).__name__}: {error}"))
        else:
            self._bus_answered()
            now = self._clock.look()
            if now.steps == began.steps:
                turn.serve(names, began_s, trusted=began.trusted)
            if turn.backoff.succeeded():
                log.info("bus %s: %s answers again", self._bus.name, turn.device.meter)
            remark = "; ".join(conversation.remarks) or None
            self._health.answered(turn.device.meter, now.time, remark=remark)
            _satisfy(asked, conversation.said)

    def _device_failed(self, turn: Turn, error: str) -> None:
        wait_s = turn.backoff.failed(asyncio.get_running_loop().time())
        turn.changes_s = -math.inf
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


def _way_to(bus: Bus) -> tuple[Line, float, float]:
    return bus.line, bus.timeout_s, bus.turnaround_s


def _satisfy(asked: deque[asyncio.Future[Words]], words: Words | None) -> None:
    for future in asked:
        if future.done():
            continue  # who asked does not wait any more
        if words is None:
            future.set_exception(ModbusError("the device refuses every register of its type"))
        else:
            future.set_result(words)


def _disappoint(asked: deque[asyncio.Future[Words]], error: ModbusError) -> None:
    for future in asked:
        if not future.done():
            future.set_exception(error)
    asked.clear()
