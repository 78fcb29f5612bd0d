"""Pages without a browser: light, scripts in files only, good empty states, clear refusals."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from api.pages.rendering import STATIC, static_address

if TYPE_CHECKING:
    from conftest import House

BILL = "/bills/osmanthus-2026-10-0002"
FIRST_VIEW_BYTES = 100_000
OF_OWNER = [
    "/",
    "/meters",
    "/publication",
    "/export",
    "/disputes",
    "/account",
    BILL,
    *(f"{BILL}/lines/{place}" for place in range(1, 9)),
    "/statements/2000001",
]
OF_APPROVER = ["/staff/runs", "/staff/disputes", "/staff/runs/2", "/staff/statements/2000002", BILL]
OF_ENGINEER = [
    "/engineering/meters",
    "/engineering/meters/E-1-201",
    "/engineering/quarantine",
    "/engineering/gateways",
    "/engineering/unknown",
    "/engineering/questions",
]


@pytest.mark.parametrize("tongue", ["en", "zh-CN"])
@pytest.mark.parametrize(
    ("name", "paths"),
    [("li", OF_OWNER), ("approver", OF_APPROVER), ("engineer", OF_ENGINEER)],
)
def test_pages_are_light_and_need_nothing_from_elsewhere(
    billed: House, name: str, paths: list[str], tongue: str
) -> None:
    reader = billed.reader(name, tongue)
    for path in paths:
        answer = reader.get(path)
        assert answer.status_code == 200, path
        named = set(re.findall(r"/static/([^\"?]+)\?v=", answer.text))
        assert named >= {"style.css", "mark.svg", "install.js"}
        fixed = sum((STATIC / name).stat().st_size for name in named)
        assert len(answer.content) + fixed < FIRST_VIEW_BYTES
        assert re.findall(r"<script(?! src=\"/static/)", answer.text) == []
        assert " style=" not in answer.text, "the content policy forbids it"
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", answer.text)
        assert f'<html lang="{tongue}">' in answer.text
        assert re.search(r"<title>[^<]+ · Tallygate</title>", answer.text)
        assert len(re.findall(r"<h1[ >]", answer.text)) == 1, path


def test_chinese_pages_hold_no_english_words(billed: House) -> None:
    for name, paths in (("li", OF_OWNER), ("approver", OF_APPROVER), ("engineer", OF_ENGINEER)):
        reader = billed.reader(name, "zh-CN")
        for path in paths:
            text = re.sub(r"<[^>]+>", " ", reader.get(path).text.partition("</header>")[2])
            words = set(re.findall(r"[A-Za-z]{3,}", text))
            known = {"kWh", "osmanthus", "lift", "lights", "Tallygate", "Ada", "Zhou", "import"}
            known |= {"energy", "volume", "clerk", "approver", "Eastron", "SDM", "English", "PDF"}
            known |= {"export", "power", "voltage", "XLSX"}
            digests = {word for word in words if re.fullmatch(r"[a-f]+", word)}
            assert words - known - digests == set(), path


def test_static_files_may_be_kept_because_their_address_changes(house: House) -> None:
    answer = house.call("GET", static_address("style.css"))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert house.call("GET", "/static/../app.py").status_code == 404
    assert house.call("GET", "/static/%2e%2e/rendering.py").status_code == 404


def test_a_line_shows_how_it_comes_about(billed: House) -> None:
    page = billed.reader("li").get(f"{BILL}/lines/1").text
    for shown in (
        "5,401.9 kWh",
        "5,714.3 kWh",
        "2026-11-01 00:00:14",
        "45b2 9266",
        "closing register of the bill before",
        "(5,714.3 − 5,401.9)",
        "up to 240",
        "240–400",
        "above 400",
        "¥117.192",
        "¥38.97292",
        "¥156.16492",
        "Rounded half up to ¥0.01, each line.",
    ):
        assert shown in page, shown


def test_a_shared_line_shows_the_working(billed: House) -> None:
    page = " ".join(billed.reader("li").get(f"{BILL}/lines/7").text.split())
    assert "¥199.03 × 90% × 88.36 ÷ 209.11 = ¥75.690601… → <strong>¥75.69</strong>" in page
    assert 'href="/statements/2000001"' in page


def test_check_it_computes_the_line_again(billed: House) -> None:
    reader = billed.reader("li")
    assert "It holds." not in reader.get(f"{BILL}/lines/1").text
    for place in range(1, 9):
        page = reader.get(f"{BILL}/lines/{place}?check=true").text
        assert "It holds." in page
        assert "Computed again at 2026-11-15 16:00:00" in page


def test_a_statement_shows_that_it_adds_up(billed: House) -> None:
    page = " ".join(billed.reader("approver").get("/staff/statements/2000001").text.split())
    assert "Adds up to the cent" in page
    assert "¥0.00 · 0 kWh" in page
    assert "its floor takes no part" in page
    assert "+¥0.01" in page


def test_who_made_a_run_sees_why_it_cannot_be_approved_by_them(house: House) -> None:
    approver = house.reader("approver")
    csrf = approver.csrf("/staff/runs")
    made = approver.post("/staff/runs", csrf=csrf, period="2026-10", community="osmanthus")
    assert made.headers["Location"] == "/staff/runs/2"
    assert approver.post("/staff/runs/2/compute", csrf=csrf).status_code == 303
    assert approver.post("/staff/runs/2/review", csrf=csrf).status_code == 303
    page = approver.get("/staff/runs/2").text
    assert "Waits for approval by somebody else" in page
    assert 'action="/staff/runs/2/approve"' not in page
    refused = approver.post("/staff/runs/2/approve", csrf=csrf, **house.seen(2))
    assert refused.status_code == 409
    assert "Somebody else must approve this" in refused.text


def test_the_month_that_is_billed_next_is_chosen_for_a_new_run(house: House) -> None:
    text = house.reader("clerk").get("/staff/runs").text
    assert '<option value="2026-10" selected>' in text
    assert "billed up to September 2026" in text
    assert "Every month that has ended is billed" not in text

    house.now += timedelta(days=31)  # November has ended too, and October comes before it
    assert '<option value="2026-10" selected>' in house.reader("clerk").get("/staff/runs").text

    house.now -= timedelta(days=62)
    assert "Every month that has ended is billed" in house.reader("clerk").get("/staff/runs").text


def test_a_run_that_exists_is_said_so_on_the_page(house: House) -> None:
    clerk = house.reader("clerk")
    csrf = clerk.csrf("/staff/runs")
    again = clerk.post("/staff/runs", csrf=csrf, period="2026-09", community="osmanthus")
    assert again.status_code == 409
    assert "There is a run for this month already" in again.text
    nobody = clerk.post("/staff/runs", csrf=csrf, period="2026-10")
    assert "No community is chosen" in nobody.text


def test_pages_without_anything_to_show_say_what_comes(house: House) -> None:
    assert "Nothing in quarantine" in house.reader("engineer").get("/engineering/quarantine").text
    with house.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM login_account")
    assert "No bill yet" in house.reader("li").get("/").text


def test_a_page_that_does_not_exist_is_a_page(house: House) -> None:
    answer = house.reader("li").get("/nowhere")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "There is no such page" in answer.text
    program = house.call("GET", "/nowhere")
    assert program.headers["Content-Type"] == "application/problem+json"


def test_an_error_of_ours_tells_nothing_of_the_inside(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.store.views import bills

    def broken(*_arguments: object, **_keywords: object) -> None:
        raise RuntimeError("the secret inside")

    caller, reader = house.caller("li"), house.reader("li")
    monkeypatch.setattr(bills, "heads", broken)
    answer = caller.get("/v1/bills")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    page = reader.get("/")
    assert page.status_code == 500
    assert "Something went wrong on our side" in page.text
    assert "secret" not in answer.text + page.text


OPEN = (
    "/health",
    "/metrics",
    "/v1/callbacks/wechat",
    "/v1/gateway/enrolment",
    "/v1/sessions",
    "/v1/tokens",
)


def test_the_document_of_the_api_names_every_operation_and_problem(house: House) -> None:
    document = house.call("GET", "/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["operationId"][0].islower()
            assert operation["summary"]
            assert ("security" in operation) == (path not in OPEN), path
            for status, response in operation["responses"].items():
                if status.startswith("4"):
                    assert "application/problem+json" in response["content"], (path, status)
