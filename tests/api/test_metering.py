"""Gateways report, engineers look: meters, freshness, quarantine."""

from __future__ import annotations

import base64
import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages.engineering import CONTENT_SHOWN, readable
from meters.archive.protocol import ArchiveUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import House

REPORT: dict[str, Any] = {
    "gateway": "gw-1",
    "sent_at": "2026-11-15T07:59:00+00:00",
    "version": "0.1.0",
    "tally": {"received": 12, "stored": 8, "duplicate": 1, "quarantined": 2, "spooled": 1},
    "devices": [
        {
            "meter": "E-1-201",
            "type": "eastron-sdm120",
            "state": "ok",
            "last_answer": "2026-11-15T07:58:30+00:00",
            "failures": 0,
            "error": None,
        },
        {
            "meter": "E-lights",
            "type": "eastron-sdm120",
            "state": "backoff",
            "last_answer": None,
            "failures": 7,
            "error": "no answer within 0.5 s",
        },
    ],
    "quarantine": [
        {
            "id": number,
            "received_at": "2026-11-15T07:50:00+00:00",
            "source": "mqtt water/W-9",
            "reason": reason,
            "detail": detail,
            "content_base64": base64.b64encode(content).decode(),
        }
        for number, reason, detail, content in (
            (4, "unknown-meter", "no meter is stated for this topic", b'{"total_m3": 1}'),
            (5, "payload", "not UTF-8 at byte 0", b"\xff\xfe\x00"),
        )
    ],
}


def send(house: House, **changes: Any) -> Any:
    return house.caller("gw-1").post(
        "/v1/gateway/report", json={**copy.deepcopy(REPORT), **changes}
    )


def upto(answer: Any) -> int | None:
    assert answer.status_code == 200, answer.text
    number: int | None = answer.json()["quarantine_upto"]
    return number


def items(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = house.caller("engineer").get("/v1/quarantine").json()["items"]
    return found


def test_a_report_is_kept_and_answers_up_to_where(house: House) -> None:
    answer = send(house)
    assert (answer.status_code, answer.json()["quarantine_upto"]) == (200, 5)
    assert answer.json()["now"] == "2026-11-15T08:00:00Z"
    (gateway,) = house.caller("engineer").get("/v1/gateways").json()["items"]
    assert gateway["tally"] == {**REPORT["tally"], "dropped": 0}
    assert gateway["unaccounted"] == 0
    assert [(each["reason"], each["gateway"]) for each in items(house)] == [
        ("payload", "gw-1"),
        ("unknown-meter", "gw-1"),
    ]
    assert base64.b64decode(items(house)[0]["content_base64"]) == b"\xff\xfe\x00"


def test_a_repeated_report_doubles_nothing(house: House) -> None:
    assert [upto(send(house)) for _ in range(3)] == [5] * 3
    assert len(items(house)) == 2


def test_a_report_without_items_says_what_is_held(house: House) -> None:
    assert upto(send(house, quarantine=[])) is None
    send(house)
    assert upto(send(house, quarantine=[])) == 5


def test_a_late_report_does_not_replace_a_newer_one_but_its_items_are_kept(house: House) -> None:
    send(house, quarantine=[])
    old = {"received": 1, "stored": 1, "duplicate": 0, "quarantined": 0, "spooled": 0}
    send(house, sent_at="2026-11-15T07:00:00+00:00", tally=old)
    (gateway,) = house.caller("engineer").get("/v1/gateways").json()["items"]
    assert gateway["tally"]["received"] == 12
    assert len(items(house)) == 2


def test_a_clock_that_was_ahead_hides_nothing_once_it_is_set_right(house: House) -> None:
    send(house, sent_at="2031-01-01T00:00:00+00:00", tally={**REPORT["tally"], "stored": 7})
    (gateway,) = house.caller("engineer").get("/v1/gateways").json()["items"]
    assert gateway["clock_ahead_s"] == 130_262_400
    send(house)
    (gateway,) = house.caller("engineer").get("/v1/gateways").json()["items"]
    assert (gateway["clock_ahead_s"], gateway["tally"]["stored"]) == (-60, 8)


def test_a_heartbeat_says_how_full_the_spool_is_and_what_is_wrong(house: House) -> None:
    send(
        house,
        spool={"bytes": 40_960, "quota_bytes": 10**9},
        device_list={"tag": "t-1", "refused": "bus[1]: two buses use 10.0.0.7:502"},
        alarms=[{"kind": "archive-away", "detail": "connection refused"}],
    )
    (gateway,) = house.caller("engineer").get("/v1/gateways").json()["items"]
    assert gateway["spool"] == {"bytes": 40_960, "quota_bytes": 10**9}
    assert gateway["device_list"]["refused"] == "bus[1]: two buses use 10.0.0.7:502"
    assert gateway["alarms"] == [{"kind": "archive-away", "detail": "connection refused"}]


def test_gauges_that_a_full_spool_let_go_are_no_loss(house: House) -> None:
    send(house, tally={**REPORT["tally"], "received": 15, "dropped": 3})
    (gateway,) = house.caller("engineer").get("/v1/gateways").json()["items"]
    assert gateway["unaccounted"] == 0


def test_a_gateway_that_lost_its_disk_loses_no_item(house: House) -> None:
    """It counts from 1 again: another content under a number that was used is a new item."""
    send(house)
    again = copy.deepcopy(REPORT["quarantine"][:1])
    again[0]["content_base64"] = base64.b64encode(b"something else").decode()
    assert upto(send(house, quarantine=again)) == 4
    assert len(items(house)) == 3


def test_messages_that_are_nowhere_are_seen(house: House) -> None:
    send(house, tally={**REPORT["tally"], "received": 15})
    (gateway,) = house.caller("engineer").get("/v1/gateways").json()["items"]
    assert gateway["unaccounted"] == 3
    assert "3 unaccounted for" in house.reader("engineer").get("/engineering/gateways").text


def test_a_key_reports_as_its_own_gateway_only(house: House) -> None:
    answer = send(house, gateway="gw-2")
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/wrong-gateway"


@pytest.mark.parametrize(
    "changes",
    [
        {"sent_at": "yesterday"},
        {"sent_at": "2026-11-15T07:59:00"},  # of which zone?
        {"tally": {"received": -1, "stored": 0, "duplicate": 0, "quarantined": 0, "spooled": 0}},
        {"tally": {}},
        {"devices": [REPORT["devices"][0], REPORT["devices"][0]]},
        {"quarantine": [{**REPORT["quarantine"][0], "content_base64": "not base64!"}]},
        {"quarantine": [{**REPORT["quarantine"][0], "id": 2**70}]},
        {"quarantine": [REPORT["quarantine"][0]] * 1001},
        {"gateway": ""},
    ],
)
def test_a_report_that_makes_no_sense_is_refused_whole(house: House, changes: Any) -> None:
    answer = send(house, **changes)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-request"
    assert items(house) == []


def test_a_newer_gateway_may_say_more(house: House) -> None:
    assert send(house, uptime_s=5).status_code == 200


def test_a_body_beyond_the_limit_is_refused(house: House) -> None:
    answer = house.caller("gw-1").post("/v1/gateway/report", content=b" " * (9 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/too-large"


def test_meters_show_their_newest_reading_and_its_age(house: House) -> None:
    found = {
        each["meter"]: each for each in house.caller("engineer").get("/v1/meters").json()["items"]
    }
    assert len(found) == 10
    fresh = found["E-1-201"]
    assert (fresh["freshness"], fresh["age_s"], fresh["unit"]) == ("fresh", 300, "1-201")
    assert fresh["newest"][0]["value"] == "5790.1"
    assert found["W-1-101"]["freshness"] == "silent"
    assert found["W-1-101"]["newest"][0]["raw"] == "93.4"


def test_cursors_lead_through_all_meters_once(house: House) -> None:
    engineer = house.caller("engineer")
    found, cursor = [], ""
    while True:
        page = engineer.get(f"/v1/meters?limit=3{cursor}").json()
        found += [each["meter"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == sorted(set(found))
    assert len(found) == 10


def test_readings_show_raw_words_and_why_one_is_suspect(house: House) -> None:
    readings = house.caller("engineer").get("/v1/meters/E-1-201/readings").json()["readings"]
    assert [(each["verdict"], each["reasons"]) for each in readings] == [
        ("good", []),
        ("good", []),
        ("suspect", ["rate"]),
        ("good", []),
    ]
    assert readings[2]["raw"] == "47c3 4ff3"


def test_an_unknown_meter_is_not_found(house: House) -> None:
    answer = house.caller("engineer").get("/v1/meters/nobody/readings")
    assert answer.json()["type"] == "/problems/not-found"
    assert house.reader("engineer").get("/engineering/meters/nobody").status_code == 404


def test_an_archive_that_is_away_is_said_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = house.app.state.resources.archive

    def away(_series: object) -> None:
        raise ArchiveUnavailableError("the archive is away")

    monkeypatch.setattr(archive, "latest", away)
    answer = house.caller("engineer").get("/v1/meters")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/archive-unavailable")
    health = house.call("GET", "/health")
    assert health.status_code == 503
    assert health.json() == {"status": "degraded", "database": "ok", "archive": "unreachable"}
    assert house.caller("li").get("/v1/bills").status_code == 200, "bills need no archive"


def test_the_quarantine_page_shows_what_came_in(house: House) -> None:
    send(house)
    page = house.reader("engineer").get("/engineering/quarantine").text
    assert "No meter is known by this address" in page
    assert "{&#34;total_m3&#34;: 1}" in page
    assert "ff fe 00" in page


def test_content_of_strangers_is_shown_as_text_not_as_markup(house: House) -> None:
    hostile = {
        **REPORT["quarantine"][0],
        "detail": "<script>alert(1)</script>",
        "source": "<img src=x>",
        "content_base64": base64.b64encode(b"<script>alert(2)</script>").decode(),
    }
    send(house, quarantine=[hostile])
    page = house.reader("engineer").get("/engineering/quarantine").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@given(st.binary())
def test_any_content_is_readable_and_short(content: bytes) -> None:
    shown = readable(content)
    assert all(letter.isprintable() or letter in "\r\n\t" for letter in shown)
    assert len(shown) <= CONTENT_SHOWN + 2


def test_the_meters_page_shows_what_the_gateway_says(house: House) -> None:
    send(house)
    page = house.reader("engineer").get("/engineering/meters").text
    assert "Does not answer; tried less often" in page
    assert "no answer within 0.5 s" in page
    assert "Nothing lost" in house.reader("engineer").get("/engineering/gateways").text


def test_figures_for_prometheus_hold_no_personal_data(billed: House) -> None:
    send(billed)
    billed.caller("li").get("/v1/bills/osmanthus-2026-10-0002")
    billed.call("GET", "/nowhere/at/all/1")
    text = billed.call("GET", "/metrics").text
    assert 'tallygate_gateway_report_age_seconds{gateway="gw-1"} 0.0' in text
    assert "tallygate_quarantine_items 2.0" in text
    assert 'route="/v1/bills/{number}",status="200"' in text
    assert 'route="unknown",status="404"' in text
    assert "osmanthus" not in text
    assert "1-201" not in text


def test_a_body_without_a_stated_length_is_counted_too(house: House) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * (1024 * 1024)

    answer = house.caller("gw-1").post("/v1/gateway/report", content=stream())
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/too-large"
