"""Modbus RTU, on a pseudo terminal and over TCP: only unit, length and silence tell answers."""

from __future__ import annotations

import asyncio
import os
import termios
import time
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from gateway.connection import ModbusConnection
from gateway.line import NetworkLine, SerialPort
from gateway.modbus import (
    ConnectionLostError,
    LateAnswerError,
    ModbusError,
    NoAnswerError,
    RefusedError,
    UnreachableError,
    WrongAnswerError,
)
from meters.serial_line import parse_line

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 0.1


def _line(peer: Any, settings: str = "115200 8N1") -> NetworkLine | SerialPort:
    if peer.over_tcp:
        return NetworkLine("127.0.0.1", peer.port, "rtu")
    return SerialPort(peer.path, parse_line(settings))


def _to(peer: Any, timeout_s: float = TIMEOUT_S) -> ModbusConnection:
    return ModbusConnection(_line(peer), timeout_s=timeout_s)


@pytest.fixture(params=[False, True], ids=["pty", "over TCP"])
def meters(rtu_peer: Any, request: pytest.FixtureRequest) -> Any:
    """A function that makes the meters of a line that do what a script says."""

    def make(script: Any = None) -> Any:
        scripted = {} if script is None else {"script": script}
        return rtu_peer(over_tcp=request.param, **scripted)

    return make


def _read_once(made: Any, timeout_s: float = 1.0) -> tuple[int, ...]:
    async def scenario() -> tuple[int, ...]:
        async with made as other, _to(other, timeout_s) as connection:
            return await connection.read(3, 4, 0x48, 2)

    return asyncio.run(scenario())


def test_words_come_in_the_order_of_the_wire(meters: Any, answer_frame: Any) -> None:
    async def script(request: Any, line: Any) -> None:
        line.raw(answer_frame(request, (0x462A, 0x7521)))

    assert _read_once(meters(script)) == (0x462A, 0x7521)


def test_the_longest_answer_comes_whole(meters: Any, answer_of: Any) -> None:
    async def scenario() -> None:
        async with meters() as other, _to(other, 2.0) as connection:
            words = await connection.read(7, 3, 0x5000, 125)
            assert words == answer_of(other.requests[0])
            assert other.requests[0][1:] == (7, 3, 0x5000, 125)

    asyncio.run(scenario())


@pytest.mark.parametrize(("code", "about_the_request"), [(2, True), (6, False)])
def test_an_exception_is_named(
    meters: Any, refusal_frame: Any, code: int, *, about_the_request: bool
) -> None:
    async def script(request: Any, line: Any) -> None:
        line.raw(refusal_frame(request, code))

    with pytest.raises(RefusedError, match=rf"exception {code}, .* \(unit 3, function 4") as caught:
        _read_once(meters(script))
    assert caught.value.is_about_the_request is about_the_request


def test_noise_and_the_echo_of_an_adapter_do_not_hide_the_answer(
    meters: Any, answer_frame: Any
) -> None:
    async def script(request: Any, line: Any) -> None:
        line.raw(b"\x00\xff" + bytes.fromhex("030400480002f00b"))
        await asyncio.sleep(0.01)
        line.raw(answer_frame(request, (1, 2)) + b"\x00")

    assert _read_once(meters(script)) == (1, 2)


def test_an_answer_in_pieces_is_put_together(meters: Any, answer_frame: Any) -> None:
    async def script(request: Any, line: Any) -> None:
        for byte in answer_frame(request, (1, 2)):
            line.raw(bytes([byte]))
            await asyncio.sleep(0.002)

    assert _read_once(meters(script)) == (1, 2)


def test_a_damaged_answer_is_no_reading(meters: Any, answer_frame: Any) -> None:
    async def script(request: Any, line: Any) -> None:
        frame = bytearray(answer_frame(request))
        frame[4] ^= 1
        line.raw(bytes(frame))

    with pytest.raises(WrongAnswerError, match=r"9 bytes came within 0\.1 s that make no frame"):
        _read_once(meters(script), TIMEOUT_S)


def test_another_units_answer_is_not_taken_and_the_right_one_behind_it_is(
    meters: Any, answer_frame: Any
) -> None:
    async def script(request: Any, line: Any) -> None:
        line.raw(answer_frame(request._replace(unit=4), (0xDEAD, 0xDEAD)))
        await asyncio.sleep(0.02)
        if request.address == 0x48:
            line.raw(answer_frame(request, (1, 2)))

    async def scenario() -> None:
        async with meters(script) as other, _to(other) as connection:
            assert await connection.read(3, 4, 0x48, 2) == (1, 2)
            with pytest.raises(WrongAnswerError, match="unit 4 answered function 4"):
                await connection.read(3, 4, 0x50, 2)

    asyncio.run(scenario())


@pytest.mark.parametrize("lateness", [1.2, 2.6, 6.0], ids=lambda each: f"{each} timeouts")
def test_a_late_answer_is_never_taken_for_the_next_ones(
    meters: Any, answer_frame: Any, lateness: float
) -> None:
    """Every third answer is late; all ask one unit for as many words: only time tells them."""

    async def script(request: Any, line: Any) -> None:
        if len(other.requests) % 3 == 0:
            await asyncio.sleep(lateness * TIMEOUT_S)
        line.raw(answer_frame(request, (request.address,)))

    other = meters(script)

    async def scenario() -> None:
        right, addresses = 0, count()
        async with other, _to(other) as connection, asyncio.timeout(60):
            while right < 12:
                address = next(addresses)
                try:
                    words = await connection.read(5, 3, address, 1)
                except (NoAnswerError, LateAnswerError):
                    await asyncio.sleep(TIMEOUT_S / 2)
                else:
                    assert words == (address,)
                    right += 1

    asyncio.run(scenario())


def test_answers_of_several_units_that_come_late_are_never_mixed(
    meters: Any, answer_frame: Any
) -> None:
    async def script(request: Any, line: Any) -> None:
        if len(other.requests) % 2:
            await asyncio.sleep(1.5 * TIMEOUT_S)
        line.raw(answer_frame(request))

    other = meters(script)

    async def scenario() -> None:
        right = 0
        async with other, _to(other) as connection:
            for turn in range(16):
                unit = turn % 3 + 1
                try:
                    words = await connection.read(unit, 4, 0x48, 2)
                except ModbusError:
                    continue
                assert words == (unit << 8 | 0x48, unit << 8 | 0x49)
                right += 1
        assert right

    asyncio.run(scenario())


def test_after_silence_nothing_is_asked_until_the_line_is_quiet(
    meters: Any, answer_frame: Any
) -> None:
    last_byte: list[float] = []

    async def script(request: Any, line: Any) -> None:
        if len(other.requests) == 1:
            await asyncio.sleep(1.5 * TIMEOUT_S)
            last_byte.append(asyncio.get_running_loop().time())
        line.raw(answer_frame(request))

    other = meters(script)

    async def scenario() -> None:
        async with other, _to(other) as connection:
            with pytest.raises(NoAnswerError):
                await connection.read(1, 4, 0, 2)
            assert await connection.read(1, 4, 8, 2) == (0x108, 0x109)
            assert other.times[1] >= last_byte[0] + TIMEOUT_S

    asyncio.run(scenario())


def test_a_line_that_is_never_quiet_is_not_waited_for_for_ever(meters: Any) -> None:
    async def script(_request: Any, line: Any) -> None:
        while True:
            line.raw(b"\x00")
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        async with meters(script) as other, _to(other) as connection:
            with pytest.raises(WrongAnswerError, match="make no frame"):
                await connection.read(1, 4, 0, 2)
            with pytest.raises(WrongAnswerError, match="the line is never quiet"):
                await connection.read(1, 4, 0, 2)

    asyncio.run(scenario())


def test_between_two_frames_a_slow_line_is_quiet_for_three_and_a_half_characters(
    rtu_peer: Any,
) -> None:
    async def scenario() -> None:
        async with rtu_peer() as other:
            line = SerialPort(other.path, parse_line("1200 8N1"))
            assert line.silence_s == pytest.approx(3.5 * 10 / 1200)
            async with ModbusConnection(line, timeout_s=1) as connection:
                for _ in range(4):
                    await connection.read(1, 4, 0, 1)
            assert all(after - before >= 0.029 for before, after in pairwise(other.times))

    asyncio.run(scenario())


def test_a_fast_line_is_quiet_for_as_long_as_the_standard_says() -> None:
    assert SerialPort("/dev/x", parse_line("115200 8N1")).silence_s == 0.00175
    assert SerialPort("/dev/x", parse_line("19200 8E1")).silence_s == pytest.approx(38.5 / 19200)


def test_the_time_that_an_answer_takes_on_a_slow_line_is_not_counted(
    rtu_peer: Any, answer_frame: Any
) -> None:
    async def script(request: Any, line: Any) -> None:
        await asyncio.sleep(0.5)  # 125 words take more than two seconds at 1200 baud
        line.raw(answer_frame(request))

    async def scenario() -> None:
        async with rtu_peer(script) as other:
            line = SerialPort(other.path, parse_line("1200 8N1"))
            async with ModbusConnection(line, timeout_s=0.1) as connection:
                assert len(await connection.read(1, 4, 0, 125)) == 125
                with pytest.raises(NoAnswerError):
                    await connection.read(1, 4, 0, 1)

    asyncio.run(scenario())


def test_a_port_is_set_as_its_line_says_and_is_ours_alone(rtu_peer: Any) -> None:
    async def scenario() -> None:
        async with rtu_peer() as other:
            line = SerialPort(other.path, parse_line("2400 8N2"))
            async with (
                ModbusConnection(line, timeout_s=1) as connection,
                ModbusConnection(line, timeout_s=1) as second,
            ):
                await connection.read(1, 4, 0, 1)
                descriptor = os.open(other.path, os.O_RDWR | os.O_NOCTTY)
                _, _, flags, _, speed, _, _ = termios.tcgetattr(descriptor)
                os.close(descriptor)
                assert speed == termios.B2400
                assert flags & termios.CSTOPB
                with pytest.raises(UnreachableError, match="nothing else uses it"):
                    await second.read(1, 4, 0, 1)

    asyncio.run(scenario())


def test_a_port_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        line = SerialPort(str(tmp_path / "ttyUSB0"), parse_line("9600 8N1"))
        async with ModbusConnection(line, timeout_s=1) as connection:
            await connection.read(1, 4, 0, 2)

    with pytest.raises(UnreachableError, match="ttyUSB0: the serial port cannot be opened"):
        asyncio.run(scenario())


def test_an_adapter_that_is_unplugged_is_noticed_at_once_and_used_again(
    rtu_peer: Any, tmp_path: Path, answer_frame: Any
) -> None:
    async def script(request: Any, line: Any) -> None:
        if request.address:
            line.raw(answer_frame(request))
        else:
            line.hang_up()

    port = tmp_path / "ttyUSB0"

    async def scenario() -> None:
        async with rtu_peer(script) as other:
            port.symlink_to(other.path)
            line = SerialPort(str(port), parse_line("115200 8N1"))
            async with ModbusConnection(line, timeout_s=1) as connection:
                assert await connection.read(1, 4, 1, 1) == (0x101,)
                began = time.monotonic()
                with pytest.raises((ConnectionLostError, UnreachableError)):
                    await connection.read(1, 4, 0, 1)
                assert time.monotonic() - began < 1
                assert connection.interruptions >= 1
                other.plug_in()
                port.unlink()
                port.symlink_to(other.path)
                assert await connection.read(1, 4, 1, 2) == (0x101, 0x102)

    asyncio.run(scenario())


def test_a_connection_that_brings_nothing_is_made_anew(rtu_peer: Any, answer_frame: Any) -> None:
    """A serial server that was rebooted does not say that it knows this connection no more."""

    async def script(request: Any, line: Any) -> None:
        if line.connections > 1:
            line.raw(answer_frame(request))

    async def scenario() -> None:
        async with rtu_peer(script, over_tcp=True) as other, _to(other) as connection:
            for _ in range(2):
                with pytest.raises(NoAnswerError):
                    await connection.read(1, 4, 0, 2)
            assert await connection.read(1, 4, 0, 2) == (0x100, 0x101)
            assert other.connections == 2
            assert connection.interruptions == 0

    asyncio.run(scenario())
