"""An answer is taken only if it answers the request: real sockets, and peers that get it wrong."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from gateway.connection import ModbusConnection
from gateway.line import NetworkLine
from gateway.modbus import (
    ConnectionLostError,
    ModbusError,
    NoAnswerError,
    RefusedError,
    UnreachableError,
    WrongAnswerError,
    request_pdu,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 0.3


def _to(peer: Any, timeout_s: float) -> ModbusConnection:
    return ModbusConnection(NetworkLine(peer.host, peer.port), timeout_s=timeout_s)


def _read_once(peer: Any, script: Any, unit: int = 3) -> tuple[int, ...]:
    async def scenario() -> tuple[int, ...]:
        async with (
            peer(script) as other,
            _to(other, TIMEOUT_S) as connection,
        ):
            return await connection.read(unit, 4, 0x48, 2)

    return asyncio.run(scenario())


def test_words_come_in_the_order_of_the_wire(peer: Any) -> None:
    async def script(request: Any, wire: Any) -> None:
        wire.answer(request, (0x462A, 0x7521))

    assert _read_once(peer, script) == (0x462A, 0x7521)


@pytest.mark.parametrize("function", [3, 4])
def test_both_functions_read_what_was_asked_for(peer: Any, function: int) -> None:
    async def scenario() -> Any:
        async with (
            peer() as other,
            _to(other, 1) as connection,
        ):
            await connection.read(7, function, 0x5000, 120)
            await connection.read(7, function, 0, 1)
            return other.requests

    first, second = asyncio.run(scenario())
    assert first[1:] == (7, function, 0x5000, 120)
    assert second[1:] == (7, function, 0, 1)


@pytest.mark.parametrize(
    ("code", "name", "about_the_request"),
    [
        (2, "illegal data address", True),
        (3, "illegal data value", True),
        (6, "device busy", False),
        (11, "the gateway got no answer from the device", False),
        (99, "unknown", False),
    ],
)
def test_an_exception_is_named(peer: Any, code: int, name: str, *, about_the_request: bool) -> None:
    async def script(request: Any, wire: Any) -> None:
        wire.refuse(request, code)

    with pytest.raises(RefusedError, match=rf"exception {code}, {name} \(unit 3, function 4") as e:
        _read_once(peer, script)
    assert e.value.code == code
    assert e.value.is_about_the_request is about_the_request


def test_silence_costs_one_timeout(peer: Any) -> None:
    async def script(_request: Any, _wire: Any) -> None:
        pass

    began = time.monotonic()
    with pytest.raises(NoAnswerError, match=r"no answer within 0\.3 s \(unit 3"):
        _read_once(peer, script)
    assert time.monotonic() - began < 3 * TIMEOUT_S


async def _cut(request: Any, wire: Any) -> None:
    wire.raw(request.transaction.to_bytes(2, "big") + bytes([0, 0, 0, 7, request.unit, 4, 4, 1]))


async def _byte_count_too_small(request: Any, wire: Any) -> None:
    wire.answer(request, (1,))


async def _byte_count_too_large(request: Any, wire: Any) -> None:
    wire.answer(request, (1, 2, 3))


async def _byte_count_lies(request: Any, wire: Any) -> None:
    header = request.transaction.to_bytes(2, "big") + bytes([0, 0, 0, 7, request.unit, 4])
    wire.raw(header + bytes([8, 0, 1, 0, 2]))


async def _odd_byte_count(request: Any, wire: Any) -> None:
    header = request.transaction.to_bytes(2, "big") + bytes([0, 0, 0, 8, request.unit, 4])
    wire.raw(header + bytes([5, 0, 1, 0, 2, 0]))


async def _another_unit(request: Any, wire: Any) -> None:
    wire.answer(request, unit=4)


async def _another_function(request: Any, wire: Any) -> None:
    wire.answer(request, function=3)


async def _a_function_that_does_not_exist(request: Any, wire: Any) -> None:
    wire.answer(request, function=0x55)


async def _no_transaction(request: Any, wire: Any) -> None:
    wire.answer(request, transaction=0)


async def _not_modbus(_request: Any, wire: Any) -> None:
    wire.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def _empty_frame(request: Any, wire: Any) -> None:
    wire.raw(request.transaction.to_bytes(2, "big") + bytes([0, 0, 0, 2, request.unit, 4]))


async def _long_exception(request: Any, wire: Any) -> None:
    wire.raw(request.transaction.to_bytes(2, "big") + bytes([0, 0, 0, 4, request.unit, 0x84, 2, 2]))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (_cut, "only 10 bytes of an answer came within"),
        (_byte_count_too_small, "the answer holds 2 bytes"),
        (_byte_count_too_large, "the answer holds 6 bytes"),
        (_byte_count_lies, "the answer holds 8 bytes in a frame of 7"),
        (_odd_byte_count, "the answer holds 5 bytes"),
        (_another_unit, "unit 4 answered"),
        (_another_function, "the answer is for function 3"),
        (_a_function_that_does_not_exist, "the answer is for function 85"),
        (_no_transaction, "the answer carries no transaction number"),
        (_not_modbus, "no Modbus TCP frame"),
        (_empty_frame, "no Modbus TCP frame"),
        (_long_exception, "the exception is not one byte long"),
    ],
)
def test_what_does_not_answer_the_request_is_refused(peer: Any, script: Any, message: str) -> None:
    with pytest.raises(WrongAnswerError, match=message):
        _read_once(peer, script)


def test_the_answer_to_another_transaction_is_not_taken(peer: Any) -> None:
    async def script(request: Any, wire: Any) -> None:
        wire.answer(request, (0xDEAD, 0xDEAD), transaction=request.transaction + 1)

    with pytest.raises(NoAnswerError):
        _read_once(peer, script)


def test_a_wrong_transaction_before_the_right_answer_is_skipped(peer: Any) -> None:
    async def script(request: Any, wire: Any) -> None:
        wire.answer(request, (0xDEAD, 0xDEAD), transaction=request.transaction - 1 & 0xFFFF or 7)
        wire.answer(request, (1, 2))

    assert _read_once(peer, script) == (1, 2)


def test_an_answer_in_pieces_is_put_together(peer: Any) -> None:
    async def script(request: Any, wire: Any) -> None:
        frame = request.transaction.to_bytes(2, "big") + bytes(
            [0, 0, 0, 7, request.unit, 4, 4, 0, 1, 0, 2]
        )
        for byte in frame:
            wire.raw(bytes([byte]))
            await asyncio.sleep(0.002)

    assert _read_once(peer, script) == (1, 2)


def test_a_connection_that_is_closed_is_noticed_at_once(peer: Any) -> None:
    async def script(_request: Any, wire: Any) -> None:
        wire.hang_up()

    began = time.monotonic()
    with pytest.raises(ConnectionLostError, match="hung up"):
        _read_once(peer, script)
    assert time.monotonic() - began < TIMEOUT_S


def test_an_address_where_nobody_listens_is_named(free_port: Callable[[], int]) -> None:
    async def scenario() -> None:
        async with ModbusConnection(
            NetworkLine("127.0.0.1", free_port()), timeout_s=TIMEOUT_S
        ) as connection:
            await connection.read(1, 4, 0, 2)

    with pytest.raises(UnreachableError, match="nobody accepts connections; check the address"):
        asyncio.run(scenario())


def test_a_late_answer_is_never_taken_for_the_next_one(peer: Any) -> None:
    """Every third answer comes after the timeout, while the next request already waits."""

    async def script(request: Any, wire: Any) -> None:
        if request.address % 3 == 0:
            await asyncio.sleep(0.35)
        wire.answer(request)

    async def scenario() -> tuple[int, int]:
        right = late = 0
        async with (
            peer(script) as other,
            _to(other, 0.25) as connection,
        ):
            for address in range(12):
                try:
                    words = await connection.read(5, 3, address, 1)
                except NoAnswerError:
                    late += 1
                else:
                    assert words == (5 << 8 | address,)
                    right += 1
        return right, late

    right, late = asyncio.run(scenario())
    assert right + late == 12
    assert late >= 4


def test_a_late_answer_on_a_new_connection_does_not_carry_the_waiting_requests_number(
    peer: Any,
) -> None:
    """Some gateways to RS-485 pass a late answer on to whichever connection is open then."""
    late: list[Any] = []

    async def script(request: Any, wire: Any) -> None:
        if request.address == 0x10:
            late.append(request)
            return
        for earlier in late:
            wire.answer(earlier, (0xDEAD,))
        await asyncio.sleep(0.05)
        wire.answer(request, (0x600D,))

    async def scenario() -> list[tuple[int, ...]]:
        answers = []
        async with (
            peer(script) as other,
            _to(other, TIMEOUT_S) as connection,
        ):
            for _ in range(3):
                with pytest.raises(NoAnswerError):
                    await connection.read(5, 3, 0x10, 1)
                answers.append(await connection.read(5, 3, 0x20, 1))
            assert len(other.wires) == 4
        return answers

    assert asyncio.run(scenario()) == [(0x600D,)] * 3


def test_a_connection_works_again_after_each_kind_of_failure(peer: Any) -> None:
    scripts = [_cut, _another_unit, _not_modbus, _a_function_that_does_not_exist]

    async def script(request: Any, wire: Any) -> None:
        if request.address < len(scripts):
            await scripts[request.address](request, wire)
        else:
            wire.answer(request)

    async def scenario() -> None:
        async with (
            peer(script) as other,
            _to(other, 0.1) as connection,
        ):
            for address in range(len(scripts)):
                with pytest.raises(ModbusError):
                    await connection.read(1, 4, address, 2)
                assert await connection.read(1, 4, 0x48, 2) == (0x148, 0x149)

    asyncio.run(scenario())


def test_a_cancelled_request_leaves_nothing_behind(peer: Any) -> None:
    async def script(request: Any, wire: Any) -> None:
        if request.address == 0:
            await asyncio.sleep(0.1)
        wire.answer(request)

    async def scenario() -> tuple[int, ...]:
        async with (
            peer(script) as other,
            _to(other, 1) as connection,
        ):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.read(1, 4, 0, 1), 0.05)
            return await connection.read(1, 4, 0x77, 1)

    assert asyncio.run(scenario()) == (0x177,)


def test_a_cancellation_that_comes_together_with_the_answer_is_not_lost(
    peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with (
            peer() as other,
            _to(other, 1) as connection,
        ):
            await connection.read(1, 4, 0, 1)
            task = asyncio.create_task(connection.read(1, 4, 0, 1))
            take = connection._framing.take

            def take_and_cancel(data: bytes) -> tuple[int, ...] | None:
                words = take(data)
                task.cancel()
                return words

            monkeypatch.setattr(connection._framing, "take", take_and_cancel)
            await asyncio.wait([task])
            assert task.cancelled()

    asyncio.run(scenario())


def test_a_connection_that_the_other_side_closed_meanwhile_is_made_anew(peer: Any) -> None:
    """Gateways to RS-485 close what is idle: sometimes just when the next request comes."""

    async def script(request: Any, wire: Any) -> None:
        if len(other.wires) == 1 and request.address:
            wire.hang_up()
        else:
            wire.answer(request)

    async def scenario() -> None:
        async with _to(other, 1) as connection:
            await connection.read(1, 4, 0, 1)
            assert await connection.read(1, 4, 0x48, 1) == (0x148,)
            assert connection.interruptions == 1

    other = peer(script)

    async def with_peer() -> None:
        async with other:
            await scenario()

    asyncio.run(with_peer())


def test_between_an_answer_and_the_next_request_is_the_turnaround(peer: Any) -> None:
    asked_at: list[float] = []

    async def script(request: Any, wire: Any) -> None:
        asked_at.append(time.monotonic())
        wire.answer(request)

    async def scenario() -> None:
        async with (
            peer(script) as other,
            ModbusConnection(
                NetworkLine(other.host, other.port), timeout_s=1, turnaround_s=0.05
            ) as connection,
        ):
            for _ in range(3):
                await connection.read(1, 4, 0, 1)

    asyncio.run(scenario())
    assert all(after - before >= 0.05 for before, after in pairwise(asked_at))


@pytest.mark.parametrize("function", [0, 1, 2, 5, 6, 15, 16, 23, 43])
def test_nothing_but_a_read_of_registers_can_be_asked(function: int) -> None:
    with pytest.raises(ValueError, match="meters are only read"):
        request_pdu(function, 0, 1)
