"""Processes that share a socket share its connections evenly."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from api.serving import Patience, server
from api.turns import AWAY_S, PART_S, Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import uvicorn

PATIENT = Patience(request_s=60, keep_alive_s=60, connections=1000)
SECOND_NS = 1_000_000_000
LONG_S = 30
REQUEST = b"GET / HTTP/1.1\r\nHost: court\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    headers = [(b"content-length", b"0")]
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def places(folder: Path, processes: int, now_ns: list[int]) -> list[Turns]:
    return [
        Turns(folder / "shared", place=place, processes=processes, clock=lambda: now_ns[0])
        for place in range(processes)
    ]


@asynccontextmanager
async def serving(listener: socket.socket, turns: Turns) -> AsyncIterator[uvicorn.Server]:
    """Take connections of `listener` in turn, by a descriptor of its own as processes have."""
    with listener.dup() as own:
        made = server(application, PATIENT, turns)
        made.config.load()
        made.lifespan = made.config.lifespan_class(made.config)
        await made.startup(sockets=[own])
        ticking = asyncio.ensure_future(made.main_loop())
        try:
            yield made
        finally:
            made.should_exit = made.force_exit = True
            await ticking
            await made.shutdown(sockets=[own])


class Caller:
    """Somebody who keeps a connection, and comes again where it is closed."""

    def __init__(self, listener: socket.socket) -> None:
        self._address = listener.getsockname()

    async def come(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        await self.ask()

    async def ask(self) -> None:
        self._writer.write(REQUEST)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        if b"connection: close" in head:
            self._writer.close()
            await self.come()

    def go(self) -> None:
        self._writer.close()


async def come(listener: socket.socket, callers: int) -> list[Caller]:
    """Open connections one after another."""
    found = [Caller(listener) for _ in range(callers)]
    for each in found:
        await each.come()
    return found


def connections(*servers: uvicorn.Server) -> list[int]:
    return [len(each.server_state.connections) for each in servers]


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_connections_that_are_kept_are_shared_evenly(
    tmp_path: Path, listener: socket.socket
) -> None:
    async def scenario() -> list[int]:
        one, other = places(tmp_path, 2, [SECOND_NS])
        async with serving(listener, one) as a, serving(listener, other) as b:
            callers = await come(listener, 8)
            found = connections(a, b)
            for each in callers:
                each.go()
        return found

    assert asyncio.run(scenario()) == [4, 4]


def test_the_body_of_an_answer_does_not_wait_for_word_of_its_head(
    tmp_path: Path, listener: socket.socket
) -> None:
    async def scenario() -> list[int]:
        [turns] = places(tmp_path, 1, [SECOND_NS])
        async with serving(listener, turns) as made:
            [caller] = await come(listener, 1)
            found = [
                each.transport.get_extra_info("socket").getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_NODELAY
                )
                for each in made.server_state.connections
            ]
            caller.go()
        return found

    assert asyncio.run(scenario()) == [1]


def test_what_a_stuck_process_does_not_take_is_taken_by_another(
    tmp_path: Path, listener: socket.socket
) -> None:
    async def scenario() -> list[int]:
        one, stuck = places(tmp_path, 2, [SECOND_NS])
        stuck.have(0)
        async with serving(listener, one) as a:
            callers = await come(listener, 8)
            found = connections(a)
            for each in callers:
                each.go()
        return found

    assert asyncio.run(scenario()) == [8]


def test_a_process_that_comes_later_gets_its_share_of_connections_that_are_kept(
    tmp_path: Path, listener: socket.socket
) -> None:
    async def scenario() -> list[int]:
        now_ns = [SECOND_NS]
        one, other = places(tmp_path, 2, now_ns)
        async with serving(listener, one) as a:
            callers = await come(listener, 8)
            async with serving(listener, other) as b, asyncio.timeout(LONG_S):
                while connections(a, b) != [5, 3]:
                    now_ns[0] += int(PART_S * 1e9)
                    for each in callers:
                        await each.ask()
                for each in callers:
                    await each.ask()
                found = connections(a, b)
            for each in callers:
                each.go()
        return found

    assert asyncio.run(scenario()) == [5, 3]


def test_the_next_is_for_whoever_has_not_an_eighth_more(tmp_path: Path) -> None:
    one, other, _ = places(tmp_path, 3, [SECOND_NS])

    def is_ones(mine: int, others: int) -> bool:
        one.have(mine)
        other.have(others)
        return one.is_mine

    assert [is_ones(1, 0), is_ones(0, 0), is_ones(1, 1), is_ones(2, 1)] == [
        False,
        True,
        True,
        False,
    ]
    assert [is_ones(18, 16), is_ones(19, 16)] == [True, False]


def test_who_has_not_spoken_for_a_second_does_not_count(tmp_path: Path) -> None:
    now_ns = [100 * SECOND_NS]
    one, killed = places(tmp_path, 2, now_ns)
    one.have(3)
    killed.have(0)
    assert (one.others(), one.is_mine) == ([0], False)
    now_ns[0] += int(AWAY_S * 1e9)
    assert (one.others(), one.is_mine) == ([], True)


def test_who_stops_does_not_count(tmp_path: Path) -> None:
    one, stopping = places(tmp_path, 2, [SECOND_NS])
    stopping.have(2)
    assert one.others() == [2]
    stopping.leave()
    assert one.others() == []


def test_a_process_parts_with_connections_one_after_another_until_it_has_a_fair_share(
    tmp_path: Path,
) -> None:
    now_ns = [100 * SECOND_NS]
    one, other = places(tmp_path, 2, now_ns)
    one.have(32)
    assert not one.part()  # it is alone
    other.have(0)
    assert [one.part(), one.part(), one.part()] == [True, False, False]
    now_ns[0] += int(PART_S * 1e9)
    assert [one.part(), one.part()] == [True, False]
    now_ns[0] += int(PART_S * 1e9)
    one.have(21)
    other.have(16)
    assert not one.part()
    one.have(22)
    assert one.part()
