"""The same on PostgreSQL: every query, calls that happen once, reports that are sent twice."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import httpx
import osmanthus_court as court
import pytest
from postgresql_server import copied_database

from api.app import create_app
from api.credentials import digest, new_token
from api.permission import Permission
from api.settings import ApiSettings
from api.store import keys
from billing.database import Database
from meters.archive.open import open_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


TOKEN = new_token("key")


@pytest.fixture(scope="module")
def issued(
    migrated_postgresql_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiSettings]:
    """September issued on PostgreSQL, and a key that may do everything; copied, never opened."""
    folder = tmp_path_factory.mktemp("issued")
    with copied_database(migrated_postgresql_url) as url:
        archive = open_archive(f"sqlite:///{folder}/archive.sqlite")
        with Database(url) as database:
            court.fill(database, archive)
            court.bill_month(database, archive, court.MONTH_BEFORE)
            with database.transaction() as connection:
                keys.add_key(
                    connection,
                    name="everything",
                    key_digest=digest(TOKEN),
                    scopes=list(Permission),
                    gateway="gw-1",
                    now=court.NOW,
                )
        archive.close()
        yield ApiSettings(database_url=url, archive_url=f"sqlite:///{folder}/archive.sqlite")


@pytest.fixture
def call(issued: ApiSettings, tmp_path: Path) -> Iterator[Callable[..., httpx.Response]]:
    """Calls with that key, over a copy."""
    archive = shutil.copy(issued.archive_url.removeprefix("sqlite:///"), tmp_path)
    with copied_database(issued.database_url) as url:
        settings = ApiSettings(database_url=url, archive_url=f"sqlite:///{archive}")
        yield from calls(settings)


def calls(settings: ApiSettings) -> Iterator[Callable[..., httpx.Response]]:
    app = create_app(settings, clock=lambda: court.NOW)
    with asyncio.Runner() as runner:

        def one(method: str, path: str, key: str = "", **arguments: Any) -> httpx.Response:
            async def answer() -> httpx.Response:
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://court") as web:
                    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key}
                    return await web.request(method, path, headers=headers, **arguments)

            return runner.run(answer())

        yield one
    app.state.resources.close()


def test_every_question_is_answered(call: Callable[..., httpx.Response]) -> None:
    bill = call("GET", "/v1/bills?limit=2&period=2026-09").json()
    assert len(bill["items"]) == 2
    following = call("GET", f"/v1/bills?limit=2&cursor={bill['next_cursor']}").json()
    assert [each["unit"] for each in following["items"]] == ["1-202", "2-101"]
    number = bill["items"][1]["number"]
    lines = call("GET", f"/v1/bills/{number}").json()["lines"]
    for line in lines:
        explained = call("GET", f"/v1/bills/{number}/lines/{line['position']}").json()
        assert explained["check"]["holds"] is True
    usage = call("GET", "/v1/usage?limit=3").json()
    assert len(call("GET", f"/v1/usage?cursor={usage['next_cursor']}").json()["items"]) == 5
    months = call("GET", "/v1/usage/months?code=100000000287").json()["months"]
    assert [each["quantity"] for each in months[-2:]] == ["281.5", None]
    days = call("GET", "/v1/usage/days?code=100000000287&month=2026-09").json()["days"]
    assert {each["gap"] for each in days} == {"not-read"}
    assert call("GET", "/v1/statements/1000001").json()["conserved"] is True
    for part in ("shares", "changes", "check"):
        assert call("GET", f"/v1/statements/1000001/{part}").status_code == 200
    assert len(call("GET", "/v1/meters?limit=4").json()["items"]) == 4
    assert call("GET", "/v1/meters/E-1-201/readings").status_code == 200
    assert call("GET", "/health").json()["status"] == "ok"


def test_a_call_happens_once(call: Callable[..., httpx.Response]) -> None:
    new = {"period": "2026-10", "communities": ["osmanthus"]}
    first, again = (call("POST", "/v1/runs", key="create-october", json=new) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    other = call("POST", "/v1/runs", key="create-october", json={**new, "period": "2026-11"})
    assert other.status_code == 422
    assert call("POST", "/v1/runs/2/compute", key="compute-october").json()["state"] == "computed"
    assert [each["id"] for each in call("GET", "/v1/runs").json()["items"]] == [2, 1]
    seen = call("POST", "/v1/runs/2/review", key="review-october").json()["digest"]
    approval = {"digest": seen}
    refused = call("POST", "/v1/runs/2/approve", key="approve-october", json=approval)
    assert refused.json()["type"] == "/problems/four-eyes"


def test_a_line_is_asked_about_and_answered(call: Callable[..., httpx.Response]) -> None:
    line = "/v1/bills/osmanthus-2026-09-0002/lines/1/disputes"
    made = call("POST", line, key="ask-00001", json={"reason": "We were away"})
    assert made.status_code == 201
    path = f"/v1/disputes/{made.json()['id']}"
    again = call("POST", line, key="ask-00002", json={"reason": "Still"})
    assert again.json()["type"] == "/problems/dispute-refused"
    answered = call("POST", f"{path}/answer", key="answer-01", json={"text": "We look"})
    assert (answered.status_code, answered.json()["state"]) == (200, "answered")
    ended = call("POST", f"{path}/accept", key="accept-01", json={"text": "You are right"})
    assert [each["state"] for each in ended.json()["words"]] == ["open", "answered", "accepted"]
    assert call("GET", "/v1/disputes?pending=true").json()["items"] == []
    published = call("GET", "/v1/publication?community=osmanthus").json()
    assert {each["id"] for each in published["pools"]} == {"b1-lift", "lights"}
    assert call("GET", "/v1/export").status_code == 403, "a key has no data of its own"


def test_a_report_may_be_sent_twice(call: Callable[..., httpx.Response]) -> None:
    report = {
        "gateway": "gw-1",
        "sent_at": "2026-11-15T07:59:00Z",
        "version": "0.1.0",
        "tally": {"received": 1, "stored": 0, "duplicate": 0, "quarantined": 1, "spooled": 0},
        "devices": [{"meter": "E-1-201", "type": "eastron-sdm120", "state": "ok"}],
        "quarantine": [
            {
                "id": 1,
                "received_at": "2026-11-15T07:50:00Z",
                "source": "mqtt x",
                "reason": "payload",
                "detail": "not JSON",
                "content_base64": "/w==",
            }
        ],
    }
    for _ in range(2):
        answer = call("POST", "/v1/gateway/report", json=report)
        assert answer.json()["quarantine_upto"] == 1
    assert len(call("GET", "/v1/quarantine").json()["items"]) == 1
    again = call("POST", "/v1/gateway/report", json={**report, "quarantine": []}).json()
    assert again["quarantine_upto"] == 1


def test_a_gateway_is_told_what_to_read_and_do(call: Callable[..., httpx.Response]) -> None:
    assert call("POST", "/v1/gateways", key="add-north", json={"gateway": "gw-1"}).is_success
    bus = call("PUT", "/v1/gateways/gw-1/buses/b1", key="bus-0001", json={"host": "10.0.0.7"})
    assert bus.is_success, bus.text
    way = {"type": "eastron-sdm120", "bus": "b1", "unit": 1}
    assert call("PUT", "/v1/gateways/gw-1/meters/E-1-201", key="met-0001", json=way).is_success
    listed = call("GET", "/v1/gateway/devices")
    assert listed.json()["bus"][0]["device"][0]["meter"] == "E-1-201"
    asked = call("POST", "/v1/meters/E-1-201/read-requests", key="read-0001")
    assert asked.json()["state"] == "waiting"
    found = call("GET", "/v1/gateway/requests").json()
    assert [each["kind"] for each in found["requests"]] == ["read"]
    number = found["requests"][0]["id"]
    path = f"/v1/gateway/requests/{number}/answer"
    assert call("POST", path, json={"done": False, "error": "no answer"}).status_code == 204
    assert call("GET", f"/v1/read-requests/{number}").json()["state"] == "answered"
    assert call("GET", "/v1/unknown-meters").json()["items"] == []
    assert call("GET", "/v1/questions").json()["items"] == []
