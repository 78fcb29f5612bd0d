"""The server over real sockets: whoever is slow is answered and cut off, and nobody else waits."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI, Request

from api.deadline import Deadline
from api.language import english
from api.problems import TOO_LONG
from api.serving import Patience, server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENT = Patience(request_s=60, keep_alive_s=60, connections=1000)
HASTY = Patience(request_s=0.3, keep_alive_s=60, connections=1000)
SLOWER = Patience(request_s=3, keep_alive_s=60, connections=1000)
"""For many connections at once: all have said something before the first is cut off."""
HEAD = b"GET /v1/ok HTTP/1.1\r\nHost: court\r\n"
MANY_BYTES = 64_000_000


def application(*, answer_s: float = 60, request_s: float = 60) -> FastAPI:
    app = FastAPI()
    never = asyncio.Event()

    @app.get("/v1/ok")
    async def ok() -> str:
        return "ok"

    @app.get("/v1/never")
    async def wait() -> None:
        await never.wait()

    @app.get("/v1/much")
    async def much() -> str:
        return "x" * MANY_BYTES

    @app.post("/v1/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    from api import errors

    errors.install(app)
    app.add_middleware(Deadline, request_s=request_s, answer_s=answer_s)
    return app


@asynccontextmanager
async def served(app: FastAPI, patience: Patience) -> AsyncIterator[int]:
    """Serve `app` on a port of this machine."""
    serving = server(app, patience)
    serving.config.port = 0
    serving.config.load()
    serving.lifespan = serving.config.lifespan_class(serving.config)
    await serving.startup()
    ticking = asyncio.ensure_future(serving.main_loop())
    try:
        yield serving.servers[0].sockets[0].getsockname()[1]
    finally:
        serving.should_exit = serving.force_exit = True
        await ticking
        await serving.shutdown()


async def opened(port: int, said: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    await writer.drain()
    return reader, writer


async def told(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """Return the status and problem that a connection ends with."""
    async with asyncio.timeout(30):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)


async def asked(port: int, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        return await client.get(path)


def test_two_hundred_slow_connections_are_cut_off_and_an_ordinary_call_answers() -> None:
    async def scenario() -> tuple[list[tuple[int, str]], int]:
        async with served(application(), SLOWER) as port:
            slow = [await opened(port, HEAD) for _ in range(200)]
            ordinary = await asked(port, "/v1/ok")
            found = [await told(reader) for reader, _ in slow]
            for _, writer in slow:
                writer.close()
        return [(status, problem["type"]) for status, problem in found], ordinary.status_code

    found, ordinary = asyncio.run(scenario())
    assert found == [(408, "/problems/request-too-slow")] * 200
    assert ordinary == 200


def test_dripping_a_head_gains_no_time() -> None:
    async def scenario() -> int:
        async with served(application(), HASTY) as port:
            reader, writer = await opened(port, HEAD)

            async def drip() -> None:
                while True:
                    writer.write(b"X-Drip: 1\r\n")
                    await asyncio.sleep(0.05)

            dripping = asyncio.ensure_future(drip())
            status, _ = await told(reader)
            dripping.cancel()
            writer.close()
        return status

    assert asyncio.run(scenario()) == 408


def test_a_connection_that_says_nothing_ends_without_a_word() -> None:
    async def scenario() -> bytes:
        async with served(application(), HASTY) as port:
            reader, writer = await opened(port)
            said = await reader.read()
            writer.close()
        return said

    assert asyncio.run(scenario()) == b""


def test_a_body_that_does_not_come_is_told_so() -> None:
    async def scenario() -> tuple[int, dict[str, Any]]:
        async with served(application(request_s=0.3), PATIENT) as port:
            head = b"POST /v1/body HTTP/1.1\r\nHost: court\r\nContent-Length: 10\r\n\r\nhalf"
            reader, writer = await opened(port, head)
            found = await told(reader)
            writer.close()
        return found

    status, problem = asyncio.run(scenario())
    assert (status, problem["type"]) == (408, "/problems/request-too-slow")
    assert problem["instance"] == "/v1/body"


def test_an_answer_that_does_not_come_is_told_so() -> None:
    async def scenario() -> httpx.Response:
        async with served(application(answer_s=0.3), PATIENT) as port:
            return await asked(port, "/v1/never")

    answer = asyncio.run(scenario())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert answer.headers["Connection"] == "close"
    assert answer.json() == {
        "type": "/problems/answer-too-long",
        "title": "The answer takes too long",
        "status": 503,
        "detail": english()(TOO_LONG.advice),
        "instance": "/v1/never",
    }


def test_who_does_not_read_the_answer_is_cut_off() -> None:
    async def scenario() -> int:
        async with served(application(), HASTY) as port:
            reader, writer = await opened(port, HEAD.replace(b"/ok", b"/much") + b"\r\n")
            await asyncio.sleep(1.5)  # reads nothing; asyncio's own buffer takes 128 KiB
            received_bytes = 0
            try:
                while piece := await reader.read(1 << 20):
                    received_bytes += len(piece)
            except ConnectionResetError:
                pass
            writer.close()
        return received_bytes

    assert asyncio.run(scenario()) < MANY_BYTES


def test_an_idle_connection_is_closed_after_its_answer() -> None:
    patience = Patience(request_s=60, keep_alive_s=1, connections=1000)

    async def scenario() -> bytes:
        async with served(application(), patience) as port:
            reader, writer = await opened(port, HEAD + b"\r\n")
            async with asyncio.timeout(30):
                said = await reader.read()
            writer.close()
        return said

    assert asyncio.run(scenario()).endswith(b'"ok"')


def test_the_connection_that_is_quiet_longest_makes_room() -> None:
    few = Patience(request_s=60, keep_alive_s=60, connections=3)

    async def scenario() -> tuple[int, list[bool]]:
        async with served(application(), few) as port:
            slow = [await opened(port, HEAD) for _ in range(3)]
            ordinary = await asked(port, "/v1/ok")
            ended = []
            for reader, writer in slow:
                try:
                    async with asyncio.timeout(0.2):
                        await reader.read()
                    ended.append(True)
                except TimeoutError:
                    ended.append(False)
                except ConnectionResetError:
                    ended.append(True)
                writer.close()
        return ordinary.status_code, ended

    assert asyncio.run(scenario()) == (200, [True, False, False])


def test_where_every_connection_is_answered_the_next_is_told_so() -> None:
    few = Patience(request_s=60, keep_alive_s=60, connections=2)

    async def scenario() -> httpx.Response:
        async with served(application(), few) as port:
            busy = [await opened(port, HEAD.replace(b"/ok", b"/never") + b"\r\n") for _ in range(2)]
            await asyncio.sleep(0.2)  # until both were read
            refused = await asked(port, "/v1/ok")
            for _, writer in busy:
                writer.close()
        return refused

    answer = asyncio.run(scenario())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["type"] == "/problems/too-many-connections"


@pytest.mark.parametrize("said", [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000])
def test_what_is_no_http_is_told_so(said: bytes) -> None:
    async def scenario() -> tuple[int, dict[str, Any]]:
        async with served(application(), PATIENT) as port:
            reader, writer = await opened(port, said)
            found = await told(reader)
            writer.close()
        return found

    status, problem = asyncio.run(scenario())
    assert (status, problem["type"]) == (400, "/problems/not-http")
