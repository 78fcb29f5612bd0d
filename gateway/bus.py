"""One line of meters: a serialised worker that reads whoever is due, and leaves the dead alone."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from contextlib import suppress
from operator import attrgetter
from time import monotonic
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
        self._queue: deque[Turn] = deque()
        """Who is due, the first one first, and how many of them for what bills rest on."""
        self._billed = 0
        self._queue_until_s = -math.inf
        self._last: Turn | None = None
        """Who had the last turn: it is due for something else now."""
        self._seen: tuple[int, bool] | None = None
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Read whoever is due, until cancelled."""
        try:
            while True:
                while self._retired:
                    self._retired.pop().close()
                began = self._clock.look()
                turn, wait_s, alone = self._next(began)
                if turn is None:
                    await self._sleep(min(wait_s, LONGEST_SLEEP_S))
                else:
                    await self._serve(turn, began, alone=alone)
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
        turn.look_again()
        self._queue.clear()
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
        self._queue.clear()
        if _way_to(bus) != _way_to(self._bus):
            self._retired.append(self._connection)
            self._connection = self._connect(bus)
            self._backoff = Backoff()
        self._bus = bus
        self._wake.set()

    def _next(self, moment: Moment) -> tuple[Turn | None, float, bool]:
        """Return whose turn it is, else how many seconds to wait; and whether nobody else waits."""
        now_s, at = moment.seconds, monotonic()
        if self._seen != (moment.steps, moment.trusted):
            self._look_anew(moment)
        if self._last is not None:
            self._last.look(now_s, at)
            self._queue_until_s = min(self._queue_until_s, self._last.wakes_s)
            self._last = None
        if not self._queue or now_s >= self._queue_until_s:
            self._line_up(now_s, at)
        bus_wait_s = self._backoff.wait_s(at)
        if not self._queue:
            return None, max(self._queue_until_s - now_s, bus_wait_s), False
        first = self._queue[0]
        if bus_wait_s and first.priority is not Priority.NOW:
            return None, bus_wait_s, False
        self._queue.popleft()
        self._billed -= first.is_billed
        self._last = first
        return first, 0.0, not self._billed

    def _line_up(self, now_s: float, at: float) -> None:
        """Put who is due into order; that holds until somebody else is, or more urgently."""
        ready, until_s = [], math.inf
        for turn in self._turns:
            if turn.changes_s <= now_s:
                turn.look(now_s, at)
            if turn.ready_s <= now_s:
                ready.append(turn)
                until_s = min(until_s, turn.changes_s)
            else:
                until_s = min(until_s, turn.wakes_s)
        ready.sort(key=attrgetter("order"))
        self._queue = deque(ready)
        self._queue_until_s = until_s
        self._billed = sum(turn.is_billed for turn in ready)

    def _look_anew(self, moment: Moment) -> None:
        """Choose by the clock as it is now: it was set, or is to be believed again."""
        for turn in self._turns:
            turn.look_again()
            if moment.trusted:
                turn.believe()
        self._queue.clear()
        self._seen = moment.steps, moment.trusted

    async def _sleep(self, seconds: float) -> None:
        """Sleep, unless somebody asks for a reading now or the devices change."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _serve(self, turn: Turn, began: Moment, *, alone: bool) -> None:
        self._turns_taken += 1
        turn.served = self._turns_taken
        began_s = began.seconds
        part = turn.part(alone=alone)
        asked, turn.asked = turn.asked, deque()
        conversation = Conversation(turn, self._connection, self._clock, self._deliver)
        try:
            await conversation.hold(part)
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
            turn.serve(part, began_s, trusted=began.trusted)
            if turn.backoff.succeeded():
                log.info("bus %s: %s answers again", self._bus.name, turn.device.meter)
            remark = "; ".join(conversation.remarks) or None
            self._health.answered(turn.device.meter, conversation.answered_at, remark=remark)
            if asked:
                _satisfy(asked, conversation.said)

    def _device_failed(self, turn: Turn, error: str) -> None:
        wait_s = turn.backoff.failed(monotonic())
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
        wait_s = self._backoff.failed(monotonic())
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
