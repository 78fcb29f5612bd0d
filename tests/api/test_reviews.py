"""The review queue: what a clerk has to decide, with the use and the readings, and the decision."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing import tables
from billing.store import reviews
from billing.vee.settings import Rule, Validation

if TYPE_CHECKING:
    from conftest import House

NEW = {"period": "2026-10", "communities": ["osmanthus"]}
PLACE = {
    "community": "osmanthus",
    "period": "2026-10",
    "point": "1-201-e",
    "register": "import_energy",
}
CASE = "/staff/reviews/case?community=osmanthus&period=2026-10&point=1-201-e&register=import_energy"
OF_API = {
    "community": "osmanthus",
    "period": "2026-10",
    "point": "1-201-e",
    "register_name": "import_energy",
}


@pytest.fixture
def blocked(house: House) -> House:
    """The house whose October is blocked, because any use above September's is high."""
    strict = Validation(
        blocks=(Rule.HIGH_USE,), high=Decimal("1.0001"), months=1, least=Decimal("0.1")
    )
    with house.database.transaction() as connection:
        reviews.set_settings(connection, 1, strict)
    clerk = house.caller("clerk")
    clerk.post("/v1/runs", key="given-create", json=NEW)
    assert clerk.post("/v1/runs/2/compute", key="given-compute").json()["state"] == "blocked"
    return house


def test_the_queue_leads_to_the_register_with_its_readings(blocked: House) -> None:
    reader = blocked.reader("clerk")
    queue = reader.get("/staff/reviews").text
    assert CASE.replace("&", "&amp;") in queue
    page = reader.get(CASE).text
    assert "Point 1-201-e: far more was used than in the months before. Look at it." in page
    assert "Near 2026-10-01 00:00:00" in page
    assert "2026-10-01 00:00:14" in page
    assert "Near 2026-11-01 00:00:00" in page
    assert "E-1-201" in page


def test_what_is_accepted_is_billed_and_told_to_the_audit_log(blocked: House) -> None:
    reader, clerk = blocked.reader("clerk"), blocked.caller("clerk")
    said = {**PLACE, "decision": "accept", "finding": "HighUse", "reason": "A heater was bought"}
    answer = reader.post("/staff/reviews/case", csrf=reader.csrf(CASE), **said)
    assert (answer.status_code, answer.headers["location"]) == (303, CASE)
    assert "A heater was bought — clerk" in reader.get(CASE).text
    before = {each["point"] for each in clerk.get("/v1/reviews").json()["items"]}
    clerk.post("/v1/runs/2/compute", key="compute-2")
    after = {each["point"] for each in clerk.get("/v1/reviews").json()["items"]}
    assert before - after == {"1-201-e"}
    log = tables.audit
    with blocked.database.snapshot() as connection:
        row = connection.execute(
            select(log.c.actor, log.c.subject).where(log.c.action == "review.accept")
        ).one()
    assert tuple(row) == ("clerk", "point:osmanthus/1-201-e")


def test_a_stated_use_and_a_withdrawal_leave_the_readings_alone(blocked: House) -> None:
    reader = blocked.reader("clerk")
    csrf = reader.csrf(CASE)
    said = {**PLACE, "decision": "override", "use": "300", "reason": "Read off the display"}
    assert reader.post("/staff/reviews/case", csrf=csrf, **said).status_code == 303
    said = {**PLACE, "decision": "withdraw", "reason": "It was another flat"}
    assert reader.post("/staff/reviews/case", csrf=csrf, **said).status_code == 303
    with blocked.database.snapshot() as connection:
        decided = reviews.decided(connection, 1, "2026-10")
    assert [(str(each.decision), each.use) for each in decided] == [
        ("override", Decimal(300)),
        ("withdraw", None),
    ]


def test_a_register_is_stated_at_a_time_of_the_communitys_own_zone(blocked: House) -> None:
    reader = blocked.reader("clerk")
    said = {**PLACE, "decision": "override", "value": "5748.2", "at": "2026-10-31T23:59"}
    said["reason"] = "Read off the display"
    assert reader.post("/staff/reviews/case", csrf=reader.csrf(CASE), **said).status_code == 303
    with blocked.database.snapshot() as connection:
        (review,) = reviews.decided(connection, 1, "2026-10")
    assert review.at is not None
    assert (review.value, review.at.isoformat()) == (
        Decimal("5748.2"),
        "2026-10-31T15:59:00+00:00",
    )


@pytest.mark.parametrize(
    "said",
    [
        {"decision": "accept", "finding": "HighUse", "reason": " "},
        {"decision": "accept", "reason": "I looked"},
        {"decision": "estimate", "method": "by-guess", "reason": "I looked"},
        {"decision": "override", "reason": "I looked"},
        {"decision": "override", "value": "1", "reason": "I looked"},
        {"decision": "override", "use": "many", "reason": "I looked"},
        {"decision": "override", "use": "-1", "reason": "I looked"},
        {"decision": "forget", "reason": "I looked"},
    ],
)
def test_half_a_decision_is_refused(blocked: House, said: dict[str, str]) -> None:
    reader = blocked.reader("clerk")
    answer = reader.post("/staff/reviews/case", csrf=reader.csrf(CASE), **PLACE, **said)
    assert (answer.status_code, "The decision is not whole" in answer.text) == (422, True)
    with blocked.database.snapshot() as connection:
        assert reviews.decided(connection, 1, "2026-10") == ()


def test_programs_list_and_decide_too(blocked: House) -> None:
    clerk = blocked.caller("clerk")
    first = clerk.get("/v1/reviews?community=osmanthus&limit=1").json()
    second = clerk.get(f"/v1/reviews?limit=1&cursor={first['next_cursor']}").json()
    assert (first["items"][0]["finding"], first["items"][0]["blocks"]) == ("HighUse", True)
    assert first["items"] != second["items"]
    assert clerk.get("/v1/reviews?community=elsewhere").json()["items"] == []
    said = {**OF_API, "decision": "estimate", "method": "like-day", "reason": "Display broken"}
    made = clerk.post("/v1/reviews", key="review-1", json=said)
    assert (made.status_code, made.json()["author"]) == (201, "clerk")
    assert clerk.post("/v1/reviews", key="review-1", json=said).json() == made.json()
    with blocked.database.snapshot() as connection:
        assert len(reviews.decided(connection, 1, "2026-10")) == 1
    half = clerk.post("/v1/reviews", key="review-2", json={**said, "method": None})
    assert (half.status_code, half.json()["type"]) == (422, "/problems/decision-not-whole")
    unknown = clerk.post("/v1/reviews", key="review-3", json={**said, "point": "nowhere"})
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/unknown-point")


def test_what_is_issued_waits_for_nobody_and_what_is_decided_then_is_corrected(
    billed: House,
) -> None:
    reader = billed.reader("clerk")
    assert "Nothing waits for a decision" in reader.get("/staff/reviews").text
    assert reader.get(CASE.replace("1-201-e", "nowhere")).status_code == 404
    assert reader.get(CASE.replace("2026-10", "2026-11")).status_code == 404
    page = reader.get(CASE).text
    assert "This month is issued" in page
    assert "/staff/corrections?community=osmanthus&amp;first=2026-10" in page
    said = {**PLACE, "decision": "override", "use": "1", "reason": "Misread"}
    assert reader.post("/staff/reviews/case", csrf=reader.csrf(CASE), **said).status_code == 303
    preview = reader.get("/staff/corrections?community=osmanthus&first=2026-10").text
    assert "1-201" in preview
    assert "Make the correction run" in preview


def test_a_decision_names_a_register_that_the_point_has(blocked: House) -> None:
    said = {**OF_API, "decision": "estimate", "method": "like-day", "reason": "Display broken"}
    unknown = {**said, "register_name": "volume"}
    answer = blocked.caller("clerk").post("/v1/reviews", key="review-9", json=unknown)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-point")
    assert answer.json()["detail"] == (
        "point '1-201-e' has no register 'volume'; it has import_energy"
    )


def test_an_auditor_sees_a_case_and_has_no_form_for_it(blocked: House) -> None:
    page = blocked.reader("auditor").get(CASE)
    assert (page.status_code, 'action="/staff/reviews/case"' in page.text) == (200, False)


def test_registers_are_called_by_words_in_the_readers_language(blocked: House) -> None:
    reader = blocked.reader("clerk", "zh-CN")
    for page in ("/staff/reviews", CASE):
        shown = re.sub(r"<[^>]*>", " ", reader.get(page).text)
        assert "正向有功电量" in shown
        assert "import_energy" not in shown


def test_what_blocks_a_run_is_said_in_the_readers_language(blocked: House) -> None:
    clerk = blocked.caller("clerk")
    said = {
        language: clerk.call("GET", "/v1/runs/2", headers={"Accept-Language": language})
        for language in ("en", "zh-CN")
    }
    problems = {name: each.json()["communities"][0]["problems"] for name, each in said.items()}
    assert {each["kind"] for each in problems["zh-CN"]} == {"HighUse"}
    assert " a day, " in problems["en"][0]["text"]
    assert problems["zh-CN"][0]["text"].startswith("日均 ")
    page = blocked.reader("clerk", "zh-CN").get("/staff/runs/2").text
    assert problems["zh-CN"][0]["text"] in page

    headers = {"Idempotency-Key": "read-in-chinese", "If-Match": said["zh-CN"].headers["etag"]}
    again = clerk.call("POST", "/v1/runs/2/compute", headers=headers)
    assert again.status_code == 200, "whatever language it was read in"
