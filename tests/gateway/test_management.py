"""A running gateway changes what it reads without a gap, and does what the API asks."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.credential import Credential, CredentialFile
from gateway.device_list import DeviceListFile
from gateway.run import Gateway
from gateway.site import load_site
from gateway.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

KEY = "tg_key_of-north-1"
SITE = """
gateway = "north-1"
[archive]
url = "sqlite:///archive.sqlite"
[poll]
billing_s = 1
[report]
url = "{url}"
interval_s = 1
"""
FROM_API = """
[devices]
from = "api"
"""


class Api:
    """An API as a gateway sees it: a list under a tag, requests, and what it heard."""

    def __init__(self) -> None:
        self.url = ""
        self.tag = "t-0"
        self.devices: Any = {"gateway": "north-1"}
        self.requests: list[dict[str, Any]] = []
        self.answers: dict[int, dict[str, Any]] = {}
        self.reports: list[dict[str, Any]] = []
        self.fetched: list[str | None] = []
        self.is_away = False
        self.now: str | None = None

    def tell(self, tag: str, **devices: Any) -> None:
        """Have another list for the gateway."""
        self.devices = {"gateway": "north-1", **devices}
        self.tag = tag

    def ask(self, number: int, kind: str, meter: str, **detail: str) -> None:
        self.requests.append({"id": number, "kind": kind, "meter": meter, "detail": detail})

    def respond(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        """Return the status and the document for a call."""
        parts = urlsplit(path)
        if self.is_away:
            return 503, {}
        if headers["Authorization"] != f"Bearer {KEY}":
            return 401, {}
        match method, parts.path:
            case "POST", "/v1/gateway/report":
                self.reports.append(body)
                found = {
                    "quarantine_upto": max((e["id"] for e in body["quarantine"]), default=None)
                }
                return 200, {**found, "now": self.now or body["sent_at"]}
            case "GET", "/v1/gateway/requests":
                assert parse_qs(parts.query)["wait_s"]
                given, self.requests = self.requests, []
                return 200, {"devices": self.tag, "requests": given}
            case "GET", "/v1/gateway/devices":
                known = headers["If-None-Match"]
                self.fetched.append(known)
                return (304, None) if known == f'"{self.tag}"' else (200, self.devices)
        number = int(parts.path.split("/")[4])
        self.answers[number] = body
        return 204, None


@pytest.fixture(name="api")
def served_api() -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers["Content-Length"] or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, document = api.respond(self.command, self.path, self.headers, body)
            self.send_response(status)
            text = b"" if document is None else json.dumps(document).encode()
            if status == 200:
                self.send_header("ETag", f'"{api.tag}"')
            if status not in (204, 304):
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if status not in (204, 304):
                self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - the server's own name for it

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield api
        server.shutdown()
        thread.join()


@pytest.fixture
def path(site_file: Callable[[str], Path], api: Api) -> Path:
    """The settings file of an enrolled gateway whose devices come from the API."""
    found = site_file(SITE.format(url=api.url) + FROM_API)
    CredentialFile(found.parent / "spool.sqlite").write(Credential(api.url, KEY))
    return found


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Gateway]:
    stop = asyncio.Event()
    site = load_site(path, {})
    gateway = Gateway(site, load=lambda kept: load_site(path, {}, kept=kept))
    task = asyncio.create_task(gateway.run(stop))
    try:
        yield gateway
    finally:
        stop.set()
        await task
        with Spool(site.spool_path) as spool:
            spool.conservation()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)


def bus(port: int, *meters: str, name: str = "line", type_: str = "bove-ultrasonic") -> Any:
    devices = [
        {"meter": meter, "unit": unit, "type": type_} for unit, meter in enumerate(meters, start=1)
    ]
    return {"name": name, "host": "127.0.0.1", "port": port, "timeout_s": "0.5", "device": devices}


def stored(path: Path) -> dict[str, list[int]]:
    """Return the times (Unix seconds) of what the archive holds of each meter's volume."""
    archive = path.parent / "archive.sqlite"
    if not archive.exists():
        return {}
    with sqlite3.connect(f"file:{archive}?mode=ro", uri=True) as connection:
        try:
            rows = connection.execute(
                "SELECT meter, time FROM reading JOIN series ON series.id = reading.series"
                " WHERE register = 'volume' ORDER BY time"
            ).fetchall()
        except sqlite3.OperationalError:
            return {}  # the gateway is about to make it
    found: dict[str, list[int]] = {}
    for meter, at in rows:
        found.setdefault(meter, []).append(at)
    return found


async def zero(request: Any, wire: Any) -> None:
    wire.answer(request, (0,) * request.words)


def test_a_list_is_pulled_kept_and_worked_from_offline(peer: Any, path: Path, api: Api) -> None:
    async def scenario() -> None:
        async with peer(zero) as line:
            async with running(path):
                await until(lambda: api.fetched != [])
                api.tell("t-1", bus=[bus(line.port, "b-1")])
                await until(lambda: "b-1" in stored(path))
                await until(lambda: api.reports[-1].get("device_list", {}).get("tag") == "t-1")
            kept = DeviceListFile(path.parent / "spool.sqlite").read()
            assert kept is not None
            assert kept.tag == "t-1"
            api.is_away = True
            before = len(stored(path)["b-1"])
            async with running(path):
                await until(lambda: len(stored(path)["b-1"]) > before)

    asyncio.run(scenario())


def test_a_changed_list_drops_no_reading_of_those_who_stay(peer: Any, path: Path, api: Api) -> None:
    async def scenario() -> None:
        async with peer(zero) as first, peer(zero) as second:
            api.tell("t-1", bus=[bus(first.port, "stays", "goes")])
            async with running(path):
                await until(lambda: len(stored(path).get("stays", [])) >= 3)
                for turn in range(4):
                    more = [bus(second.port, f"comes-{turn}", name="new")]
                    api.tell(f"t-{turn + 2}", bus=[bus(first.port, "stays"), *more])
                    await until(lambda turn=turn: f"comes-{turn}" in stored(path))
                await until(lambda: api.reports[-1]["device_list"]["tag"] == "t-5")
                assert {each["meter"] for each in api.reports[-1]["devices"]} <= {
                    "stays",
                    "comes-3",
                }
            times = stored(path)["stays"]
            missed = sum(later - at - 1 for at, later in pairwise(times))
            assert missed <= 1, f"a second was missed in {times}"
            with Spool(path.parent / "spool.sqlite") as spool:
                assert spool.tally().spooled == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"bus": [{"name": "line"}]}, "is missing"),
        ({"gateway": "south"}, "is the list of gateway 'south'"),
        ({"types": {"x": "no toml"}}, "is not TOML"),
        ({"mqtt": {"meter": [{"meter": "w", "type": "wmbusmeters-water", "topic": "t"}]}}, "mqtt"),
    ],
)
def test_a_broken_list_is_refused_and_the_last_good_one_stays(
    peer: Any, path: Path, api: Api, broken: Any, says: str
) -> None:
    async def scenario() -> None:
        async with peer(zero) as line:
            api.tell("t-1", bus=[bus(line.port, "b-1")])
            async with running(path):
                await until(lambda: "b-1" in stored(path))
                api.tell("t-2", **broken)

                def is_refused() -> bool:
                    return (api.reports[-1].get("device_list") or {}).get("refused") is not None

                await until(is_refused)
                state = api.reports[-1]["device_list"]
                assert state["tag"] == "t-1"
                assert says in state["refused"]
                fetched, reports, count = (
                    len(api.fetched),
                    len(api.reports),
                    len(stored(path)["b-1"]),
                )
                await until(lambda: len(api.reports) >= reports + 3)
                assert len(api.fetched) == fetched, "a list that was refused is not asked for again"
                await until(lambda: len(stored(path)["b-1"]) > count)
                api.tell("t-3", bus=[bus(line.port, "b-1", "b-2")])
                await until(lambda: "b-2" in stored(path))
                await until(lambda: api.reports[-1]["device_list"]["refused"] is None)

    asyncio.run(scenario())


def test_read_this_meter_now_answers_with_raw_words_and_verdicts(
    peer: Any, path: Path, api: Api
) -> None:
    async def scenario() -> None:
        async with peer(zero) as line:
            api.tell("t-1", bus=[bus(line.port, "b-1")])
            async with running(path):
                await until(lambda: "b-1" in stored(path))
                api.ask(7, "read", "b-1")
                api.ask(8, "read", "nobody")
                api.ask(9, "dance", "b-1")
                await until(lambda: api.answers.keys() >= {7, 8, 9})
        assert api.answers[7]["done"] is True
        volume = next(e for e in api.answers[7]["registers"] if e["register"] == "volume")
        assert (volume["value"], volume["unit"], volume["verdict"]) == ("0", "m3", "good")
        assert set(volume["raw"]) <= set("0 ")
        assert api.answers[7]["time"].endswith("+00:00")
        assert "stands on no bus" in api.answers[8]["error"]
        assert "update it" in api.answers[9]["error"]

    asyncio.run(scenario())


def test_a_meter_that_does_not_answer_is_said_so_and_its_neighbour_is_read(
    peer: Any, path: Path, api: Api
) -> None:
    async def only_the_first(request: Any, wire: Any) -> None:
        if request.unit == 1:
            await zero(request, wire)

    async def scenario() -> None:
        async with peer(only_the_first) as line:
            api.tell("t-1", bus=[bus(line.port, "well", "dead")])
            async with running(path):
                await until(lambda: "well" in stored(path))
                api.ask(1, "read", "dead")
                await until(lambda: 1 in api.answers)
                count = len(stored(path)["well"])
                await until(lambda: len(stored(path)["well"]) > count)
        assert api.answers[1]["done"] is False
        assert "0.5 s" in api.answers[1]["error"]

    asyncio.run(scenario())


def test_a_counter_goes_on_from_what_a_person_confirmed(peer: Any, path: Path, api: Api) -> None:
    async def scenario() -> None:
        async with peer(zero) as line:
            api.tell("t-1", bus=[bus(line.port, "b-1")])
            async with running(path):
                await until(lambda: "b-1" in stored(path))
                confirmed = {"register": "volume", "time": "2026-10-01T00:00:00+00:00"}
                api.ask(1, "rebase", "b-1", **confirmed, value="12.5")
                api.ask(2, "rebase", "b-1", register="volume", time="yesterday", value="1")
                await until(lambda: api.answers.keys() >= {1, 2})
        assert api.answers[1] == {"done": True}
        assert api.answers[2]["done"] is False

    asyncio.run(scenario())


def test_the_heartbeat_says_how_the_gateway_does(peer: Any, path: Path, api: Api) -> None:
    async def scenario() -> None:
        async with peer(zero) as line:
            api.tell("t-1", bus=[bus(line.port, "b-1")])
            api.now = "2031-01-01T00:00:00+00:00"
            async with running(path):

                def alarmed() -> bool:
                    alarms = {e["kind"] for e in (api.reports or [{"alarms": []}])[-1]["alarms"]}
                    return "clock" in alarms

                await until(alarmed)
                api.now = None
                await until(lambda: not alarmed())
        heard = api.reports[-1]
        assert heard["spool"]["bytes"] > 0
        assert heard["spool"]["quota_bytes"] > heard["spool"]["bytes"]
        assert heard["questions"] == []
        assert heard["version"]
        assert abs(datetime.fromisoformat(heard["sent_at"]) - datetime.now(UTC)).days == 0

    asyncio.run(scenario())


def test_a_file_is_read_anew_and_a_wrong_one_changes_nothing(
    peer: Any, site_file: Callable[[str], Path], api: Api
) -> None:
    def text(*meters: str, port: int, more: str = "") -> str:
        lines = [SITE.format(url=api.url), '[[bus]]\nname = "line"\nhost = "127.0.0.1"']
        lines.append(f'port = {port}\ntimeout_s = "0.5"')
        for unit, meter in enumerate(meters, start=1):
            lines.append(
                f'[[bus.device]]\nmeter = "{meter}"\nunit = {unit}\ntype = "bove-ultrasonic"'
            )
        return "\n".join(lines) + more

    async def scenario() -> None:
        async with peer(zero) as line:
            path = site_file(text("b-1", port=line.port))
            CredentialFile(path.parent / "spool.sqlite").write(Credential(api.url, KEY))
            async with running(path) as gateway:
                await until(lambda: "b-1" in stored(path))
                for wrong, says in (
                    (text("b-1", port=line.port, more="\nnonsense = 1"), "unknown key"),
                    (text("b-1", port=line.port).replace("north-1", "south"), "restart"),
                ):
                    path.write_text(wrong)
                    gateway.reload()
                    await until(
                        lambda says=says: any(
                            each["kind"] == "settings" and says in each["detail"]
                            for each in api.reports[-1]["alarms"]
                        )
                    )
                path.write_text(text("b-1", "b-2", port=line.port))
                gateway.reload()
                await until(lambda: "b-2" in stored(path))
                await until(lambda: api.reports[-1]["alarms"] == [])
                assert "device_list" not in api.reports[-1]

    asyncio.run(scenario())
