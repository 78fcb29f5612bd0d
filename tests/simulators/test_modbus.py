"""Modbus TCP on real sockets: several units behind one port, and each fault on the wire."""

from __future__ import annotations

import asyncio
import struct
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from meters.decoding import decode_image
from simulators.faults import Fault, FaultKind
from simulators.line import Absent, Line
from simulators.modbus import ModbusBus
from simulators.ports import PortTakenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulators.fleet import Fleet

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
FIRST = 3
"""The unit id of `e-1-201`."""


class Answer(NamedTuple):
    """A Modbus TCP response frame."""

    transaction: int
    unit: int
    pdu: bytes


class Client:
    """A client connection to a bus."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, unit: int, pdu: bytes, transaction: int = 1) -> None:
        self.writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)

    def ask(self, unit: int = FIRST, address: int = 0x48, count: int = 4, tid: int = 1) -> None:
        self.send(unit, struct.pack(">BHH", 4, address, count), tid)

    async def answer(self, timeout_s: float = 5) -> Answer:
        header = await asyncio.wait_for(self.reader.readexactly(7), timeout_s)
        transaction, protocol, length, unit = struct.unpack(">HHHB", header)
        assert protocol == 0
        return Answer(transaction, unit, await self.reader.readexactly(length - 1))

    async def is_silent(self) -> bool:
        try:
            await asyncio.wait_for(self.reader.readexactly(1), 0.2)
        except TimeoutError:
            return True
        return False


def on_bus(
    fleet: Fleet, talk: Callable[[Client], Awaitable[None]], *faults: Fault, **settings: Any
) -> ModbusBus:
    """Run the first building's bus at noon and let `talk` use a connection to it."""
    line = Line("bus-b1", fleet.on_bus("bus-b1"), plan=fleet.plan(faults), **settings)
    bus = ModbusBus(line, clock=lambda: NOON)

    async def session() -> None:
        async with bus:
            reader, writer = await asyncio.open_connection(bus.host, bus.port)
            try:
                await talk(Client(reader, writer))
            finally:
                writer.close()
                await writer.wait_closed()

    asyncio.run(session())
    return bus


def once(kind: FaultKind, **settings: Any) -> Fault:
    """Return the fault `kind` of the first answer of `e-1-201`."""
    return Fault.model_validate({"meter": "e-1-201", "kind": kind, "count": 1, **settings})


def image_of(answer: Answer, address: int = 0x48) -> dict[int, int]:
    words = struct.unpack(f">{answer.pdu[1] // 2}H", answer.pdu[2:])
    return dict(enumerate(words, start=address))


def test_every_unit_answers_with_what_its_display_shows(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        for unit, meter in fleet.on_bus("bus-b1").items():
            line.ask(unit, tid=1000 + unit)
            answer = await line.answer()
            assert (answer.transaction, answer.unit) == (1000 + unit, unit)
            decoded = decode_image(meter.meter_type, image_of(answer))
            assert decoded["import_energy"].value == meter.shown("import_energy", NOON)

    assert on_bus(fleet, talk).line.requests == 15


def test_requests_that_come_together_are_answered_in_turn(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        for transaction in range(50):
            line.ask(1 + transaction % 15, tid=transaction)
        assert [(await line.answer()).transaction for _ in range(50)] == list(range(50))

    on_bus(fleet, talk)


def test_a_unit_that_is_not_there_is_silent_and_stalls_nobody(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        line.ask(99)
        assert await line.is_silent()
        line.ask(FIRST, tid=2)
        assert (await line.answer()).transaction == 2

    on_bus(fleet, talk)


def test_a_gateway_may_answer_for_a_unit_that_is_not_there(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        line.ask(99)
        assert await line.answer() == Answer(1, 99, b"\x84\x0b")

    on_bus(fleet, talk, absent=Absent.EXCEPTION)


def test_a_dead_meter_is_silent_and_its_neighbour_answers(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        line.ask()
        assert await line.is_silent()
        line.ask(FIRST + 1)
        assert (await line.answer()).unit == FIRST + 1

    on_bus(fleet, talk, Fault(meter="e-1-201", kind=FaultKind.DEAD))


def test_a_slow_answer_comes_after_the_next_one_with_its_own_transaction(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        started = time.monotonic()
        line.ask(tid=1)
        line.ask(tid=2)
        assert [(await line.answer()).transaction for _ in range(2)] == [2, 1]
        assert time.monotonic() - started >= 0.3

    on_bus(fleet, talk, once(FaultKind.SLOW, delay_ms=300))


def test_a_slow_answer_to_a_client_that_has_gone_harms_nobody(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        line.ask()
        await line.writer.drain()
        line.writer.close()
        await asyncio.sleep(0.3)

    on_bus(fleet, talk, once(FaultKind.SLOW, delay_ms=100))


def test_an_exception_is_answered_with_its_code(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        line.ask()
        assert await line.answer() == Answer(1, FIRST, b"\x84\x06")
        line.ask()
        assert (await line.answer()).pdu[0] == 4

    on_bus(fleet, talk, once(FaultKind.EXCEPTION, code=6))


def test_a_short_frame_holds_a_word_less(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        line.ask(count=4)
        short = await line.answer()
        assert (short.pdu[1], len(short.pdu)) == (6, 8)

    on_bus(fleet, talk, once(FaultKind.SHORT_FRAME))


def test_a_cut_frame_ends_the_connection_in_its_middle(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        line.ask(count=4)
        received = await asyncio.wait_for(line.reader.read(), 5)
        whole = 7 + 2 + 2 * 4
        assert len(received) == whole // 2

    on_bus(fleet, talk, once(FaultKind.CUT_FRAME))


def test_a_wrong_unit_and_a_wrong_transaction_stand_in_the_header(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        line.ask(tid=7)
        wrong_unit = await line.answer()
        assert wrong_unit.transaction == 7
        assert wrong_unit.unit != FIRST
        line.ask(tid=0xFFFF)
        wrong_transaction = await line.answer()
        assert (wrong_transaction.transaction, wrong_transaction.unit) == (0, FIRST)

    on_bus(fleet, talk, once(FaultKind.WRONG_UNIT), once(FaultKind.WRONG_TRANSACTION, after=1))


@pytest.mark.parametrize(
    ("kind", "differs"),
    [
        (FaultKind.ZERO, True),
        (FaultKind.SPIKE, True),
        (FaultKind.SENTINEL, True),
        (FaultKind.CROSSED, True),
        (FaultKind.STUCK, False),  # within one second nothing moves anyway
    ],
)
def test_a_value_fault_is_in_the_words_of_one_answer(
    fleet: Fleet, kind: FaultKind, *, differs: bool
) -> None:
    async def talk(line: Client) -> None:
        line.ask()
        wrong = await line.answer()
        line.ask()
        right = await line.answer()
        assert (wrong.transaction, wrong.unit) == (right.transaction, right.unit)
        assert (wrong.pdu != right.pdu) == differs
        meter = fleet.meters["e-1-201"]
        decoded = decode_image(meter.meter_type, image_of(right))
        assert decoded["import_energy"].value == meter.shown("import_energy", NOON)

    on_bus(fleet, talk, once(kind))


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack(">HHHB", 1, 1, 6, FIRST) + b"\x04\x00\x48\x00\x02",  # another protocol
        struct.pack(">HHHB", 1, 0, 1, FIRST),  # no function code
        struct.pack(">HHHB", 1, 0, 4000, FIRST),  # longer than any frame
        b"GET / HTTP/1.1\r\nHost: meter\r\n\r\n",
    ],
)
def test_bytes_that_are_no_frame_end_the_connection(fleet: Fleet, frame: bytes) -> None:
    async def talk(line: Client) -> None:
        line.writer.write(frame)
        assert await asyncio.wait_for(line.reader.read(), 5) == b""

    on_bus(fleet, talk)


def test_a_turnaround_takes_its_time(fleet: Fleet) -> None:
    async def talk(line: Client) -> None:
        started = time.monotonic()
        line.ask()
        await line.answer()
        assert time.monotonic() - started >= 0.1

    on_bus(fleet, talk, turnaround_ms=100)


def test_answers_follow_the_clock(fleet: Fleet) -> None:
    times = [NOON, NOON.replace(hour=12)]
    bus = ModbusBus(Line("b", fleet.on_bus("bus-b1")), clock=lambda: times[0])

    async def session() -> None:
        async with bus:
            reader, writer = await asyncio.open_connection(bus.host, bus.port)
            line = Client(reader, writer)
            meter = fleet.meters["e-1-201"]
            for _ in range(2):
                line.ask()
                decoded = decode_image(meter.meter_type, image_of(await line.answer()))
                assert decoded["import_energy"].value == meter.shown("import_energy", times[0])
                times.reverse()
            writer.close()
            await writer.wait_closed()

    asyncio.run(session())
    assert len({fleet.meters["e-1-201"].shown("import_energy", moment) for moment in times}) == 2


def test_stopping_ends_open_connections_and_frees_the_port(fleet: Fleet) -> None:
    async def session() -> None:
        bus = await ModbusBus(Line("b", fleet.on_bus("bus-b1")), clock=lambda: NOON).start()
        reader, writer = await asyncio.open_connection(bus.host, bus.port)
        Client(reader, writer).ask()
        await reader.readexactly(7)
        await asyncio.wait_for(bus.stop(), 5)
        assert len(await asyncio.wait_for(reader.read(), 5)) < 20
        writer.close()
        async with ModbusBus(Line("c", {}), clock=lambda: NOON, port=bus.port):
            pass

    asyncio.run(session())


def test_a_taken_port_is_named_with_what_to_do(fleet: Fleet) -> None:
    async def session() -> None:
        async with ModbusBus(Line("one", {}), clock=lambda: NOON) as bus:
            other = ModbusBus(Line("two", {}), clock=lambda: NOON, port=bus.port)
            with pytest.raises(PortTakenError, match=rf"'two' .*:{bus.port}: the port is taken"):
                await other.start()

    asyncio.run(session())
