"""The engineers at their pages: look, ask, adopt, answer; everything works without a script."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from meters.catalog import FOLDER, shipped

if TYPE_CHECKING:
    import httpx
    from conftest import House, Reader

METER = "/engineering/meters/E-1-201"
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
REPORT: dict[str, Any] = {
    "gateway": "gw-1",
    "sent_at": "2026-11-15T07:59:58Z",
    "version": "0.1.0",
    "tally": {"received": 12, "stored": 9, "duplicate": 1, "quarantined": 1, "spooled": 1},
    "devices": [{"meter": "E-1-201", "type": "eastron-sdm120", "state": "ok"}],
    "spool": {"bytes": 40_960, "quota_bytes": 10**9},
    "device_list": {"tag": "t-1", "refused": "bus[1]: two buses use 10.0.0.7:502"},
    "alarms": [{"kind": "archive", "detail": "connection refused"}],
}


def send(house: House, **more: Any) -> httpx.Response:
    answer = house.caller("gw-1").post("/v1/gateway/report", json={**REPORT, **more})
    assert answer.status_code == 200, answer.text
    return answer


def unknown(house: House, **more: Any) -> None:
    item = {
        "id": 1,
        "received_at": "2026-11-15T07:50:00+00:00",
        "source": "mqtt:wm/cellar",
        "reason": "unknown-meter",
        "detail": "no meter of the settings reports here",
        "content_base64": base64.b64encode(TELEGRAM).decode(),
    }
    send(house, quarantine=[item], **more)


def posted(reader: Reader, path: str, page: str = "", **fields: str) -> httpx.Response:
    return reader.post(path, csrf=reader.csrf(page or path), **fields)


def text(answer: httpx.Response) -> str:
    """Return what a reader sees of a page."""
    assert answer.status_code in (200, 409, 422), answer.text
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


# meters


def test_meters_can_be_filtered_by_state_place_and_gateway(listed: House) -> None:
    engineer = listed.reader("engineer")

    def shown(query: str) -> set[str]:
        page = engineer.get(f"/engineering/meters?{query}").text
        return set(re.findall(r'href="/engineering/meters/([\w-]+)"', page))

    assert len(shown("")) == 10
    assert shown("state=fresh") == {"E-1-201"}
    assert shown("gateway=gw-1") == {"E-1-201", "W-1-201"}
    assert shown("q=1-101") == {"E-1-101", "W-1-101"}
    assert shown("state=never") == set()
    assert "No meter matches" in engineer.get("/engineering/meters?state=never").text
    assert engineer.get("/engineering/meters?days=5").status_code == 422


def test_completeness_counts_what_bills_need(house: House) -> None:
    engineer = house.reader("engineer")
    day, month = (text(engineer.get(f"/engineering/meters?q=E-1-201&days={n}")) for n in (1, 31))
    assert "1/24" in day, "one hour of the last day holds a good reading"
    assert "1/31" in month, "the midnight that began November has one"


def test_a_meters_readings_are_drawn_and_listed_by_days(house: House) -> None:
    engineer = house.reader("engineer")
    page = engineer.get(METER)
    assert page.text.count('<polyline class="line"') >= 1
    assert page.text.count('<rect class="suspect"') == 1
    assert "47c3 4ff3" in page.text
    september = engineer.get(f"{METER}?first=2026-08-31&last=2026-09-01")
    assert "5,120.4 kWh" in september.text
    assert "5,790.1" not in september.text.partition('id="readings"')[2]
    nothing = engineer.get(f"{METER}?first=2026-10-10&last=2026-10-11")
    assert "No reading in these days" in nothing.text
    for odd in ("first=never", "first=2026-09-30&last=2026-09-01", "register=nobody", "before=-1"):
        assert engineer.get(f"{METER}?{odd}").status_code == 200, odd


def test_a_meter_is_read_now_from_its_page(listed: House) -> None:
    engineer = listed.reader("engineer")
    asked = posted(engineer, f"{METER}/read", METER)
    assert (asked.status_code, asked.headers["Location"]) == (303, f"{METER}#now")
    page = engineer.get(METER)
    assert "Waits for the gateway to call" in page.text
    assert f'<meta http-equiv="refresh" content="2; url={METER}">' in page.text
    part = engineer.get(f"{METER}?register=import_energy&first=2026-11-01")
    again = f"2; url={METER}?register=import_energy&amp;first=2026-11-01"
    assert f'<meta http-equiv="refresh" content="{again}">' in part.text
    gateway = listed.caller("gw-1")
    (request,) = gateway.get("/v1/gateway/requests").json()["requests"]
    assert "The gateway is reading it" in engineer.get(METER).text
    register = {
        "register": "import_energy",
        "value": "5790.4",
        "unit": "kWh",
        "raw": "45b4 f333",
        "verdict": "suspect",
        "reasons": ["rate"],
    }
    body = {"done": True, "time": "2026-11-15T08:00:02+00:00", "registers": [register]}
    gateway.post(f"/v1/gateway/requests/{request['id']}/answer", json=body)
    page = engineer.get(METER)
    assert "http-equiv" not in page.text
    for said in ("5,790.4 kWh", "45b4 f333", "the counter rose faster", "2026-11-15 16:00:02"):
        assert said in page.text, said


def test_an_offline_gateway_and_a_dead_meter_are_said_clearly(listed: House) -> None:
    engineer = listed.reader("engineer")
    posted(engineer, f"{METER}/read", METER)
    listed.now += timedelta(seconds=61)
    assert "it is offline" in engineer.get(METER).text
    posted(engineer, f"{METER}/read", METER)
    gateway = listed.caller("gw-1")
    (request,) = gateway.get("/v1/gateway/requests").json()["requests"]
    body = {"done": False, "error": "no answer within 1.5 s"}
    gateway.post(f"/v1/gateway/requests/{request['id']}/answer", json=body)
    assert "no answer within 1.5 s" in engineer.get(METER).text


def test_a_meter_is_offered_to_be_read_now_where_a_gateway_can(listed: House) -> None:
    engineer = listed.reader("engineer")
    for meter, asked in (("E-1-201", True), ("W-1-201", False), ("E-1-101", False)):
        page = engineer.get(f"/engineering/meters/{meter}").text
        assert (f'action="/engineering/meters/{meter}/read"' in page) is asked, meter
        assert ("It reports by itself, or no gateway reads it." in page) is not asked, meter


def test_a_meter_that_reports_by_itself_cannot_be_asked(listed: House) -> None:
    engineer = listed.reader("engineer")
    path = "/engineering/meters/W-1-201"
    answer = posted(engineer, f"{path}/read", path)
    assert answer.status_code == 409
    assert "This meter cannot be asked" in answer.text


# gateways


def test_a_gateways_page_says_how_it_does(listed: House) -> None:
    send(listed)
    page = text(listed.reader("engineer").get("/engineering/gateways/gw-1"))
    for said in (
        "40.9 kB of 1.0 GB",
        "The archive is away connection refused",
        "two buses use 10.0.0.7:502",
        "List refused",
        "Nothing lost",
    ):
        assert said in page, said
    assert "right" in page
    send(listed, sent_at="2026-11-15T09:00:00Z")
    assert "60 minutes ahead" in text(listed.reader("engineer").get("/engineering/gateways"))


def test_a_gateway_is_added_listed_and_enrolled_by_forms(house: House) -> None:
    engineer = house.reader("engineer")
    added = posted(engineer, "/engineering/gateways", gateway="north-1")
    path = added.headers["Location"]
    assert path == "/engineering/gateways/north-1"
    bus = posted(engineer, f"{path}/buses", path, name="b1", host="10.0.0.7", port="502")
    assert bus.status_code == 303, bus.text
    serial = {"name": "b2", "serial": "/dev/ttyUSB0", "line": "9600 8N1", "timeout_s": "0.8"}
    assert posted(engineer, f"{path}/buses", path, **serial).status_code == 303
    meter = {"meter": "E-1-201", "type": "eastron-sdm120", "bus": "b1", "unit": "7"}
    assert posted(engineer, f"{path}/meters", path, **meter).status_code == 303
    water = {"meter": "W-1-201", "type": "wmbusmeters-water", "topic": "wm/1"}
    assert posted(engineer, f"{path}/meters", path, **water).status_code == 303
    page = text(engineer.get(path))
    assert "b1 · address 7" in page
    assert "serial /dev/ttyUSB0" in page
    assert "wm/1" in page
    token = posted(engineer, f"{path}/enrolment", path)
    (secret,) = re.findall(r"tg_enrol_[\w-]+", token.text)
    assert secret not in engineer.get(path).text, "shown once"
    answer = house.call("POST", "/v1/gateway/enrolment", json={"token": secret})
    assert answer.status_code == 201
    assert posted(engineer, f"{path}/meters/drop", path, meter="E-1-201").status_code == 303
    assert posted(engineer, f"{path}/buses/drop", path, name="b2").status_code == 303
    page = engineer.get(path).text
    assert "E-1-201" not in page
    assert "ttyUSB0</span>" not in page


@pytest.mark.parametrize(
    ("path", "fields", "says"),
    [
        ("meters", {"meter": "E-9", "type": "eastron-sdm120", "bus": "b1", "unit": "1"}, "twice"),
        ("meters", {"meter": " ", "type": "eastron-sdm120", "bus": "b1"}, "cannot be used"),
        ("meters", {"meter": "E-9", "type": "eastron-sdm120", "bus": "b9", "unit": "2"}, "no bus"),
        ("meters", {"meter": "W-9", "type": "wmbusmeters-water", "topic": "a/#"}, "# is not used"),
        ("buses", {"name": "b9", "host": "h", "port": "x"}, "integer"),
        ("buses", {"name": "b9"}, "definition is refused"),
    ],
)
def test_what_a_gateway_would_refuse_is_said_on_its_page(
    listed: House, path: str, fields: dict[str, str], says: str
) -> None:
    engineer = listed.reader("engineer")
    page = "/engineering/gateways/gw-1"
    answer = posted(engineer, f"{page}/{path}", page, **fields)
    assert answer.status_code in (404, 422)
    assert says in answer.text


def test_a_gateways_name_is_checked(house: House) -> None:
    engineer = house.reader("engineer")
    for name, status in (("a b", 422), ("", 422), ("gw-9", 303), ("gw-9", 409)):
        answer = posted(engineer, "/engineering/gateways", gateway=name)
        assert answer.status_code == status, name
    assert engineer.get("/engineering/gateways/nobody").status_code == 404


# unknown meters, questions


def test_an_unknown_meter_is_adopted_with_what_fits_it(listed: House) -> None:
    unknown(listed)
    engineer = listed.reader("engineer")
    page = engineer.get("/engineering/unknown")
    assert "12.345 m³" in page.text
    assert 'value="71234567"' in page.text
    assert re.search(r'value="wmbusmeters-water" selected', page.text)
    fields = {"gateway": "gw-1", "topic": "wm/cellar", "type": "wmbusmeters-water"}
    nameless = posted(engineer, "/engineering/unknown", meter="", **fields)
    assert nameless.status_code == 422
    adopted = posted(engineer, "/engineering/unknown", meter="W-cellar", identity="1", **fields)
    assert adopted.status_code == 303
    assert "No unknown meter" in engineer.get("/engineering/unknown").text


def test_an_unknown_meter_of_a_gateway_with_a_settings_file_is_stated_there(listed: House) -> None:
    unknown(listed, device_list=None)
    for language, said in (
        ("en", "Add an [[mqtt.meter]] with this topic to that file and reload the gateway."),
        ("zh-CN", "请在该文件中添加使用此主题的 [[mqtt.meter]]，然后重新加载网关。"),
    ):
        page = listed.reader("engineer", language).get("/engineering/unknown").text
        assert said in page
        assert 'name="meter"' not in page, "no form that is refused"
    fields = {"gateway": "gw-1", "topic": "wm/cellar", "type": "wmbusmeters-water"}
    refused = posted(listed.reader("engineer"), "/engineering/unknown", meter="W-cellar", **fields)
    assert refused.status_code == 409
    assert "wm/cellar</code>" in refused.text, "it is not gone"


def test_a_question_is_answered_with_a_reason(listed: House) -> None:
    send(listed, questions=[QUESTION])
    engineer = listed.reader("engineer")
    page = text(engineer.get("/engineering/questions"))
    for said in ("Looks like a reset", "5,790.1 kWh", "0.4 kWh", "1.2 kWh", "after 7 readings"):
        assert said in page, said
    assert "Looks like a reset" in engineer.get(METER).text
    fields = {"meter": "E-1-201", "register": "import_energy", "cause": "reset"}
    without = posted(engineer, "/engineering/questions", reason=" ", **fields)
    assert (without.status_code, "how you know" in without.text) == (422, True)
    answer = posted(engineer, "/engineering/questions", reason="seen on site", **fields)
    assert answer.status_code == 303
    page = text(engineer.get("/engineering/questions"))
    assert "The meter was reset seen on site" in page
    assert "waits for its gateway" in page
    gateway = listed.caller("gw-1")
    (request,) = gateway.get("/v1/gateway/requests").json()["requests"]
    gateway.post(f"/v1/gateway/requests/{request['id']}/answer", json={"done": True})
    send(listed, questions=[])
    page = text(engineer.get("/engineering/questions"))
    assert "No question" in page
    assert "done by the gateway" in page


# types


def test_every_type_of_the_catalogue_has_a_page(house: House) -> None:
    engineer = house.reader("engineer", "zh-CN")
    index = engineer.get("/engineering/types").text
    for name in shipped():
        assert f'href="/engineering/types/{name}"' in index
        answer = engineer.get(f"/engineering/types/{name}")
        assert answer.status_code == 200, name
        assert answer.text.count("<h1>") == 1
    assert engineer.get("/engineering/types/nobody").status_code == 404
    found = engineer.get("/engineering/types?q=eastron").text
    assert "eastron-sdm630" in found
    assert "bove" not in found


def test_a_type_is_added_by_its_file_alone(house: House) -> None:
    engineer = house.reader("engineer")
    mine = (FOLDER / "eastron-sdm120.toml").read_text("utf-8")
    mine = mine.replace("eastron-sdm120", "our-sdm120")
    wrong = posted(engineer, "/engineering/types", document=mine.replace("10909.28", "10909.29"))
    assert wrong.status_code == 422
    assert "expected 10909.29, got 10909.28" in wrong.text
    assert "10909.29" in wrong.text.partition("<textarea")[2], "what was pasted is still there"
    added = posted(engineer, "/engineering/types", document=mine.replace("\n", "\r\n"))
    assert added.headers["Location"] == "/engineering/types/our-sdm120"
    assert "uploaded" in engineer.get("/engineering/types/our-sdm120").text


def test_forms_of_others_change_nothing(listed: House) -> None:
    engineer = listed.reader("engineer")
    for path, fields in (
        (f"{METER}/read", {}),
        ("/engineering/gateways", {"gateway": "x"}),
        ("/engineering/gateways/gw-1/enrolment", {}),
        ("/engineering/gateways/gw-1/meters/drop", {"meter": "E-1-201"}),
        ("/engineering/questions", {"meter": "m"}),
        ("/engineering/types", {"document": "x"}),
    ):
        assert engineer.post(path, csrf="guessed", **fields).status_code == 403, path
    clerk = listed.reader("clerk")
    csrf = clerk.csrf("/staff/runs")
    assert clerk.post("/engineering/gateways", csrf=csrf, gateway="x").status_code == 403
