"""A call goes to the address that was judged, follows nothing, and ends in time and size."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from loopback import HOST, free_port
from scripted_server import ScriptedServer

from billing.delivery import calling
from billing.delivery.calling import LONGEST_ANSWER, NotSentError, UnansweredError, call
from billing.delivery.destination import DestinationError, Reach, destination

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripted_server import Asked

HERE = Reach.THIS_MACHINE


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Asked], tuple[int, str]]], ScriptedServer]]:
    """A function that starts a server which answers as it is told."""
    started: list[ScriptedServer] = []

    def start(answer: Callable[[Asked], tuple[int, str]]) -> ScriptedServer:
        started.append(ScriptedServer(answer).__enter__())
        return started[-1]

    yield start
    for each in started:
        each.__exit__(None, None, None)


def looking_up(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names be looked up as `answers` say, one after another; return who was asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in answers[len(asked) - 1]
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_call_is_made_once_and_its_answer_returned(serve: Any) -> None:
    server = serve(lambda _: (200, "thanks"))
    to = destination(f"http://{HOST}:{server.port}/hook?a=b", HERE)

    answer = call(to, {"X-Own": "1"}, b"{}", HERE)

    assert (answer.status, answer.content) == (200, b"thanks")
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.parameters) == ("POST", "/hook", {"a": "b"})
    assert asked.content == b"{}"
    assert asked.headers["x-own"] == "1"
    assert asked.headers["host"] == f"{HOST}:{server.port}"
    assert asked.headers["accept-encoding"] == "identity"


def test_a_name_is_looked_up_once_and_called_by_the_address_that_was_judged(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda _: (204, ""))
    asked = looking_up(monkeypatch, [HOST], ["10.0.0.1"])
    to = destination(f"http://hooks.example:{server.port}/", HERE)

    assert call(to, {}, b"", HERE).status == 204
    assert asked == ["hooks.example"]
    assert server.asked[0].headers["host"] == f"hooks.example:{server.port}"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254"])
def test_a_name_that_leads_inside_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    looking_up(monkeypatch, ["8.8.8.8", address])
    with pytest.raises(DestinationError, match="no address of the public internet"):
        call(destination("https://hooks.example/", Reach.PUBLIC), {}, b"", Reach.PUBLIC)


def test_a_redirect_is_not_followed(serve: Any) -> None:
    inside = serve(lambda _: (200, "secret"))
    server = serve(lambda _: (307, ""))
    to = destination(f"http://{HOST}:{server.port}/?to={inside.port}", HERE)

    assert call(to, {}, b"", HERE).status == 307
    assert inside.asked == []


def test_the_environments_proxy_is_not_used(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = serve(lambda _: (200, "proxy")), serve(lambda _: (200, "direct"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{HOST}:{proxy.port}")
    monkeypatch.delenv("NO_PROXY")

    answer = call(destination(f"http://{HOST}:{server.port}/", HERE), {}, b"", HERE)

    assert answer.content == b"direct"
    assert proxy.asked == []


def test_a_long_answer_is_cut(serve: Any) -> None:
    server = serve(lambda _: (500, "x" * 5_000_000))

    answer = call(destination(f"http://{HOST}:{server.port}/", HERE), {}, b"", HERE)

    assert (answer.status, len(answer.content)) == (500, LONGEST_ANSWER)


def test_where_nobody_listens_nothing_was_sent() -> None:
    with pytest.raises(NotSentError, match="cannot connect"):
        call(destination(f"http://{HOST}:{free_port()}/", HERE), {}, b"", HERE)


def test_a_name_that_nobody_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotSentError, match="cannot be looked up"):
        call(destination("https://hooks.example/", Reach.PUBLIC), {}, b"", Reach.PUBLIC)


def dripping(pieces: bytes, pause_s: float) -> int:
    """Start a server that takes a request and answers byte by byte; return its port."""
    listener = socket.create_server((HOST, 0))

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            for each in pieces:
                try:
                    connection.send(bytes([each]))
                except OSError:
                    return
                time.sleep(pause_s)

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize(
    "pieces", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500, b"HTTP/1.1 200 OK\r\n\r\n" + b"z" * 500]
)
def test_an_answer_that_drips_ends_in_time_and_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, pieces: bytes
) -> None:
    monkeypatch.setattr(calling, "WITHIN_S", 1)
    port = dripping(pieces, 0.05)
    with pytest.raises(UnansweredError, match="no whole answer within 1 seconds"):
        call(destination(f"http://{HOST}:{port}/", HERE), {}, b"", HERE)


def test_a_connection_that_ends_without_an_answer_leaves_it_open() -> None:
    port = dripping(b"", 0)
    with pytest.raises(UnansweredError):
        call(destination(f"http://{HOST}:{port}/", HERE), {}, b"{}", HERE)
