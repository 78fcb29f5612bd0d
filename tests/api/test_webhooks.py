"""Programs are told what happens: added, looked after and sent again by `/v1` and on a page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from told import Clock, Noting, body_told, deliver, tell

from api.resealing import seal_anew
from api.schemas.webhook_messages import MeterOffline
from api.store import silences
from billing.delivery.event import Kind
from billing.delivery.schedule import Result, Said
from billing.sealing import Seal
from billing.store.delivery_pruning import prune

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import httpx
    from conftest import House

NEW = {
    "url": "https://client.example.com/hook",
    "title": "Client",
    "events": ["bill.issued", "run.blocked"],
}


class Admin:
    """Calls of the administrator, each under a key of its own."""

    def __init__(self, house: House) -> None:
        self.house, self.keys = house, iter(range(10_000))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        said = {"Idempotency-Key": f"webhook-{next(self.keys):04}", **headers}
        return self.house.caller("admin").call(method, path, json=body, headers=said)


@pytest.fixture
def admin(house: House) -> Iterator[Admin]:
    house.now += timedelta(minutes=1)  # what was issued before is told to nobody who comes now
    return Admin(house)


def test_a_webhook_is_added_changed_rotated_and_ended(admin: Admin) -> None:
    made = admin.call("POST", "/v1/webhooks", NEW)
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")

    shown = admin.call("GET", "/v1/webhooks/1")
    assert "secret" not in shown.json()
    assert shown.json()["state"] == "on"
    tag = shown.headers["etag"]
    assert admin.call("GET", "/v1/webhooks/1", **{"If-None-Match": tag}).status_code == 304

    off = admin.call("PUT", "/v1/webhooks/1", {**NEW, "on": False}, **{"If-Match": tag})
    assert (off.status_code, off.json()["state"]) == (200, "off")
    late = admin.call("PUT", "/v1/webhooks/1", NEW, **{"If-Match": tag})
    assert (late.status_code, late.json()["type"]) == (412, "/problems/changed-since")
    again = admin.call("POST", "/v1/webhooks/1/replay", {"since": "2026-11-01T00:00:00Z"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/webhook-off")

    rotated = admin.call("POST", "/v1/webhooks/1/secret", {"overlap_hours": 1}).json()
    assert rotated["secret"] != secret
    assert rotated["secret_before_until"] is not None

    assert admin.call("DELETE", "/v1/webhooks/1").json()["state"] == "off"
    assert admin.call("GET", "/v1/webhooks").json()["items"] == []
    assert admin.call("DELETE", "/v1/webhooks/1").status_code == 404


@pytest.mark.parametrize(
    "url", ["http://client.example.com/", "https://10.0.0.1/", "https://[::1]/", "https://a:b@c/"]
)
def test_an_address_that_may_not_be_called_is_refused(admin: Admin, url: str) -> None:
    answer = admin.call("POST", "/v1/webhooks", {**NEW, "url": url})

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/destination-refused")


def test_what_owners_alone_hear_of_is_no_event_of_a_webhook(admin: Admin) -> None:
    answer = admin.call("POST", "/v1/webhooks", {**NEW, "events": ["address.stated"]})

    assert answer.status_code == 422


def test_messages_are_listed_with_their_tries_and_sent_again(admin: Admin) -> None:
    house = admin.house
    admin.call("POST", "/v1/webhooks", NEW)
    tell(house.database, "B-1", "B-2")
    sender = Noting(says=[Result(Said.REFUSED, 400, "no such bill")])
    deliver(house.database, sender, Clock(house.now))

    first = admin.call("GET", "/v1/webhooks/1/deliveries?limit=1").json()
    (rest,) = admin.call("GET", f"/v1/webhooks/1/deliveries?cursor={first['next_cursor']}").json()[
        "items"
    ]
    failed = next(each for each in (*first["items"], rest) if each["state"] == "failed")
    whole = admin.call("GET", f"/v1/webhooks/1/deliveries/{failed['id']}").json()
    assert whole["data"]["total"] == "12.34"
    assert [(each["said"], each["status"]) for each in whole["attempts"]] == [("refused", 400)]
    only = admin.call("GET", "/v1/webhooks/1/deliveries?state=failed").json()["items"]
    assert [each["id"] for each in only] == [failed["id"]]

    again = admin.call("POST", f"/v1/webhooks/1/deliveries/{failed['id']}/replay")
    assert (again.status_code, again.json()["state"]) == (202, "waiting")
    deliver(house.database, sender, Clock(house.now))
    assert sender.sent[-1] == (failed["subject"], failed["message"])
    since = {"since": "2026-12-01T00:00:00Z"}
    assert admin.call("POST", "/v1/webhooks/1/replay", since).json() == {"messages": 2}


def test_without_a_key_no_webhook_is_added_and_it_is_said_what_to_set(
    house_with: Callable[..., AbstractContextManager[House]],
) -> None:
    with house_with(secret_keys=()) as house:
        answer = Admin(house).call("POST", "/v1/webhooks", NEW)
        page = house.reader("admin")
        shown = page.post("/webhooks", csrf=page.csrf("/webhooks"), url=NEW["url"])
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/no-sealing-key")
    assert "secret_keys" in answer.json()["detail"]
    assert shown.status_code == 503


def test_a_secret_is_told_again_by_its_key_and_stands_nowhere_in_clear(admin: Admin) -> None:
    house, said = admin.house, {"Idempotency-Key": "the-same-key"}
    first, again = (
        house.caller("admin").call("POST", "/v1/webhooks", json=NEW, headers=said) for _ in range(2)
    )
    assert first.json() == again.json()
    tables = ("webhook", "idempotency", "audit")
    assert not any("whsec_" in held for held in _held(house, *tables))
    other = replace(house.app.state.resources, seal=Seal(["n" * 40]))
    house.app.state.resources = other
    lost = house.caller("admin").call("POST", "/v1/webhooks", json=NEW, headers=said)
    assert (lost.status_code, lost.json()["type"]) == (503, "/problems/no-sealing-key")


def test_what_was_kept_in_clear_before_is_sealed(admin: Admin) -> None:
    house, said = admin.house, {"Idempotency-Key": "the-same-key"}
    made = house.caller("admin").call("POST", "/v1/webhooks", json=NEW, headers=said)
    secret = made.json()["secret"]
    with house.database.transaction() as connection:
        connection.execute(text("UPDATE webhook SET secret = :secret"), {"secret": secret})
        connection.execute(text("UPDATE idempotency SET body = :body"), {"body": made.text})
    seal = house.app.state.resources.seal

    assert seal_anew(house.database, seal) == 1
    assert not any(secret in held for held in _held(house, "webhook", "idempotency"))
    again = house.caller("admin").call("POST", "/v1/webhooks", json=NEW, headers=said)
    assert again.json()["secret"] == secret
    assert seal_anew(house.database, seal) == 0


def _held(house: House, *tables: str) -> list[str]:
    with house.database.snapshot() as connection:
        return [
            str(connection.exec_driver_sql(f"SELECT * FROM {name}").all())  # noqa: S608  names of ours
            for name in tables
        ]


def test_what_is_no_longer_kept_is_gone_and_not_just_less(admin: Admin) -> None:
    house = admin.house
    admin.call("POST", "/v1/webhooks", NEW)
    tell(house.database, "B-1", "B-2")
    deliver(house.database, Noting(), Clock(house.now))
    first = admin.call("GET", "/v1/webhooks/1/deliveries?limit=1").json()
    assert prune(house.database, before=house.now + timedelta(days=400)) == 6  # and issued bills

    rest = admin.call("GET", f"/v1/webhooks/1/deliveries?cursor={first['next_cursor']}")
    assert (rest.status_code, rest.json()["type"]) == (410, "/problems/events-gone")
    early = {"since": (house.now - timedelta(days=181)).isoformat()}
    again = admin.call("POST", "/v1/webhooks/1/replay", early)
    assert (again.status_code, again.json()["type"]) == (410, "/problems/events-gone")
    assert "180 days" in again.json()["detail"]
    page = house.reader("admin")
    shown = page.post("/webhooks/1/replay", csrf=page.csrf("/webhooks"), since="2020-01-01T00:00")
    assert shown.status_code == 410


def test_a_key_may_manage_webhooks_where_its_scopes_say_so(admin: Admin) -> None:
    made = admin.call("POST", "/v1/keys", {"name": "hooks", "scopes": ["webhooks:manage"]}).json()
    admin.house.keys = {**admin.house.keys, "hooks": made["key"]}

    assert admin.house.caller("hooks").get("/v1/webhooks").status_code == 200


def test_the_page_adds_a_webhook_shows_its_messages_and_sends_them_again(house: House) -> None:
    admin = house.reader("admin")
    csrf = admin.csrf("/webhooks")
    made = admin.post("/webhooks", csrf=csrf, url=NEW["url"], title="Client")
    assert "whsec_" in made.text
    assert "whsec_" not in admin.get("/webhooks").text
    refused = admin.post("/webhooks", csrf=csrf, url="https://127.0.0.1/")
    assert refused.status_code == 422
    assert "Messages are not sent to this address" in refused.text

    tell(house.database, "B-77")
    says = [Result(Said.REFUSED, 400, "no <b>such</b> bill")]
    deliver(house.database, Noting(says=says), Clock(house.now))
    shown = admin.get("/webhooks/1").text
    assert "a bill is issued · B-77" in shown
    assert "no &lt;b&gt;such&lt;/b&gt; bill" in shown
    assert "did not arrive" in shown
    assert admin.post("/webhooks/1/replay", csrf=csrf, delivery="1").status_code == 303
    assert "waits" in admin.get("/webhooks/1").text
    assert admin.post("/webhooks/1/switch", csrf=csrf, on="false").status_code == 303
    assert admin.post("/webhooks/1/replay", csrf=csrf, since="2026-11-01T00:00").status_code == 409


def test_a_meter_that_falls_silent_is_told_of_once_each_time(house: House) -> None:
    def report(last_answer: str, state: str) -> None:
        device = {
            "meter": "E-1-201",
            "type": "eastron-sdm120",
            "state": state,
            "last_answer": last_answer,
            "failures": 3,
            "error": "no answer",
        }
        body = {
            "gateway": "gw-1",
            "sent_at": house.now.isoformat(),
            "version": "0.1.0",
            "tally": dict.fromkeys(
                ("received", "stored", "duplicate", "quarantined", "spooled"), 0
            ),
            "devices": [device],
        }
        answer = house.caller("gw-1").post("/v1/gateway/report", json=body)
        assert answer.status_code == 200, answer.text

    def told() -> int:
        return silences.tell_of_silent_meters(house.database, now=house.now)

    early = (house.now - timedelta(minutes=50)).isoformat()
    report(early, "backoff")
    assert told() == 0
    house.now += timedelta(minutes=20)
    report(early, "backoff")
    assert (told(), told()) == (1, 0)
    report(house.now.isoformat(), "ok")
    assert told() == 0
    house.now += timedelta(hours=2)
    report((house.now - timedelta(minutes=90)).isoformat(), "backoff")
    assert (told(), told()) == (1, 0)
    # a gateway that says nothing any more says nothing of its meters either
    report(house.now.isoformat(), "ok")
    house.now += timedelta(days=2)
    assert (told(), told()) == (1, 0)
    body = body_told(house.database, Kind.METER_OFFLINE)
    assert set(MeterOffline.model_validate(body).data.model_dump()) == set(body["data"])
