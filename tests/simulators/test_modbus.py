"""Modbus TCP on real sockets: several units behind one port, and each fault on the wire."""

from __future__ import annotations

import asyncio
import struct
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from meters.catalog import shipped
from meters.decoding import decode_identity, decode_image
from simulators.bench.meters import Bench
from simulators.faults import Fault, FaultKind
from simulators.fleet import plan_for
from simulators.framing import RtuFraming, TcpFraming
from simulators.line import Absent, Line
from simulators.modbus import ModbusBus
from simulators.ports import PortTakenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulators.fleet import Fleet
    from simulators.meter import SimulatedMeter

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


def bench(count: int = 1) -> tuple[SimulatedMeter, ...]:
    return Bench(meter_type=shipped()["eastron-sdm630"], count=count).meters()


def lost(start: datetime, end: datetime) -> Fault:
    return Fault.model_validate({"kind": "network-loss", "from": start, "until": end})


def test_while_the_network_is_lost_nobody_listens_and_afterwards_somebody_does() -> None:
    minute = timedelta(minutes=1)
    times = [NOON]
    (meter,) = bench()
    plan = plan_for([meter], [lost(NOON + minute, NOON + 2 * minute)], seed=1)

    async def listens(bus: ModbusBus) -> bool:
        try:
            _, writer = await asyncio.open_connection(bus.host, bus.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def until(bus: ModbusBus, *, listening: bool) -> None:
        for _ in range(200):
            if await listens(bus) is listening:
                return
            await asyncio.sleep(0.05)
        pytest.fail(f"nobody {'listened' if listening else 'hung up'} in 10 s")

    async def session() -> None:
        async with ModbusBus(Line("line", {1: meter}, plan=plan), clock=lambda: times[0]) as bus:
            reader, writer = await asyncio.open_connection(bus.host, bus.port)
            port = bus.port
            times[0] = NOON + minute
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
            await until(bus, listening=False)
            times[0] = NOON + 2 * minute
            await until(bus, listening=True)
            assert bus.port == port

    asyncio.run(session())


def test_rtu_over_tcp_is_understood_by_a_master_of_others() -> None:
    meters = bench(3)

    async def session() -> None:
        line = Line("line", dict(enumerate(meters, start=5)), framing=RtuFraming())
        async with ModbusBus(line, clock=lambda: NOON) as bus:
            client = AsyncModbusTcpClient(
                bus.host, port=bus.port, framer=FramerType.RTU, timeout=5, retries=0
            )
            assert await client.connect()
            for unit, meter in enumerate(meters, start=5):
                answer = await client.read_input_registers(0x48, count=2, device_id=unit)
                image = dict(enumerate(answer.registers, start=0x48))
                decoded = decode_image(meter.meter_type, image)["import_energy"].value
                assert decoded == meter.shown("import_energy", NOON)
                number = await client.read_holding_registers(0xFC00, count=2, device_id=unit)
                assert decode_identity(meter.meter_type, number.registers) == meter.number
            client.close()

    asyncio.run(session())


def test_rtu_in_pieces_is_one_request_and_damaged_bytes_are_none() -> None:
    (meter,) = bench()
    frame = RtuFraming().frame(0, 1, bytes.fromhex("04 0048 0002"))

    async def session() -> None:
        line = Line("line", {1: meter}, framing=RtuFraming())
        async with ModbusBus(line, clock=lambda: NOON) as bus:
            reader, writer = await asyncio.open_connection(bus.host, bus.port)
            for piece in (frame[:3], frame[3:]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            first = await asyncio.wait_for(reader.readexactly(9), 5)
            writer.write(b"\x01\x04\x00\x48\xff")
            await asyncio.sleep(0.3)
            writer.write(frame)
            assert await asyncio.wait_for(reader.readexactly(9), 5) == first
            writer.close()
            await writer.wait_closed()

    asyncio.run(session())


def test_mbpoll_reads_over_tcp(mbpoll: str) -> None:
    (meter,) = bench()

    async def session() -> str:
        async with ModbusBus(Line("line", {7: meter}), clock=lambda: NOON) as bus:
            command = (
                f"{mbpoll} -m tcp -p {bus.port} -a 7 -0 -r 72 -c 1 -t 3:float -B -1 {bus.host}"
            )
            polling = await asyncio.create_subprocess_exec(
                *command.split(), stdout=asyncio.subprocess.PIPE
            )
            output, _ = await asyncio.wait_for(polling.communicate(), 30)
            return output.decode()

    energy = Decimal(asyncio.run(session()).rpartition("]:")[2].strip())
    assert abs(energy - meter.shown("import_energy", NOON)) < Decimal("0.06")


@pytest.mark.parametrize("framing", [TcpFraming(), RtuFraming()], ids=["tcp", "rtu"])
def test_random_bytes_never_stop_the_meters(framing: TcpFraming | RtuFraming) -> None:
    (meter,) = bench()
    random = Random(20261122)  # noqa: S311 - noise that is the same in each run
    sound = framing.frame(9, 1, bytes.fromhex("04 0048 0002"))

    async def throw(bus: ModbusBus) -> None:
        _, writer = await asyncio.open_connection(bus.host, bus.port)
        for _ in range(random.randrange(1, 6)):
            damaged = bytearray(sound + random.randbytes(random.randrange(40)))
            damaged[random.randrange(len(damaged))] = random.randrange(256)
            writer.write(bytes(damaged) if random.random() < 0.7 else random.randbytes(300))
        with suppress(ConnectionError):
            await writer.drain()
            if random.random() < 0.5:
                writer.write_eof()
                await asyncio.sleep(0)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def session() -> None:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: problems.append(told))
        async with ModbusBus(Line("line", {1: meter}, framing=framing), clock=lambda: NOON) as bus:
            for _ in range(60):
                await asyncio.gather(*(throw(bus) for _ in range(10)))
            reader, writer = await asyncio.open_connection(bus.host, bus.port)
            writer.write(sound)
            answer = await asyncio.wait_for(reader.readexactly(9 if framing.is_rtu else 13), 5)
            assert answer[-6 if framing.is_rtu else -4 :][:4] == struct.pack(
                ">2H", *meter.words("import_energy", NOON)
            )
            writer.close()
            await writer.wait_closed()
        assert problems == []

    asyncio.run(session())
