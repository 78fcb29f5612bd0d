"""One worker a bus: whoever is due is read in fair order, and the dead stall nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gateway.bus import BusWorker
from gateway.health import DeviceHealth, Health
from gateway.modbus import ModbusConnection, NoAnswerError, RefusedError
from gateway.settings import PollTable
from gateway.site import Bus, Device
from meters.catalog import shipped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

SDM120 = shipped()["eastron-sdm120"]
BOVE = shipped()["bove-ultrasonic"]

Reading = tuple[str, datetime, dict[int, int]]


def _now() -> datetime:
    return datetime.now(UTC)


class Line:
    """A bus with its worker, and what the worker delivered."""

    def __init__(
        self,
        devices: Mapping[str, int],
        *,
        poll: PollTable,
        port: int = 1,
        connection: Any = None,
        meter_type: Any = SDM120,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.health = Health(DeviceHealth(meter, meter_type.id) for meter in devices)
        self.delivered: list[Reading] = []
        bus = Bus(
            "riser",
            "127.0.0.1",
            port,
            0.2,
            tuple(Device(meter, unit, meter_type) for meter, unit in devices.items()),
        )
        self.worker = BusWorker(
            bus,
            connection or ModbusConnection(bus.host, bus.port, timeout_s=bus.timeout_s),
            poll=poll,
            deliver=self._deliver,
            health=self.health,
            now=now,
        )

    async def _deliver(self, meter: str, time: datetime, image: Mapping[int, int]) -> None:
        self.delivered.append((meter, time, dict(image)))

    async def run(self, enough: Callable[[], bool], *, within_s: float = 15.0) -> None:
        """Run the worker until `enough` is true."""
        task = asyncio.create_task(self.worker.run())
        try:
            async with asyncio.timeout(within_s):
                while not enough():
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def state(self, meter: str) -> dict[str, Any]:
        return next(d for d in self.health.devices(_now()) if d["meter"] == meter)

    def times(self, meter: str) -> list[datetime]:
        return [time for whose, time, _ in self.delivered if whose == meter]


class Scripted:
    """A connection without a socket: `answer(unit, function, address, words)` decides."""

    def __init__(self, answer: Callable[[int, int, int, int], Awaitable[tuple[int, ...]]]) -> None:
        self.answer = answer
        self.asked: list[tuple[int, int, int, int]] = []

    async def read(self, unit: int, function: int, address: int, words: int) -> tuple[int, ...]:
        self.asked.append((unit, function, address, words))
        await asyncio.sleep(0)
        return await self.answer(unit, function, address, words)

    def close(self) -> None:
        pass


async def _zeros(_unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
    return (0,) * words


def test_every_device_is_read_at_once_and_then_in_each_slot(peer: Any) -> None:
    async def scenario() -> None:
        async with peer() as other:
            line = Line(
                {f"e-{unit}": unit for unit in range(1, 6)},
                poll=PollTable(billing_s=1),
                port=other.port,
            )
            await line.run(lambda: all(len(line.times(f"e-{u}")) >= 3 for u in range(1, 6)))
            for unit in range(1, 6):
                seconds = [int(time.timestamp()) for time in line.times(f"e-{unit}")]
                assert seconds == sorted(set(seconds)), "a second holds one reading at most"
            meter, _, image = line.delivered[0]
            unit = int(meter.removeprefix("e-"))
            assert image == {address: unit << 8 | address for address in range(0x48, 0x4C)}

    asyncio.run(scenario())


def test_a_dead_device_costs_one_timeout_and_its_neighbours_keep_their_slots(peer: Any) -> None:
    async def script(request: Any, wire: Any) -> None:
        if request.unit != 3:
            wire.answer(request)

    async def scenario() -> None:
        async with peer(script) as other:
            line = Line(
                {f"e-{unit}": unit for unit in range(1, 6)},
                poll=PollTable(billing_s=1),
                port=other.port,
            )
            await line.run(lambda: len(line.times("e-5")) >= 5)
            asked = Counter(request.unit for request in other.requests)
            # five slots are 4 s at least: the dead one is asked at 0 s, 2 s and perhaps 6 s
            assert asked[3] <= 3
            for unit in (1, 2, 4, 5):
                times = line.times(f"e-{unit}")
                assert len(times) >= 4
                assert line.state(f"e-{unit}")["state"] == "ok"
                between = pairwise(times)
                assert all((b - a).total_seconds() < 2.2 for a, b in between)
            dead = line.state("e-3")
            assert dead["state"] == "backoff"
            assert dead["failures"] == asked[3]
            assert "no answer within 0.2 s (unit 3" in dead["error"]

    asyncio.run(scenario())


def test_a_device_that_comes_back_is_read_at_its_next_probe(peer: Any) -> None:
    alive = False

    async def script(request: Any, wire: Any) -> None:
        if alive:
            wire.answer(request)

    async def scenario() -> None:
        nonlocal alive
        async with peer(script) as other:
            line = Line({"e-1": 1}, poll=PollTable(billing_s=3600), port=other.port)
            await line.run(lambda: line.state("e-1")["failures"] == 1)
            alive = True
            await line.run(lambda: line.state("e-1")["state"] == "ok", within_s=6)
            assert len(line.delivered) == 1
            assert line.state("e-1")["failures"] == 0

    asyncio.run(scenario())


def test_an_address_that_nobody_answers_at_is_one_failure_of_all(
    peer: Any, free_port: Callable[[], int]
) -> None:
    async def scenario() -> None:
        port = free_port()
        line = Line({"e-1": 1, "e-2": 2}, poll=PollTable(billing_s=1), port=port)
        await line.run(lambda: line.state("e-2")["failures"] == 1)
        assert line.state("e-1")["failures"] == 1
        assert "nobody accepts connections" in line.state("e-1")["error"]
        async with peer(port=port):
            await line.run(lambda: bool(line.times("e-1") and line.times("e-2")))
        assert line.state("e-1")["state"] == "ok"

    asyncio.run(scenario())


def test_a_wrong_answer_is_a_failure_of_the_device_and_no_reading(peer: Any) -> None:
    async def script(request: Any, wire: Any) -> None:
        wire.answer(request, unit=2 if request.unit == 1 else None)

    async def scenario() -> None:
        async with peer(script) as other:
            line = Line({"e-1": 1, "e-2": 2}, poll=PollTable(billing_s=1), port=other.port)
            await line.run(lambda: len(line.times("e-2")) >= 2)
            assert line.times("e-1") == []
            assert "unit 2 answered" in line.state("e-1")["error"]

    asyncio.run(scenario())


def test_the_time_of_a_reading_is_that_of_its_answer(peer: Any) -> None:
    answered: list[datetime] = []

    async def script(request: Any, wire: Any) -> None:
        await asyncio.sleep(0.1)
        answered.append(_now())
        wire.answer(request)

    async def scenario() -> None:
        async with peer(script) as other:
            line = Line({"e-1": 1}, poll=PollTable(billing_s=3600), port=other.port)
            await line.run(lambda: bool(line.delivered))
            assert line.delivered[0][1] >= answered[0]

    asyncio.run(scenario())


def test_a_block_that_is_refused_is_read_register_by_register_from_then_on() -> None:
    async def answer(_unit: int, _function: int, address: int, words: int) -> tuple[int, ...]:
        if words > 2:
            raise RefusedError("exception 2", 2)
        return (address,) * words

    async def scenario() -> None:
        connection = Scripted(answer)
        line = Line({"e-1": 1}, poll=PollTable(billing_s=1), connection=connection)
        await line.run(lambda: len(line.delivered) >= 4)
        first, *rest = connection.asked
        assert first == (1, 4, 0x48, 4)
        assert rest[:4] == [(1, 4, 0x48, 2), (1, 4, 0x4A, 2)] * 2
        assert line.delivered[0][2] == {0x48: 0x48, 0x49: 0x48}
        assert line.state("e-1")["error"] is None

    asyncio.run(scenario())


def test_a_register_that_is_refused_is_said_and_the_others_are_read() -> None:
    async def answer(_unit: int, _function: int, address: int, words: int) -> tuple[int, ...]:
        if address <= 0x4A < address + words:
            raise RefusedError("exception 2, illegal data address", 2)
        return (0,) * words

    async def scenario() -> None:
        line = Line({"e-1": 1}, poll=PollTable(billing_s=1), connection=Scripted(answer))
        await line.run(lambda: line.state("e-1")["last_answer"] is not None)
        assert line.delivered[0][2].keys() == {0x48, 0x49}
        assert line.state("e-1")["state"] == "ok"
        assert "register export_energy is refused: exception 2" in line.state("e-1")["error"]

    asyncio.run(scenario())


def test_a_busy_device_is_not_asked_register_by_register() -> None:
    async def answer(_unit: int, _function: int, _address: int, _words: int) -> tuple[int, ...]:
        raise RefusedError("exception 6, device busy", 6)

    async def scenario() -> None:
        connection = Scripted(answer)
        line = Line({"e-1": 1}, poll=PollTable(billing_s=1), connection=connection)
        await line.run(lambda: line.state("e-1")["failures"] == 1)
        assert len(connection.asked) == 1

    asyncio.run(scenario())


def test_gauges_have_a_cadence_of_their_own() -> None:
    async def scenario() -> None:
        connection = Scripted(_zeros)
        line = Line(
            {"w-1": 1},
            poll=PollTable(billing_s=3600, gauges_s=1),
            connection=connection,
            meter_type=BOVE,
        )
        await line.run(lambda: len(connection.asked) >= 4)
        # the first turn reads all: 7–11 and 30 are too far apart for one request
        assert connection.asked[:2] == [(1, 3, 7, 5), (1, 3, 30, 1)]
        assert set(connection.asked[2:]) == {(1, 3, 30, 1)}

    asyncio.run(scenario())


def test_a_failure_in_the_second_block_keeps_the_first() -> None:
    async def answer(_unit: int, _function: int, address: int, words: int) -> tuple[int, ...]:
        if address == 30:
            raise NoAnswerError("no answer")
        return (0,) * words

    async def scenario() -> None:
        line = Line(
            {"w-1": 1},
            poll=PollTable(billing_s=3600, gauges_s=3600),
            connection=Scripted(answer),
            meter_type=BOVE,
        )
        await line.run(lambda: line.state("w-1")["failures"] == 1)
        assert [image.keys() for _, _, image in line.delivered] == [set(range(7, 12))]

    asyncio.run(scenario())


def test_an_unforeseen_error_at_one_device_does_not_silence_the_others() -> None:
    async def answer(unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
        if unit == 1:
            raise ZeroDivisionError
        return (0,) * words

    async def scenario() -> None:
        line = Line({"e-1": 1, "e-2": 2}, poll=PollTable(billing_s=1), connection=Scripted(answer))
        await line.run(lambda: len(line.times("e-2")) >= 2)
        assert line.state("e-1")["state"] == "backoff"
        assert line.state("e-1")["error"].startswith("ZeroDivisionError")

    asyncio.run(scenario())


def test_on_a_bus_that_is_too_slow_everybody_has_a_turn() -> None:
    async def answer(_unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
        await asyncio.sleep(0.15)
        return (0,) * words

    async def scenario() -> None:
        line = Line(
            {f"e-{unit}": unit for unit in range(1, 11)},
            poll=PollTable(billing_s=1),
            connection=Scripted(answer),
        )
        await line.run(lambda: len(line.delivered) >= 25)
        turns = Counter(meter for meter, _, _ in line.delivered)
        assert len(turns) == 10
        assert max(turns.values()) - min(turns.values()) <= 1

    asyncio.run(scenario())
