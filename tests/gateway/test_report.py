"""The API hears how the gateway does; what it has not confirmed waits on disk."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gateway.health import DeviceHealth, Health
from gateway.quarantine import Fault, quarantined
from gateway.report import ITEMS, Reporter, ReportError
from gateway.site import ReportTarget
from gateway.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)


class Api:
    """What a test's API heard, and what it answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []
        self.status = 200
        self.answer: Callable[[dict[str, Any]], Any] = lambda report: {
            "quarantine_upto": max((item["id"] for item in report["quarantine"]), default=0)
        }


@contextmanager
def _api() -> Iterator[Api]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.heard.append(report)
            served.keys.append(self.headers["Authorization"])
            served.paths.append(self.path)
            body = json.dumps(served.answer(report)).encode()
            self.send_response(served.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Api(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(name="api")
def served_api() -> Iterator[Api]:
    with _api() as served:
        yield served


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool.sqlite") as opened:
        yield opened


def _quarantine(spool: Spool, count: int, content: bytes = b"\xff{") -> None:
    item = quarantined(
        received_at=NOW, source="mqtt:t", reason=Fault.PAYLOAD, detail="not JSON", content=content
    )
    spool.take_in([], [item] * count)


def _reporter(spool: Spool, url: str, *, interval_s: int = 60) -> Reporter:
    health = Health([DeviceHealth("e-1", "eastron-sdm120"), DeviceHealth("e-2", "eastron-sdm120")])
    health.answered("e-1", NOW)
    health.failed("e-2", "no answer")
    return Reporter(
        ReportTarget(url, "k-1", interval_s),
        gateway="north-1",
        spool=spool,
        health=health,
        now=lambda: NOW,
    )


def _report(reporter: Reporter) -> bool:
    async def once() -> bool:
        async with httpx.AsyncClient() as client:
            return await reporter.report(client)

    return asyncio.run(once())


def test_a_report_says_everything_and_marks_what_was_confirmed(spool: Spool, api: Api) -> None:
    _quarantine(spool, 2)
    assert _report(_reporter(spool, api.url)) is False
    (heard,) = api.heard
    assert api.keys == ["Bearer k-1"]
    assert api.paths == ["/v1/gateway/report"]
    assert heard.pop("version")
    assert heard == {
        "gateway": "north-1",
        "sent_at": "2026-10-03T08:00:00+00:00",
        "tally": {
            "received": 2,
            "stored": 0,
            "duplicate": 0,
            "quarantined": 2,
            "spooled": 0,
            "dropped": 0,
        },
        "devices": [
            {
                "meter": "e-1",
                "type": "eastron-sdm120",
                "state": "ok",
                "last_answer": "2026-10-03T08:00:00+00:00",
                "failures": 0,
                "error": None,
            },
            {
                "meter": "e-2",
                "type": "eastron-sdm120",
                "state": "backoff",
                "last_answer": None,
                "failures": 1,
                "error": "no answer",
            },
        ],
        "quarantine": [
            {
                "id": number,
                "received_at": "2026-10-03T08:00:00+00:00",
                "source": "mqtt:t",
                "reason": "payload",
                "detail": "not JSON",
                "content_base64": base64.b64encode(b"\xff{").decode(),
            }
            for number in (1, 2)
        ],
    }
    _report(_reporter(spool, api.url))
    assert api.heard[1]["quarantine"] == []


def test_many_items_go_in_several_reports(spool: Spool, api: Api) -> None:
    _quarantine(spool, ITEMS + 5)
    reporter = _reporter(spool, api.url)
    assert _report(reporter) is True
    assert _report(reporter) is False
    assert [len(heard["quarantine"]) for heard in api.heard] == [ITEMS, 5]


def test_large_items_do_not_make_a_report_that_no_server_takes(spool: Spool, api: Api) -> None:
    _quarantine(spool, 40, b"x" * 60_000)
    reporter = _reporter(spool, api.url)
    while _report(reporter):
        pass
    assert sum(len(heard["quarantine"]) for heard in api.heard) == 40
    assert max(len(json.dumps(heard)) for heard in api.heard) < 1_500_000


def test_what_the_api_does_not_hold_is_sent_again(spool: Spool, api: Api) -> None:
    _quarantine(spool, 3)
    api.answer = lambda _: {"quarantine_upto": 1}
    reporter = _reporter(spool, api.url)
    _report(reporter)
    _report(reporter)
    assert [[i["id"] for i in heard["quarantine"]] for heard in api.heard] == [[1, 2, 3], [2, 3]]


def test_an_api_cannot_confirm_what_it_was_not_sent(spool: Spool, api: Api) -> None:
    _quarantine(spool, 1)
    api.answer = lambda _: {"quarantine_upto": 10**9}
    _report(_reporter(spool, api.url))
    _quarantine(spool, 1)
    assert [entry.id for entry in spool.quarantine(unreported=True)] == [2]


@pytest.mark.parametrize(
    ("status", "answer", "says"),
    [
        (401, {}, "refuses the key .401.; check the variable that report.key_env names"),
        (403, {}, "refuses the key"),
        (404, {}, "answered 404"),
        (500, {}, "answered 500"),
        (200, [1], "answered something else than a gateway report's receipt; check report.url"),
        (200, {}, "answered something else"),
    ],
)
def test_an_api_that_does_not_take_the_report_is_named(
    spool: Spool, api: Api, status: int, answer: object, says: str
) -> None:
    _quarantine(spool, 1)
    api.status, api.answer = status, lambda _: answer
    with pytest.raises(ReportError, match=says):
        _report(_reporter(spool, api.url))
    assert len(spool.quarantine(unreported=True)) == 1


def test_an_api_that_is_away_is_named(
    spool: Spool, free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    reporter = _reporter(spool, url)

    async def once() -> None:
        async with asyncio.timeout(0.5):
            await reporter.run()

    with caplog.at_level("WARNING"), pytest.raises(TimeoutError):
        asyncio.run(once())
    assert f"{url}/v1/gateway/report cannot be reached: All connection" in caplog.text


def test_an_api_that_is_away_is_tried_again(spool: Spool, free_port: Callable[[], int]) -> None:
    _quarantine(spool, 1)
    with pytest.raises(httpx.ConnectError):
        _report(_reporter(spool, f"http://127.0.0.1:{free_port()}"))

    async def until_reported(api: Api) -> None:
        api.status = 503
        task = asyncio.create_task(_reporter(spool, api.url, interval_s=1).run())
        async with asyncio.timeout(10):
            while not api.heard:  # noqa: ASYNC110 - the API's thread has no event for this loop
                await asyncio.sleep(0.01)
            api.status = 200
            while spool.quarantine(unreported=True):  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    with _api() as api:
        asyncio.run(until_reported(api))
