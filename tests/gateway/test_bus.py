"""One worker a bus: whoever is due is read in fair order, and the dead stall nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from gateway.bus import BusWorker, connection_to
from gateway.clock import WatchedClock
from gateway.health import DeviceHealth, Health
from gateway.line import NetworkLine
from gateway.modbus import ModbusError, NoAnswerError, RefusedError
from gateway.settings import PollTable
from gateway.site import Bus, Device
from gateway.turn import Priority
from meters.definition import validate
from meters.meter_type import MeterType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.committer import Words


def _type(
    registers: Mapping[str, tuple[str, int]], identity: dict[str, Any] | None = None
) -> MeterType:
    """A type whose registers, name → kind and address, are float32, read with function 4."""
    return validate(
        MeterType,
        {
            "kind": "meter-type",
            "id": "made-up",
            "name": "Made up",
            "manufacturer": "None",
            "medium": "electricity",
            "modbus": {"function": 4} | ({"identity": identity} if identity else {}),
            "register": {
                name: {
                    "kind": kind,
                    "unit": "kWh" if kind == "total" else "W",
                    "address": address,
                    "type": "float32",
                    "resolution": "0.1",
                }
                | ({"max_rate": "10"} if kind == "total" else {})
                for name, (kind, address) in registers.items()
            },
            "proof": [
                {
                    "kind": "computed",
                    "source": "zeros",
                    "words": "0000 0000",
                    "expect": {next(iter(registers)): "0"},
                }
            ],
        },
        "made up",
    )


COUNTERS = {"import_energy": ("total", 0x48), "export_energy": ("total", 0x4A)}
PLAIN = _type(COUNTERS)
WITH_POWER = _type({**COUNTERS, "power": ("gauge", 0x90)})
NAMED = _type(COUNTERS, {"address": 0xFC00, "type": "uint32"})


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
        meter_type: MeterType = PLAIN,
        clock: WatchedClock | None = None,
        zone: str = "Asia/Shanghai",
    ) -> None:
        self.health = Health(DeviceHealth(meter, meter_type.id) for meter in devices)
        self.delivered: list[Words] = []
        self.bus = Bus(
            "riser",
            NetworkLine("127.0.0.1", port),
            0.2,
            tuple(Device(meter, unit, meter_type) for meter, unit in devices.items()),
        )
        self.worker = BusWorker(
            self.bus,
            poll=poll,
            zone=ZoneInfo(zone),
            deliver=self._deliver,
            health=self.health,
            clock=clock or WatchedClock(_now),
            connect=connection_to if connection is None else lambda _: connection,
        )

    async def _deliver(self, words: Words) -> None:
        self.delivered.append(words)

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
        return [words.time for words in self.delivered if words.meter == meter]


class Scripted:
    """A connection without a socket: `answer(unit, function, address, words)` decides."""

    def __init__(self, answer: Callable[[int, int, int, int], Awaitable[tuple[int, ...]]]) -> None:
        self.answer = answer
        self.asked: list[tuple[int, int, int, int]] = []
        self.interruptions = 0

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
            first = line.delivered[0]
            unit = int(first.meter.removeprefix("e-"))
            assert first.image == {address: unit << 8 | address for address in range(0x48, 0x4C)}

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
            assert line.delivered[0].time >= answered[0]

    asyncio.run(scenario())


def test_a_block_that_is_refused_is_read_in_halves_from_then_on() -> None:
    async def answer(_unit: int, _function: int, address: int, words: int) -> tuple[int, ...]:
        if words > 2:
            raise RefusedError("exception 2", 2)
        return (address,) * words

    async def scenario() -> None:
        connection = Scripted(answer)
        line = Line({"e-1": 1}, poll=PollTable(billing_s=1), connection=connection)
        await line.run(lambda: len(line.delivered) >= 2)
        first, *rest = connection.asked
        assert first == (1, 4, 0x48, 4)
        assert rest[:4] == [(1, 4, 0x48, 2), (1, 4, 0x4A, 2)] * 2
        assert line.delivered[0].image == {0x48: 0x48, 0x49: 0x48, 0x4A: 0x4A, 0x4B: 0x4A}
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
        assert line.delivered[0].image.keys() == {0x48, 0x49}
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
            {"e-1": 1},
            poll=PollTable(billing_s=3600, gauges_s=1),
            connection=connection,
            meter_type=WITH_POWER,
        )
        await line.run(lambda: len(connection.asked) >= 4)
        assert connection.asked[:2] == [(1, 4, 0x48, 4), (1, 4, 0x90, 2)]
        assert set(connection.asked[2:]) == {(1, 4, 0x90, 2)}
        # one device, one turn: what is read together is delivered together, to be compared
        assert len(line.delivered[0].image) == 6

    asyncio.run(scenario())


def test_a_failure_in_the_second_block_keeps_the_first() -> None:
    async def answer(_unit: int, _function: int, address: int, words: int) -> tuple[int, ...]:
        if address == 0x90:
            raise NoAnswerError("no answer")
        return (0,) * words

    async def scenario() -> None:
        line = Line(
            {"e-1": 1},
            poll=PollTable(billing_s=3600, gauges_s=3600),
            connection=Scripted(answer),
            meter_type=WITH_POWER,
        )
        await line.run(lambda: line.state("e-1")["failures"] == 1)
        assert [words.image.keys() for words in line.delivered] == [set(range(0x48, 0x4C))]

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
        turns = Counter(meter for meter, *_ in line.delivered)
        assert len(turns) == 10
        assert max(turns.values()) - min(turns.values()) <= 1

    asyncio.run(scenario())


def test_a_meters_number_is_asked_once_and_goes_with_its_words() -> None:
    async def answer(_unit: int, _function: int, address: int, words: int) -> tuple[int, ...]:
        return (0x0001, 0xE240) if address == 0xFC00 else (0,) * words

    async def scenario() -> None:
        connection = Scripted(answer)
        line = Line(
            {"e-1": 1}, poll=PollTable(billing_s=1), connection=connection, meter_type=NAMED
        )
        await line.run(lambda: len(line.delivered) >= 3)
        # at first contact; once more only where half an hour before midnight begins just now
        assert connection.asked[0] == (1, 4, 0xFC00, 2)
        assert connection.asked.count((1, 4, 0xFC00, 2)) <= 2
        assert {words.identity for words in line.delivered} == {"123456"}

    asyncio.run(scenario())


def test_the_number_is_asked_again_after_a_failure_and_where_the_other_side_went_away() -> None:
    number, dead = 7, False

    async def answer(_unit: int, _function: int, address: int, words: int) -> tuple[int, ...]:
        if dead:
            raise NoAnswerError("no answer")
        return (0, number) if address == 0xFC00 else (0,) * words

    async def scenario() -> None:
        nonlocal number, dead
        connection = Scripted(answer)
        line = Line(
            {"e-1": 1}, poll=PollTable(billing_s=1), connection=connection, meter_type=NAMED
        )
        await line.run(lambda: len(line.delivered) == 1)
        dead = True
        await line.run(lambda: line.state("e-1")["failures"] == 1)
        dead, number = False, 8
        await line.run(lambda: line.delivered[-1].identity == "8")
        number = 9
        connection.interruptions += 1
        await line.run(lambda: line.delivered[-1].identity == "9")
        assert line.delivered[0].identity == "7"

    asyncio.run(scenario())


def test_a_meter_that_does_not_say_its_number_is_nobody() -> None:
    async def answer(_unit: int, _function: int, address: int, words: int) -> tuple[int, ...]:
        if address == 0xFC00:
            raise RefusedError("exception 2", 2)
        return (0,) * words

    async def scenario() -> None:
        line = Line(
            {"e-1": 1},
            poll=PollTable(billing_s=1),
            connection=Scripted(answer),
            meter_type=NAMED,
        )
        await line.run(lambda: line.state("e-1")["last_answer"] is not None)
        assert line.delivered[0].identity == ""
        assert "the meter's number is refused: exception 2" in line.state("e-1")["error"]

    asyncio.run(scenario())


def test_a_device_that_backs_off_is_probed_with_its_smallest_request() -> None:
    alive = False

    async def answer(_unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
        if not alive:
            raise NoAnswerError("no answer")
        return (0,) * words

    async def scenario() -> None:
        nonlocal alive
        connection = Scripted(answer)
        line = Line({"e-1": 1}, poll=PollTable(billing_s=3600), connection=connection)
        await line.run(lambda: len(connection.asked) == 2)
        assert connection.asked == [(1, 4, 0x48, 4), (1, 4, 0x48, 2)]
        alive = True
        await line.run(lambda: bool(line.delivered))
        # what answers a probe is no reading; the registers are read right behind it
        assert connection.asked[2:] == [(1, 4, 0x48, 2), (1, 4, 0x48, 4)]
        assert len(line.delivered) == 1

    asyncio.run(scenario())


def test_a_device_that_is_silent_to_a_block_but_not_to_its_probe_is_asked_for_less() -> None:
    async def answer(_unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
        if words > 2:
            raise NoAnswerError("no answer")
        return (0,) * words

    async def scenario() -> None:
        connection = Scripted(answer)
        line = Line({"e-1": 1}, poll=PollTable(billing_s=3600), connection=connection)
        await line.run(lambda: line.state("e-1")["state"] == "ok")
        assert line.delivered[-1].image.keys() == set(range(0x48, 0x4C))

    asyncio.run(scenario())


def test_a_person_who_asks_comes_first_even_while_a_device_backs_off() -> None:
    async def answer(unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
        if unit == 2 and not alive:
            raise NoAnswerError("no answer from unit 2")
        return (unit,) * words

    alive = False

    async def scenario() -> None:
        nonlocal alive
        connection = Scripted(answer)
        line = Line(
            {"e-1": 1, "e-2": 2},
            poll=PollTable(billing_s=3600),
            connection=connection,
            meter_type=WITH_POWER,
        )
        task = asyncio.create_task(line.worker.run())
        while line.state("e-2")["failures"] < 2:  # noqa: ASYNC110 - the health has no event
            await asyncio.sleep(0.01)
        with pytest.raises(NoAnswerError, match="unit 2"):
            await line.worker.read_now("e-2")
        with pytest.raises(KeyError):
            await line.worker.read_now("e-3")
        alive = True
        words = await line.worker.read_now("e-2")
        # all registers, although gauges are not polled; and it is kept like any other reading
        assert words.image == dict.fromkeys([*range(0x48, 0x4C), 0x90, 0x91], 2)
        assert words in line.delivered
        assert line.state("e-2")["state"] == "ok"
        waiting = asyncio.create_task(line.worker.read_now("e-1"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(ModbusError, match="is not read any more"):
            await waiting

    asyncio.run(scenario())


def test_devices_come_and_go_while_the_others_are_read() -> None:
    async def scenario() -> None:
        connection = Scripted(_zeros)
        line = Line({"e-1": 1, "e-2": 2}, poll=PollTable(billing_s=3600), connection=connection)
        task = asyncio.create_task(line.worker.run())
        while len(line.delivered) < 2:  # noqa: ASYNC110 - what is delivered has no event
            await asyncio.sleep(0.01)
        first, _ = line.bus.devices
        line.worker.update(replace(line.bus, devices=(first, Device("e-3", 3, PLAIN))))
        while len(line.delivered) < 3:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
        # what stays is not read anew for the change
        assert [words.meter for words in line.delivered] == ["e-1", "e-2", "e-3"]
        with pytest.raises(KeyError):
            await line.worker.read_now("e-2")
        task.cancel()

    asyncio.run(scenario())


def test_a_reading_that_is_under_way_when_its_device_leaves_is_delivered() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
        asked.set()
        await go_on.wait()
        return (0,) * words

    async def scenario() -> None:
        line = Line({"e-1": 1}, poll=PollTable(billing_s=3600), connection=Scripted(answer))
        task = asyncio.create_task(line.worker.run())
        await asked.wait()
        line.worker.update(replace(line.bus, devices=(Device("e-2", 2, PLAIN),)))
        go_on.set()
        while len(line.delivered) < 2:  # noqa: ASYNC110 - what is delivered has no event
            await asyncio.sleep(0.01)
        assert [words.meter for words in line.delivered] == ["e-1", "e-2"]
        task.cancel()

    asyncio.run(scenario())


def test_another_way_to_the_line_is_taken_at_once(peer: Any) -> None:
    async def scenario() -> None:
        async with peer() as one, peer() as other:
            line = Line({"e-1": 1}, poll=PollTable(billing_s=1), port=one.port)
            task = asyncio.create_task(line.worker.run())
            while not one.requests:  # noqa: ASYNC110 - a peer has no event
                await asyncio.sleep(0.01)
            moved = replace(line.bus, line=NetworkLine("127.0.0.1", other.port))
            line.worker.update(moved)
            while not other.requests:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.01)
            task.cancel()

    asyncio.run(scenario())


class Hands:
    """A wall clock and a monotonic one that go, and that a test moves."""

    def __init__(self, start: datetime) -> None:
        self._set = start - timedelta(seconds=monotonic())
        self._ahead_s = 0.0

    @property
    def wall(self) -> datetime:
        return self._set + timedelta(seconds=self._mono())

    def clock(self) -> WatchedClock:
        return WatchedClock(lambda: self.wall, monotonic=self._mono)

    def run(self, seconds: float) -> None:
        """Let `seconds` pass on both."""
        self._ahead_s += seconds

    def step(self, to: datetime) -> None:
        """Set the wall clock alone."""
        self._set += to - self.wall

    def _mono(self) -> float:
        return monotonic() + self._ahead_s


NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)  # in Shanghai
MIDNIGHT = datetime(2026, 11, 22, 16, tzinfo=UTC)


def _nobody_is_due(line: Line) -> bool:
    turn, *_ = line.worker._next(line.worker._clock.look())
    line.worker._queue.clear()  # it was only asked, and nobody is served
    return turn is None


def _orders(line: Line) -> list[tuple[int, bool, int]]:
    _nobody_is_due(line)
    return [turn.order for turn in line.worker._turns]


def test_boundaries_come_before_intervals_and_intervals_before_gauges() -> None:
    async def scenario() -> None:
        hands = Hands(MIDNIGHT - timedelta(minutes=3))
        connection = Scripted(_zeros)
        line = Line(
            {f"e-{unit}": unit for unit in (1, 2, 3)},
            poll=PollTable(billing_s=60, gauges_s=60),
            connection=connection,
            meter_type=WITH_POWER,
            clock=hands.clock(),
        )
        await line.run(lambda: len(line.delivered) >= 6)
        del line.delivered[:], connection.asked[:]
        hands.run(60)
        await line.run(lambda: len(line.delivered) >= 5)
        # what bills rest on first, of everybody; the last one is alone, and both are read at once
        starts = [min(words.image) for words in line.delivered]
        assert starts == [0x48, 0x48, 0x48, 0x90, 0x90]
        assert 0x90 in line.delivered[2].image
        hands.run(180)  # over midnight
        assert {order[0] for order in _orders(line)} == {Priority.BOUNDARY}
        await line.run(lambda: len(line.delivered) >= 10)
        assert [min(words.image) for words in line.delivered[5:8]] == [0x48] * 3

    asyncio.run(scenario())


def test_a_dead_device_does_not_hold_up_the_first_readings_of_the_day() -> None:
    async def answer(unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
        if unit == 1:
            raise NoAnswerError("no answer")
        return (0,) * words

    async def scenario() -> None:
        hands = Hands(MIDNIGHT - timedelta(minutes=3))
        connection = Scripted(answer)
        line = Line(
            {f"e-{unit}": unit for unit in (1, 2, 3)},
            poll=PollTable(billing_s=900),
            connection=connection,
            clock=hands.clock(),
        )
        await line.run(lambda: len(line.delivered) == 2)
        line.worker._turns[0].backoff.retry_at = 0.0  # its next try is due just then
        hands.run(300)
        del connection.asked[:]
        await line.run(lambda: len(connection.asked) == 3)
        assert [unit for unit, *_ in connection.asked] == [2, 3, 1]

    asyncio.run(scenario())


def test_a_boundary_that_a_dead_device_missed_is_read_when_it_recovers() -> None:
    alive = True

    async def answer(_unit: int, _function: int, _address: int, words: int) -> tuple[int, ...]:
        if not alive:
            raise NoAnswerError("no answer")
        return (0,) * words

    async def scenario() -> None:
        nonlocal alive
        hands = Hands(MIDNIGHT - timedelta(minutes=3))
        line = Line(
            {"e-1": 1},
            poll=PollTable(billing_s=86400),
            connection=Scripted(answer),
            clock=hands.clock(),
        )
        await line.run(lambda: len(line.delivered) == 1)
        alive = False
        hands.run(300)
        await line.run(lambda: line.state("e-1")["failures"] == 1)
        hands.run(3 * 3600)
        alive = True
        await line.run(lambda: len(line.delivered) == 2)
        late = line.delivered[1].time - MIDNIGHT
        assert timedelta(hours=3) < late < timedelta(hours=4)

    asyncio.run(scenario())


def test_a_clock_that_was_never_set_marks_its_readings_and_they_are_read_again() -> None:
    async def scenario() -> None:
        hands = Hands(datetime(1970, 1, 1, 0, 10, tzinfo=UTC))
        line = Line(
            {"e-1": 1},
            poll=PollTable(billing_s=3600),
            connection=Scripted(_zeros),
            clock=hands.clock(),
        )
        await line.run(lambda: len(line.delivered) == 1)
        hands.step(NOON)
        await line.run(lambda: len(line.delivered) == 2)
        assert [(words.trusted, words.time.year) for words in line.delivered] == [
            (False, 1970),
            (True, 2026),
        ]

    asyncio.run(scenario())


def test_a_clock_that_jumps_is_not_believed_for_a_minute_and_boundaries_are_read_again() -> None:
    async def scenario() -> None:
        hands = Hands(NOON)
        line = Line(
            {"e-1": 1},
            poll=PollTable(billing_s=3600),
            connection=Scripted(_zeros),
            clock=hands.clock(),
        )
        await line.run(lambda: len(line.delivered) == 1)
        hands.run(3)
        hands.step(NOON + timedelta(days=2))
        await line.run(lambda: len(line.delivered) == 2)
        hands.run(61)
        await line.run(lambda: len(line.delivered) == 3)
        assert [words.trusted for words in line.delivered] == [True, False, True]

    asyncio.run(scenario())


def test_a_clock_that_is_set_back_neither_silences_a_device_nor_skips_a_day() -> None:
    async def scenario() -> None:
        hands = Hands(MIDNIGHT + timedelta(hours=2))
        line = Line(
            {"e-1": 1},
            poll=PollTable(billing_s=3600),
            connection=Scripted(_zeros),
            clock=hands.clock(),
        )
        await line.run(lambda: len(line.delivered) == 1)
        hands.step(MIDNIGHT - timedelta(hours=3, minutes=30))
        for _ in range(30):
            hands.run(600)
            await line.run(lambda: _nobody_is_due(line))
        times = [words.time for words in line.delivered[1:]]
        assert len(times) == 5, "one an hour, as before"
        first_of_the_day = next(time for time in times if time >= MIDNIGHT)
        assert first_of_the_day - MIDNIGHT < timedelta(hours=1)

    asyncio.run(scenario())
