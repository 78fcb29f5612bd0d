"""A gateway that an engineer manages: enrolled, listed, read on demand, its strangers adopted.

The real API over a socket, a real gateway, a real broker, and a meter that answers on Modbus TCP.
"""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from click.testing import CliRunner
from paho.mqtt.publish import single

from api.app import create_app
from api.credentials import Passwords
from api.permission import Role
from api.resources import read_clock
from api.settings import ApiSettings
from api.store import logins
from billing.database import Database
from gateway.commands import gateway as gateway_command
from gateway.run import Gateway
from gateway.site import load_site
from meters.archive.open import open_archive
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from mosquitto_server import MosquittoServer

PASSWORD = "correct-horse-battery"  # noqa: S105  a password of this test's own database
WAIT_S = 40
SITE = """
gateway = "north-1"
[archive]
url = "{archive}"
[poll]
billing_s = 1
[mqtt]
host = "127.0.0.1"
port = {broker}
listen = ["meters/#"]
[report]
url = "{url}"
interval_s = 1
[devices]
from = "api"
"""
TELEGRAM = '{"media":"cold water","meter":"multical21","name":"cellar","id":"76348799",'
TELEGRAM += '"total_m3":6.408,"max_flow_m3h":0,"timestamp":"2026-11-15T07:49:00Z"}'


class Engineer:
    """Calls of the API as an engineer makes them."""

    def __init__(self, web: httpx.Client) -> None:
        self.web = web
        login = {"name": "engineer", "password": PASSWORD}
        token = self.web.post("/v1/sessions", json=login).json()["token"]
        self.web.headers["Authorization"] = f"Bearer {token}"
        self.changes = iter(range(10_000))

    def change(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Idempotency-Key": f"change-{next(self.changes):04}"}
        answer = self.web.request(method, path, json=body or None, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self.web.get(path)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture
def api(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[str]:
    """The address of an API with an engineer and nothing else."""
    settings = ApiSettings(
        database_url=f"sqlite:///{tmp_path}/billing.sqlite",
        archive_url=f"sqlite:///{tmp_path}/archive.sqlite",
        secure_cookies=False,
    )
    with Database(settings.database_url) as database:
        database.migrate()
        with database.transaction() as connection:
            logins.add_login(
                connection,
                name="engineer",
                password_hash=Passwords().hash(PASSWORD),
                role=Role.ENGINEER,
                accounts=[],
                now=read_clock(),
            )
    port = free_port()
    with served(create_app(settings), port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def engineer(api: str) -> Iterator[Engineer]:
    """An engineer who is signed in."""
    with httpx.Client(base_url=api, timeout=30) as web:
        yield Engineer(web)


@contextmanager
def served(app: Any, port: int) -> Iterator[None]:
    config = uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + WAIT_S
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    yield
    server.should_exit = True
    thread.join()


@asynccontextmanager
async def meter_on_modbus() -> AsyncIterator[int]:
    """Give the port of a Modbus TCP meter whose registers hold the float 10909.28 everywhere."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(7)
                transaction, _, length, unit = struct.unpack(">HHHB", head)
                function, _address, count = struct.unpack(
                    ">BHH", await reader.readexactly(length - 1)
                )
                words = bytes.fromhex("462a7521") * (count // 2 + 1)
                pdu = struct.pack(">BB", function, 2 * count) + words[: 2 * count]
                writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def until(found: Callable[[], Any]) -> Any:
    """Return what `found` gives once that is something."""
    async with asyncio.timeout(WAIT_S):
        while not (answer := await asyncio.to_thread(found)):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.1)
    return answer


def test_from_a_token_to_a_reading_an_answer_and_an_adoption(
    api: str, engineer: Engineer, tmp_path: Path, mosquitto: MosquittoServer
) -> None:
    archive_url = f"sqlite:///{tmp_path}/archive.sqlite"
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(archive=archive_url, broker=mosquitto.port, url=api), "utf-8")
    engineer.change("POST", "/v1/gateways", gateway="north-1")
    offered = engineer.change("POST", "/v1/gateways/north-1/enrolments")
    enrolled = CliRunner().invoke(
        gateway_command, ["enrol", str(path), "--token-stdin"], input=offered["token"] + "\n"
    )
    assert enrolled.exit_code == 0, enrolled.output
    again = CliRunner().invoke(
        gateway_command, ["enrol", str(path), "--token-stdin"], input=offered["token"] + "\n"
    )
    assert again.exit_code == 1
    assert "it was used, has expired or is mistyped" in again.output
    single("meters/cellar", TELEGRAM, qos=1, port=mosquitto.port)

    async def scenario() -> None:
        stop = asyncio.Event()
        runs = Gateway(
            load_site(path, os.environ),
            load=lambda kept: load_site(path, os.environ, kept=kept),
        )
        async with meter_on_modbus() as port:
            task = asyncio.create_task(runs.run(stop))
            try:
                await manage(port)
            finally:
                stop.set()
                await task

    async def manage(port: int) -> None:
        bus = {"host": "127.0.0.1", "port": port, "timeout_s": "1"}
        way = {"type": "eastron-sdm120", "bus": "b1", "unit": 1}
        engineer.change("PUT", "/v1/gateways/north-1/buses/b1", **bus)
        engineer.change("PUT", "/v1/gateways/north-1/meters/E-1", **way)
        archive = open_archive(archive_url)
        energy = Series("E-1", "import_energy")
        reading = await until(lambda: archive.latest([energy]).get(energy))
        assert reading.value == Decimal("10909.28")

        asked = engineer.change("POST", "/v1/meters/E-1/read-requests")
        answered = await until(
            lambda: (
                (found := engineer.get(f"/v1/read-requests/{asked['id']}"))["state"] == "answered"
                and found
            )
        )
        registers = {each["register"]: each for each in answered["answer"]["registers"]}
        assert registers["import_energy"]["raw"] == "462a 7521"
        assert registers["import_energy"]["value"] == "10909.28"

        single("meters/cellar", TELEGRAM, qos=1, port=mosquitto.port)
        (stranger,) = await until(lambda: engineer.get("/v1/unknown-meters")["items"])
        assert (stranger["topic"], stranger["guesses"][0]["identity"]) == (
            "meters/cellar",
            "76348799",
        )
        engineer.change(
            "POST",
            "/v1/unknown-meters/adoptions",
            gateway="north-1",
            topic="meters/cellar",
            meter="W-cellar",
            type=stranger["guesses"][0]["type"],
            identity="76348799",
        )
        volume = Series("W-cellar", "volume")
        kept = await until(lambda: archive.latest([volume]).get(volume))
        assert kept.value == Decimal("6.408"), "what was kept of the stranger is a reading now"
        state = await until(lambda: _at_rest(engineer))
        assert state["unaccounted"] == 0
        assert abs(state["clock_ahead_s"]) <= 2
        assert state["alarms"] == []
        archive.close()

    asyncio.run(scenario())


def _at_rest(engineer: Engineer) -> Any:
    """Return the gateway's state once it works from the newest list."""
    (state,) = engineer.get("/v1/gateways")["items"]
    listed = state["device_list"]
    return state if listed and not listed["refused"] and not state["alarms"] else None
