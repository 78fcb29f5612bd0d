"""Owners say where they are told of what, on a page and by `/v1`, and confirm it by a link."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest
import told

from billing.delivery.channels import Channels

if TYPE_CHECKING:
    from conftest import House

WISH = {"address": "li@example.com", "language": "en", "events": ["bill.issued"]}


@pytest.fixture
def telling(house: House) -> House:
    """The house with mail and SMS set up, which go nowhere."""
    resources = house.app.state.resources
    channels = Channels((told.Noting("email"), told.Noting("sms", repeatable=False)))
    house.app.state.resources = dataclasses.replace(resources, channels=channels)
    return house


def code(house: House) -> str:
    """Return the code in the link that was sent last."""
    with house.database.snapshot() as connection:
        data = connection.exec_driver_sql(
            "SELECT data FROM event WHERE kind = 'address.stated' ORDER BY id DESC"
        ).scalars()
        return str(json.loads(next(iter(data)))["code"])


def put(house: House, wish: object, channel: str = "email", person: str = "li") -> int:
    headers = {"Idempotency-Key": f"wish-{next(house.changes):04}"}
    path = f"/v1/notifications/{channel}"
    caller = house.caller(person)
    answer = caller.call("PUT", path, json=wish, headers=headers)
    return answer.status_code


def test_an_address_is_stated_confirmed_and_dropped(telling: House) -> None:
    li = telling.caller("li")
    assert li.get("/v1/notifications").json() == {"channels": ["email", "sms"], "items": []}
    assert put(telling, WISH) == 200
    (item,) = li.get("/v1/notifications").json()["items"]
    assert (item["address"], item["events"]) == ("li@example.com", ["bill.issued"])
    assert item["confirmed_at"] is None

    path = f"/notifications/confirm/{code(telling)}"
    english = {"Accept": "text/html", "Accept-Language": "en"}
    looked = telling.call("GET", path, headers=english)
    assert "Yes, send it here" in looked.text
    assert li.get("/v1/notifications").json()["items"][0]["confirmed_at"] is None
    assert "The address is confirmed" in telling.call("POST", path, headers=english).text
    assert li.get("/v1/notifications").json()["items"][0]["confirmed_at"] is not None
    assert telling.call("POST", path).status_code == 404

    headers = {"Idempotency-Key": "drop-0001"}
    dropped = li.call("DELETE", "/v1/notifications/email", headers=headers)
    assert dropped.json() == {"dropped": True}
    assert li.get("/v1/notifications").json()["items"] == []


def test_nobody_sees_or_changes_where_another_is_told(telling: House) -> None:
    assert put(telling, WISH) == 200

    assert telling.caller("chen").get("/v1/notifications").json()["items"] == []
    assert put(telling, {**WISH, "address": "chen@example.com"}, person="chen") == 200
    (item,) = telling.caller("li").get("/v1/notifications").json()["items"]
    assert item["address"] == "li@example.com"


@pytest.mark.parametrize(
    ("wish", "channel", "status"),
    [
        ({**WISH, "address": "li"}, "email", 422),
        ({**WISH, "events": ["run.blocked"]}, "email", 422),
        ({**WISH, "events": []}, "email", 422),
        ({**WISH, "language": "fr"}, "email", 422),
        (WISH, "fax", 422),
        ({**WISH, "address": "not a number"}, "sms", 422),
    ],
)
def test_what_cannot_be_kept_is_refused(
    telling: House, wish: object, channel: str, status: int
) -> None:
    assert put(telling, wish, channel) == status


def test_what_is_not_set_up_is_not_offered(house: House) -> None:
    assert put(house, WISH) == 422
    assert "Nothing is sent here yet" in house.reader("li").get("/settings/notifications").text


def test_the_page_keeps_what_a_form_says(telling: House) -> None:
    li = telling.reader("li")
    page = "/settings/notifications"
    csrf = li.csrf(page)
    saved = li.post(page, csrf=csrf, channel="email", address="li@x.example", events="bill.issued")
    assert saved.status_code == 303
    shown = li.get(page).text
    assert 'value="li@x.example"' in shown
    assert "waits for the link to be opened" in shown
    wrong = li.post(page, csrf=csrf, channel="email", address="li", events="bill.issued")
    assert wrong.status_code == 422
    assert "Nothing can be sent to this address" in wrong.text
    assert li.post(page, csrf=csrf, channel="email", address="").status_code == 303
    assert "li@x.example" not in li.get(page).text
