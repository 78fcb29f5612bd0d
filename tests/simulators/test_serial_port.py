"""A serial port of one's own making: real masters open it, one after the other."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import serial

from meters.catalog import shipped
from meters.frame import crc16, parse_response
from meters.words import decode
from simulators.bench.meters import Bench
from simulators.faults import Fault
from simulators.fleet import plan_for
from simulators.framing import RtuFraming
from simulators.line import Line
from simulators.serial_port import LinkError, SerialMeters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from simulators.meter import SimulatedMeter

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
(METER,) = Bench(meter_type=shipped()["eastron-sdm630"]).meters()
READ = bytes.fromhex("04 0048 0002")


@asynccontextmanager
async def port(*faults: dict[str, Any], **settings: Any) -> AsyncIterator[SerialMeters]:
    told = [Fault.model_validate(fault) for fault in faults]
    plan = plan_for([METER], told, seed=1)
    line = Line("line", {5: METER}, framing=RtuFraming(), plan=plan)
    async with SerialMeters(line, clock=lambda: NOON, **settings) as serial_meters:
        yield serial_meters


def request(pdu: bytes = READ, unit: int = 5) -> bytes:
    body = bytes([unit]) + pdu
    return body + crc16(body).to_bytes(2, "little")


def exchange(device: str, frame: bytes, size: int = 9, wait_s: float = 5) -> bytes:
    """Open `device` as a master does, ask, and return what comes back."""
    with serial.Serial(device, 2400, timeout=wait_s) as master:
        master.write(frame)
        return bytes(master.read(size))


def with_port(talk: Callable[[str], None], *faults: dict[str, Any], **settings: Any) -> None:
    async def session() -> None:
        async with port(*faults, **settings) as serial_meters:
            await asyncio.to_thread(talk, serial_meters.device)

    asyncio.run(session())


def value(meter: SimulatedMeter, answer: bytes) -> Decimal | None:
    words = parse_response(answer).words
    register = meter.meter_type.registers["import_energy"]
    assert register.type is not None
    return decode(words, register.type, meter.meter_type.order_of(register))


def test_master_after_master_is_answered() -> None:
    def talk(device: str) -> None:
        for _ in range(3):
            number = value(METER, exchange(device, request()))
            assert number is not None
            assert abs(number - METER.shown("import_energy", NOON)) < Decimal("0.01")

    with_port(talk)


def test_another_unit_a_damaged_request_and_noise_are_met_with_silence() -> None:
    def talk(device: str) -> None:
        for frame in (request(unit=6), request()[:-1] + b"\x00", b"\xff" * 300):
            assert exchange(device, frame, wait_s=0.3) == b""
        assert parse_response(exchange(device, request())).unit == 5

    with_port(talk)


def test_a_function_that_writes_is_refused() -> None:
    def talk(device: str) -> None:
        write = request(bytes.fromhex("10 0048 0002 04 00000000"))
        assert exchange(device, write, size=5)[:3] == b"\x05\x90\x01"

    with_port(talk)


def test_a_late_answer_arrives_among_the_next_ones() -> None:
    def talk(device: str) -> None:
        with serial.Serial(device, timeout=5) as master:
            master.write(request(bytes.fromhex("04 0000 0002")))
            master.write(request())
            first, late = master.read(9), master.read(9)
        assert parse_response(first).words == parse_response(exchange(device, request())).words
        assert parse_response(late).words != parse_response(first).words

    with_port(talk, {"kind": "slow", "delay_ms": 200, "count": 1})


def test_a_port_may_have_a_name_that_stays(tmp_path: Path) -> None:
    link = tmp_path / "meters"
    link.symlink_to("nowhere")

    def talk(device: str) -> None:
        assert link.resolve() == type(link)(device)
        assert parse_response(exchange(str(link), request())).unit == 5

    with_port(talk, link=link)
    assert not link.is_symlink()


def test_a_name_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="cannot be a link to the serial port"):
        with_port(lambda _: None, link=tmp_path / "missing" / "meters")


def test_a_file_that_bears_the_name_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine", "utf-8")
    with pytest.raises(LinkError, match="File exists; choose a name"):
        with_port(lambda _: None, link=file)
    assert file.read_text("utf-8") == "mine"


def test_meters_that_speak_modbus_tcp_have_no_serial_port() -> None:
    with pytest.raises(ValueError, match="speaks Modbus TCP"):
        SerialMeters(Line("line", {5: METER}), clock=lambda: NOON)


def test_a_master_that_never_reads_stops_nobody() -> None:
    async def session() -> None:
        async with port() as meters:
            descriptor = os.open(meters.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            for _ in range(2_000):
                with suppress(BlockingIOError):
                    os.write(descriptor, request())
                await asyncio.sleep(0)
            assert meters.line.requests > 500
            os.close(descriptor)

    asyncio.run(session())


def test_mbpoll_reads_counter_and_number(mbpoll: str) -> None:
    def poll(device: str, *options: str) -> str:
        asked = [mbpoll, "-m", "rtu", "-b", "9600", "-P", "none", "-a", "5", "-0", "-1", "-B"]
        ran = subprocess.run(
            [*asked, *options, device], capture_output=True, text=True, timeout=30, check=True
        )
        return ran.stdout.rpartition("]:")[2].strip()

    def talk(device: str) -> None:
        energy = Decimal(poll(device, "-r", "72", "-c", "1", "-t", "3:float"))
        assert abs(energy - METER.shown("import_energy", NOON)) < Decimal("0.06")
        assert poll(device, "-r", str(0xFC00), "-c", "1", "-t", "4:int") == METER.number

    with_port(talk)
