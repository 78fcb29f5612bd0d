"""Disputes over `/v1` and on pages: who asks, who answers, and what everybody sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import osmanthus_court as court
import pytest

from billing import lifecycle
from billing.store import audit

if TYPE_CHECKING:
    from typing import Any

    import httpx
    from conftest import House

BILL = "osmanthus-2026-10-0002"
LINE = f"/v1/bills/{BILL}/lines/1/disputes"
REASON = "Nobody was at home in October"


def ask(house: House, key: str = "ask-00001", **how: Any) -> httpx.Response:
    body = {"reason": REASON, **how}
    return house.caller("li").post(LINE, key=key, json=body)


def dues(house: House) -> Any:
    items = house.caller("li").get("/v1/payables").json()["items"][0]["payables"]
    return next(each for each in items if each["bill"] == BILL)


def test_an_owner_asks_and_a_clerk_answers(billed: House) -> None:
    made = ask(billed)
    assert made.status_code == 201
    dispute = made.json()
    assert (dispute["state"], dispute["bill"], dispute["line"]) == ("open", BILL, 1)
    assert dispute["amount"] == "156.16"
    clerk = billed.caller("clerk")
    waiting = clerk.get("/v1/disputes?pending=true").json()["items"]
    assert [each["id"] for each in waiting] == [dispute["id"]]

    path = f"/v1/disputes/{dispute['id']}"
    clerk.post(f"{path}/answer", key="answer-01", json={"text": "We look at the meter"})
    clerk.post(f"{path}/reject", key="answer-02", json={"text": "It counted right"})

    seen = billed.caller("li").get(path).json()
    assert [(word["state"], word["text"], word["by"]) for word in seen["words"]] == [
        ("open", REASON, "li"),
        ("answered", "We look at the meter", None),
        ("rejected", "It counted right", None),
    ]
    assert clerk.get(path).json()["words"][1]["by"] == "clerk"
    assert clerk.get("/v1/disputes?pending=true").json()["items"] == []
    with billed.database.snapshot() as connection:
        log = audit.entries(connection, audit.Wanted(subject=f"line:{BILL}/1"), limit=9)
    assert [(each.action, each.actor) for each in log] == [
        ("dispute.reject", "clerk"),
        ("dispute.answer", "clerk"),
        ("dispute.open", "li"),
    ]


def test_what_is_disputed_shows_at_what_is_due_and_is_paid_all_the_same(billed: House) -> None:
    assert dues(billed)["disputed"] == "0.00"
    ask(billed)
    assert (dues(billed)["due"], dues(billed)["disputed"]) == ("500.98", "156.16")
    code = billed.caller("li").get("/v1/payables").json()["items"][0]["payment_code"]
    paid = billed.caller("clerk").post(
        "/v1/payments",
        key="cash-0001",
        json={"payment_code": code, "channel": "cash", "amount": "4000.00", "document": "slip 1"},
    )
    assert paid.status_code == 201
    assert billed.caller("li").get("/v1/payables").json()["items"][0]["due"] == "0.00"


def test_asking_twice_is_asking_once(billed: House) -> None:
    first, again = ask(billed), ask(billed)
    assert first.json() == again.json()
    other = ask(billed, "ask-00002")
    assert (other.status_code, other.json()["type"]) == (409, "/problems/dispute-refused")
    assert len(billed.caller("li").get("/v1/disputes").json()["items"]) == 1


def test_an_answer_is_to_what_was_seen(billed: House) -> None:
    path = f"/v1/disputes/{ask(billed).json()['id']}"
    clerk = billed.caller("clerk")
    tag = clerk.get(path).headers["etag"]
    billed.caller("li").post(f"{path}/withdraw", key="withdraw-1")
    late = clerk.call(
        "POST",
        f"{path}/reject",
        json={"text": "It counted right"},
        headers={"Idempotency-Key": "reject-01", "If-Match": tag},
    )
    assert (late.status_code, late.json()["type"]) == (412, "/problems/changed-since")


def test_neighbours_and_the_committee_see_no_dispute(billed: House) -> None:
    dispute = ask(billed).json()["id"]
    chen = billed.caller("chen")
    assert chen.get(f"/v1/disputes/{dispute}").status_code == 404
    assert chen.get("/v1/disputes").json()["items"] == []
    assert chen.post(f"/v1/disputes/{dispute}/withdraw", key="withdraw-1").status_code == 404
    assert chen.post(LINE, key="ask-00002", json={"reason": REASON}).status_code == 404
    assert billed.caller("committee").get(f"/v1/disputes/{dispute}").status_code == 403
    chen_pages = billed.reader("chen")
    withdrawn = chen_pages.post(f"/disputes/{dispute}/withdraw", csrf=chen_pages.csrf())
    assert withdrawn.status_code == 404


@pytest.mark.parametrize(
    ("language", "asked", "company", "rejected"),
    [
        ("en", "Ask about this line", "Property company", "Rejected"),
        ("zh-CN", "对此项提出疑问", "物业公司", "未采纳"),
    ],
)
def test_it_is_asked_and_answered_on_pages(
    billed: House, language: str, asked: str, company: str, rejected: str
) -> None:
    li, clerk = billed.reader("li", language), billed.reader("clerk", language)
    line = f"/bills/{BILL}/lines/1"
    assert asked in li.get(line).text
    led = li.post(f"{line}/dispute", csrf=li.csrf(line), reason=REASON)
    assert (led.status_code, led.headers["location"]) == (303, f"{line}#dispute")
    for path in (line, "/disputes"):
        assert REASON in li.get(path).text
    assert asked not in li.get(line).text
    for path in (f"/bills/{BILL}", "/account"):
        assert "¥156.16" in li.get(path).text

    queue = clerk.get("/staff/disputes").text
    address = queue.split('href="/staff/disputes/', 1)[1].split('"', 1)[0]
    page = clerk.get(f"/staff/disputes/{address}").text
    assert REASON in page
    assert "45b2 9266" in page  # the raw words of the line's opening register
    assert page.count("5,714.3") > 1  # in the evidence and among the readings
    answered = clerk.post(
        f"/staff/disputes/{address}",
        csrf=clerk.csrf("/staff/runs"),
        step="rejected",
        text="It counted right",
        run="",
    )
    assert answered.status_code == 303
    for path in (line, "/disputes"):
        shown = li.get(path).text
        assert "It counted right" in shown
        assert company in shown
        assert rejected in shown
        assert "clerk ·" not in shown
    assert rejected in li.get(f"/bills/{BILL}").text


def test_a_form_that_says_nothing_comes_back_with_what_to_do(billed: House) -> None:
    li, clerk = billed.reader("li"), billed.reader("clerk")
    line = f"/bills/{BILL}/lines/1"
    refused = li.post(f"{line}/dispute", csrf=li.csrf(line), reason=" ? ")
    assert refused.status_code == 409
    assert 'role="alert"' in refused.text
    assert "says too little" in refused.text
    dispute = ask(billed).json()["id"]
    for step, text in (
        *(("", "We looked"), ("rejected", "")),
        *(("open", "We looked"), ("withdrawn", "We looked")),
    ):
        answer = clerk.post(
            f"/staff/disputes/{dispute}",
            csrf=clerk.csrf("/staff/runs"),
            step=step,
            text=text,
            run="",
        )
        assert answer.status_code == 409, step


@pytest.mark.parametrize(("language", "reply"), [("en", "Reply"), ("zh-CN", "回复")])
def test_an_owner_replies_until_it_has_ended(billed: House, language: str, reply: str) -> None:
    path = f"/v1/disputes/{ask(billed).json()['id']}"
    li, clerk = billed.caller("li"), billed.caller("clerk")
    clerk.post(f"{path}/answer", key="answer-01", json={"text": "Was the meter changed?"})
    page = billed.reader("li", language)
    line = f"/bills/{BILL}/lines/1"
    assert f"<summary>{reply}</summary>" in page.get(line).text
    form = f"{path.removeprefix('/v1')}/reply"
    refused = page.post(form, csrf=page.csrf(line), text="!")
    assert refused.status_code == 409
    assert 'role="alert"' in refused.text
    led = page.post(form, csrf=page.csrf(line), text="Yes, on the 3rd")
    assert (led.status_code, led.headers["location"]) == (303, f"{line}#dispute")
    assert "Yes, on the 3rd" in billed.reader("clerk").get(f"/staff{path.removeprefix('/v1')}").text
    assert li.get(path).json()["state"] == "open"
    clerk.post(f"{path}/reject", key="reject-01", json={"text": "It counted right"})
    late = li.post(f"{path}/reply", key="reply-001", json={"text": "But it did not"})
    assert (late.status_code, late.json()["type"]) == (409, "/problems/dispute-refused")
    assert [word["state"] for word in li.get(path).json()["words"]] == [
        *("open", "answered", "open", "rejected")
    ]


def test_an_accepted_dispute_names_its_correction(billed: House) -> None:
    dispute = ask(billed).json()["id"]
    run = lifecycle.correct(
        billed.database, community=court.CODE, first=court.MONTH, actor="clerk", now=court.NOW
    )
    clerk = billed.reader("clerk")
    assert f'<option value="{run}">' in clerk.get(f"/staff/disputes/{dispute}").text
    answer = clerk.post(
        f"/staff/disputes/{dispute}",
        csrf=clerk.csrf("/staff/runs"),
        step="accepted",
        text="The register was read wrong",
        run=str(run),
    )
    assert answer.status_code == 303
    assert billed.caller("li").get(f"/v1/disputes/{dispute}").json()["run"] == run
    assert f"Correction run {run} mends it" in billed.reader("li").get("/disputes").text
    wrong = billed.caller("clerk").post(
        f"/v1/disputes/{dispute}/accept", key="accept-01", json={"text": "Again", "run": 1}
    )
    assert wrong.status_code == 409
