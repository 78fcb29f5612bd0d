"""Read this meter now, adopt an unknown one, say why a counter fell: asked, carried, answered."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing import tables

if TYPE_CHECKING:
    import httpx
    from conftest import House

TELEGRAM = b'{"id": "71234567", "total_m3": 12.345, "timestamp": "2026-11-15T07:49:00Z"}'
QUESTION: dict[str, Any] = {
    "meter": "E-1-201",
    "register": "import_energy",
    "unit": "kWh",
    "likely": "reset",
    "known": "5790.1",
    "known_at": "2026-11-15T06:00:00Z",
    "first": "0.4",
    "since": "2026-11-15T06:15:00Z",
    "value": "1.2",
    "time": "2026-11-15T07:45:00Z",
    "readings": 7,
}
ANSWER = {
    "done": True,
    "time": "2026-11-15T08:00:02Z",
    "registers": [
        {
            "register": "import_energy",
            "value": "5790.4",
            "unit": "kWh",
            "raw": "45b4 f333",
            "verdict": "good",
            "reasons": [],
        }
    ],
}

ADOPTION = {
    "gateway": "gw-1",
    "topic": "wm/cellar",
    "meter": "W-cellar",
    "type": "wmbusmeters-water",
    "identity": "71234567",
}
REPORT: dict[str, Any] = {
    "gateway": "gw-1",
    "sent_at": "2026-11-15T07:59:00Z",
    "version": "0.1.0",
    "tally": {"received": 3, "stored": 0, "duplicate": 0, "quarantined": 3, "spooled": 0},
    "devices": [{"meter": "E-1-201", "type": "eastron-sdm120", "state": "ok"}],
    "device_list": {"tag": "t-1"},
}


def send(house: House, **more: Any) -> httpx.Response:
    return house.caller("gw-1").post("/v1/gateway/report", json={**REPORT, **more})


def ask(house: House, meter: str = "E-1-201") -> int:
    answer = house.change("POST", f"/v1/meters/{meter}/read-requests")
    assert answer.status_code == 202, answer.text
    number: int = answer.json()["id"]
    return number


def given_out(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]]
    found = house.caller("gw-1").get("/v1/gateway/requests").json()["requests"]
    return found


def state(house: House, number: int) -> str:
    found: str = house.caller("engineer").get(f"/v1/read-requests/{number}").json()["state"]
    return found


def reply(house: House, number: int, **body: Any) -> int:
    path = f"/v1/gateway/requests/{number}/answer"
    return house.caller("gw-1").post(path, json=body).status_code


def test_a_meter_is_read_now_and_the_answer_is_shown(listed: House) -> None:
    number = ask(listed)
    assert state(listed, number) == "waiting"
    assert given_out(listed) == [{"id": number, "kind": "read", "meter": "E-1-201", "detail": {}}]
    assert state(listed, number) == "taken"
    assert given_out(listed) == [], "a reading is asked for once"
    assert reply(listed, number, **ANSWER) == 204
    found = listed.caller("engineer").get(f"/v1/read-requests/{number}").json()
    assert found["state"] == "answered"
    assert found["answer"]["registers"] == ANSWER["registers"]


def test_asking_again_before_the_answer_asks_nothing_more(listed: House) -> None:
    assert ask(listed) == ask(listed)


def test_a_gateway_that_does_not_call_is_offline_and_one_that_is_slow_is_not(listed: House) -> None:
    first = ask(listed)
    listed.now += timedelta(seconds=60)
    assert state(listed, first) == "not-taken"
    assert given_out(listed) == [], "nobody waits for it any more"
    second = ask(listed)
    assert second != first
    given_out(listed)
    listed.now += timedelta(seconds=60)
    assert state(listed, second) == "not-answered"
    reply(listed, second, done=False, error="no answer within 1.5 s")
    assert state(listed, second) == "answered", "late, but here"


def test_the_first_answer_counts(listed: House) -> None:
    number = ask(listed)
    given_out(listed)
    reply(listed, number, **ANSWER)
    assert reply(listed, number, done=False, error="later") == 204
    found = listed.caller("engineer").get(f"/v1/read-requests/{number}").json()
    assert found["answer"]["done"] is True


def test_a_gateway_answers_its_own_requests_only(listed: House) -> None:
    assert listed.change("POST", "/v1/gateways", gateway="gw-2").is_success
    assert listed.change("PUT", "/v1/gateways/gw-2/buses/b1", host="10.0.1.7").is_success
    assert listed.change(
        "PUT", "/v1/gateways/gw-2/meters/E-9", type="eastron-sdm120", bus="b1", unit=1
    ).is_success
    number = ask(listed, "E-9")
    assert given_out(listed) == []
    assert reply(listed, number, **ANSWER) == 404


@pytest.mark.parametrize("meter", ["W-1-201", "E-nobody"])
def test_a_meter_that_cannot_be_asked_is_said_so(listed: House, meter: str) -> None:
    answer = listed.change("POST", f"/v1/meters/{meter}/read-requests")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/cannot-be-asked")


def test_a_gateway_with_a_settings_file_is_asked_too(house: House) -> None:
    send(house, device_list=None)
    number = ask(house)
    assert [each["id"] for each in given_out(house)] == [number]


# unknown meters


def unknown(
    house: House, content: bytes, *, topic: str = "wm/cellar", number: int = 1, **more: Any
) -> None:
    item = {
        "id": number,
        "received_at": "2026-11-15T07:50:00+00:00",
        "source": f"mqtt:{topic}",
        "reason": "unknown-meter",
        "detail": "no meter of the settings reports here",
        "content_base64": base64.b64encode(content).decode(),
    }
    assert send(house, quarantine=[item], **more).status_code == 200


def test_an_unknown_meter_is_shown_with_what_understands_it(listed: House) -> None:
    unknown(listed, TELEGRAM)
    unknown(listed, TELEGRAM.replace(b"12.345", b"12.5"), number=2)
    unknown(listed, b"\xff\x00", topic="noise", number=3)
    items = listed.caller("engineer").get("/v1/unknown-meters").json()["items"]
    assert [(each["topic"], each["messages"]) for each in items] == [("noise", 1), ("wm/cellar", 2)]
    assert items[0]["guesses"] == []
    assert [each["adoptable"] for each in items] == [True, True]
    best = items[1]["guesses"][0]
    assert (best["type"], best["identity"]) == ("wmbusmeters-water", "71234567")
    assert best["registers"]["volume"] == "12.5"


def test_an_adopted_meter_is_on_the_list_and_unknown_no_more(listed: House) -> None:
    unknown(listed, TELEGRAM)
    assert listed.change("POST", "/v1/unknown-meters/adoptions", **ADOPTION).is_success
    meters = listed.caller("gw-1").get("/v1/gateway/devices").json()["mqtt"]["meter"]
    assert {each["meter"] for each in meters} == {"W-1-201", "W-cellar"}
    assert listed.caller("engineer").get("/v1/unknown-meters").json()["items"] == []


def test_a_gateway_with_a_settings_file_would_never_see_whom_one_adopts(listed: House) -> None:
    unknown(listed, TELEGRAM, device_list=None)
    refused = listed.change("POST", "/v1/unknown-meters/adoptions", **ADOPTION)
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/gateway-has-own-settings"
    assert "add an [[mqtt.meter]] with topic 'wm/cellar'" in refused.json()["detail"]
    (unknown_still,) = listed.caller("engineer").get("/v1/unknown-meters").json()["items"]
    assert (unknown_still["topic"], unknown_still["adoptable"]) == ("wm/cellar", False)
    meters = listed.caller("gw-1").get("/v1/gateway/devices").json()["mqtt"]["meter"]
    assert [each["meter"] for each in meters] == ["W-1-201"]


def test_what_stands_on_a_list_that_no_gateway_pulls_is_unknown_all_the_same(listed: House) -> None:
    unknown(listed, TELEGRAM, topic="wm/kitchen", device_list=None)
    items = listed.caller("engineer").get("/v1/unknown-meters").json()["items"]
    assert [each["topic"] for each in items] == ["wm/kitchen"]
    send(listed, sent_at="2026-11-15T07:59:30Z")
    assert listed.caller("engineer").get("/v1/unknown-meters").json()["items"] == []


def test_a_topic_below_a_meters_topic_is_its_own(listed: House) -> None:
    unknown(listed, b"12.5", topic="wm/kitchen/volume")
    assert listed.caller("engineer").get("/v1/unknown-meters").json()["items"] == []


def test_a_topic_that_a_listed_pattern_covers_is_known(listed: House) -> None:
    unknown(listed, TELEGRAM, topic="lora/a8404/up")
    unknown(listed, TELEGRAM, topic="lora/a8404", number=2)
    way = {"type": "wmbusmeters-water", "topic": "lora/+/up", "identity": "71234567"}
    answer = listed.change("PUT", "/v1/gateways/gw-1/meters/W-9", **way)
    assert answer.is_success, answer.text
    items = listed.caller("engineer").get("/v1/unknown-meters").json()["items"]
    assert [each["topic"] for each in items] == ["lora/a8404"]


# questions


def question(house: House, *asked: dict[str, Any]) -> None:
    answer = send(house, questions=list(asked))
    assert answer.status_code == 200, answer.text


def said(house: House, **changes: Any) -> Any:
    body = {"meter": "E-1-201", "register": "import_energy", "cause": "reset", **changes}
    body.setdefault("reason", "reset by the supplier, seen on site")
    return house.change("POST", "/v1/questions/answers", **body)


def test_what_a_gateway_asks_is_shown_until_it_asks_no_more(listed: House) -> None:
    question(listed, QUESTION)
    engineer = listed.caller("engineer")
    (shown,) = engineer.get("/v1/questions").json()["items"]
    assert shown == {**QUESTION, "gateway": "gw-1", "answered": None}
    send(listed)
    assert len(engineer.get("/v1/questions").json()["items"]) == 1, "an older gateway says nothing"
    question(listed)
    assert engineer.get("/v1/questions").json()["items"] == []


@pytest.mark.parametrize("cause", ["reset", "exchange"])
def test_a_persons_word_travels_to_the_gateway_until_it_is_done(listed: House, cause: str) -> None:
    question(listed, QUESTION)
    assert said(listed, cause=cause).status_code == 201
    expected = {"register": "import_energy", "time": "2026-11-15T07:45:00+00:00", "value": "1.2"}
    for _ in range(2):
        (found,) = given_out(listed)
        assert (found["kind"], found["detail"]) == ("rebase", expected)
    listed.now += timedelta(days=30)
    assert len(given_out(listed)) == 1, "a gateway may be away for weeks"
    assert reply(listed, found["id"], done=True) == 204
    assert given_out(listed) == []


@pytest.mark.parametrize("cause", ["map", "glitch"])
def test_a_wrong_map_and_a_glitch_never_become_what_is_counted_on_from(
    listed: House, cause: str
) -> None:
    question(listed, QUESTION)
    assert said(listed, cause=cause).status_code == 201
    assert given_out(listed) == []
    (shown,) = listed.caller("engineer").get("/v1/questions").json()["items"]
    assert shown["answered"] == cause


def test_an_answer_belongs_to_its_question(listed: House) -> None:
    """A counter that falls again later asks again."""
    question(listed, QUESTION)
    said(listed)
    question(listed, {**QUESTION, "since": "2026-11-15T07:50:00Z"})
    (shown,) = listed.caller("engineer").get("/v1/questions").json()["items"]
    assert shown["answered"] is None


def test_an_answer_needs_a_question_and_a_reason(listed: House) -> None:
    answer = said(listed)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-question")
    question(listed, QUESTION)
    assert said(listed, reason="").status_code == 422
    assert said(listed, cause="whatever").status_code == 422


def test_an_answer_is_audited_with_what_was_asked(listed: House) -> None:
    question(listed, QUESTION)
    said(listed)
    with listed.database.snapshot() as connection:
        row = connection.execute(
            tables.audit.select().where(tables.audit.c.action == "question.answer")
        ).one()
    assert (row.actor, row.subject) == ("engineer", "E-1-201/import_energy")
    assert "seen on site" in row.detail
    assert '"known": "5790.1"' in row.detail or '"known":"5790.1"' in row.detail


@pytest.mark.parametrize(
    "changes",
    [{"value": 1.2}, {"value": "much"}, {"since": "yesterday"}, {"readings": -1}, {"meter": ""}],
)
def test_a_question_that_makes_no_sense_is_refused(listed: House, changes: Any) -> None:
    assert send(listed, questions=[{**QUESTION, **changes}]).status_code == 422
    assert send(listed, questions=[QUESTION, QUESTION]).status_code == 422
