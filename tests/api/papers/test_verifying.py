"""Anybody who has a paper can ask whether it is genuine, and is told no more than stands on it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader
from small_community import STARTS, Books, after, boundary_readings, reading

from api.papers.sealing import Seals, of_bill
from api.papers.verifying import verified
from billing import lifecycle
from billing.database import Database
from billing.store.views import bills
from billing.store.views.scope import Scope
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from conftest import House

SEALS = Seals([bytes(range(32))], "https://bills.example.com")
BILL = "osmanthus-2026-10-0002"
CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}")
ENGLISH = {"Accept": "text/html", "Accept-Language": "en"}


@pytest.fixture
def sealing(billed: House) -> House:
    """The house with a key for its papers."""
    resources = billed.app.state.resources
    billed.app.state.resources = replace(resources, seals=SEALS)
    return billed


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """October of the small community, billed."""
    archive = SqlArchive(f"sqlite:///{tmp_path / 'archive.sqlite'}")
    archive.append(boundary_readings())
    with Database(f"sqlite:///{tmp_path / 'billing.sqlite'}") as database:
        database.migrate()
        made = Books(database, archive)
        made.define()
        made.bill()
        yield made
    archive.close()


def text_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    return "".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages)


def code_on(answer: httpx.Response) -> str:
    """Return the code that is printed on a paper."""
    (found,) = CODE.findall(text_of(answer))
    return str(found)


def told(house: House, number: str, code: str) -> str:
    """Return what the page says to somebody who is not signed in."""
    answer = house.call("GET", f"/verify/{number}/{code}", headers=ENGLISH)
    assert answer.status_code == 200
    return answer.text


def pay(house: House) -> int:
    """Hand over ten yuan and return the number of the payment."""
    dues = house.caller("li").get("/v1/payables").json()["items"][0]
    body = {"channel": "cash", "amount": "10.00", "document": "slip 1"}
    made = house.caller("clerk").post(
        "/v1/payments", key="cash-0001", json={"payment_code": dues["payment_code"], **body}
    )
    assert made.status_code == 201, made.text
    return int(made.json()["id"])


def test_the_code_on_a_bill_verifies_by_scanning_and_by_typing(sealing: House) -> None:
    code = code_on(sealing.caller("li").get(f"/v1/bills/{BILL}/pdf"))
    typed = sealing.call(
        "GET",
        "/verify",
        params={"number": f" {BILL} ", "code": code.lower().replace("-", " ")},
        headers=ENGLISH,
    ).text
    for page in (told(sealing, BILL, code), typed):
        assert "<strong>Genuine</strong>" in page
        for said in (BILL, "¥500.98", "15 Nov 2026", "Osmanthus Court"):
            assert f"<dd>{said}</dd>" in page
        for kept in ("A-1-201", "1-201", "156.16"):
            assert kept not in page


def test_both_languages_carry_the_same_code(sealing: House) -> None:
    li = sealing.caller("li")
    made = [
        li.get(f"/v1/bills/{BILL}/pdf", headers={"Accept-Language": tag}) for tag in ("en", "zh-CN")
    ]
    assert made[0].content != made[1].content
    assert code_on(made[0]) == code_on(made[1])


def test_altered_codes_and_numbers_are_as_unknown_as_any(sealing: House) -> None:
    code = code_on(sealing.caller("li").get(f"/v1/bills/{BILL}/pdf"))
    other = "A" if code[0] != "A" else "B"
    for number, asked in (
        (BILL, other + code[1:]),
        (BILL, code[:-1]),
        ("osmanthus-2026-10-0001", code),
        ("osmanthus-2026-10-9999", code),
        ("osmanthus-R000001", code),
        ("osmanthus-R99999999999999999999", code),
        ("'; DROP TABLE bill; --", code),
    ):
        page = told(sealing, number, asked)
        assert "<strong>Not known here</strong>" in page
        assert "¥" not in page


def test_without_keys_nothing_is_sealed_and_nothing_is_genuine(billed: House) -> None:
    paper = billed.caller("li").get(f"/v1/bills/{BILL}/pdf")
    assert CODE.findall(text_of(paper)) == []
    with billed.database.snapshot() as connection:
        bill = bills.bill(connection, Scope(), BILL)
    sealed = None if bill is None else of_bill(bill)
    assert sealed is not None
    assert "Not known here" in told(billed, BILL, SEALS.code(sealed))


def test_a_receipt_verifies_until_its_payment_is_undone(sealing: House) -> None:
    payment = pay(sealing)
    paper = sealing.caller("li").get(f"/v1/payments/{payment}/receipt/pdf")
    code, number = code_on(paper), "osmanthus-R000001"
    page = told(sealing, number, code)
    assert "<strong>Genuine</strong>" in page
    assert "<dd>¥10.00</dd>" in page
    undone = sealing.caller("approver").post(
        f"/v1/payments/{payment}/reverse",
        key="undo-0001",
        json={"kind": "mistaken", "reason": "not theirs"},
    )
    assert undone.status_code == 200
    assert "Genuine, but superseded" in told(sealing, number, code)
    assert "undone since" in text_of(
        sealing.caller("li").get(f"/v1/payments/{payment}/receipt/pdf")
    )


def test_a_corrected_bill_is_genuine_and_superseded(books: Books) -> None:
    number = "yard-2026-10-0001"
    with books.database.snapshot() as connection:
        bill = bills.bill(connection, Scope(), number)
        assert bill is not None
        sealed = of_bill(bill)
        assert sealed is not None
        code = SEALS.code(sealed)
        before = verified(connection, SEALS, number, code)
    books.archive.append([reading("E-101", STARTS[1] + timedelta(seconds=1), "1251")])
    books.bill_run(
        lifecycle.correct(
            books.database, community="yard", first="2026-10", actor="clerk", now=after("2026-10")
        )
    )
    with books.database.snapshot() as connection:
        found = verified(connection, SEALS, number, code)
    assert (before and before.superseded, found and found.superseded) == (False, True)


def test_a_paper_that_is_held_already_is_not_made_again(sealing: House) -> None:
    li = sealing.caller("li")
    first = li.get(f"/v1/bills/{BILL}/pdf")
    assert first.headers["content-disposition"] == f"inline; filename*=UTF-8''{BILL}.pdf"
    assert first.headers["content-language"] == "en"
    again = li.get(f"/v1/bills/{BILL}/pdf", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    resealed = Seals([bytes(32), bytes(range(32))])
    sealing.app.state.resources = replace(sealing.app.state.resources, seals=resealed)
    changed = li.get(f"/v1/bills/{BILL}/pdf", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert "<strong>Genuine</strong>" in told(sealing, BILL, code_on(first))


@pytest.mark.parametrize(
    ("language", "bill", "receipt"),
    [("en", "Bill as PDF", "Receipt as PDF"), ("zh-CN", "账单 PDF", "收据 PDF")],
)
def test_pages_lead_to_their_papers(sealing: House, language: str, bill: str, receipt: str) -> None:
    payment, li = pay(sealing), sealing.reader("li", language)
    for page, name in ((f"/bills/{BILL}", bill), (f"/receipts/{payment}", receipt)):
        assert f'<a href="{page}/pdf">{name}</a>' in li.get(page).text
        paper = li.get(f"{page}/pdf")
        assert CODE.search(text_of(paper))
        assert paper.headers["content-language"] == language
    chen = sealing.reader("chen")
    assert chen.get(f"/bills/{BILL}/pdf").status_code == 404
    assert chen.get(f"/receipts/{payment}/pdf").status_code == 404


def test_who_asks_too_often_waits(sealing: House) -> None:
    resources = sealing.app.state.resources
    settings = resources.settings.model_copy(update={"address_calls_per_minute": 3})
    sealing.app.state.resources = replace(resources, settings=settings)
    answers = [sealing.call("GET", f"/verify/{BILL}/AAAA").status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
