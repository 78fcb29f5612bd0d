"""Statements of accounts and pools carry codes that verify, and say when they no longer hold."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader
from sqlalchemy import select, text

from api.papers.sealing import Seals
from billing import tables

if TYPE_CHECKING:
    import httpx
    from conftest import House

SEALS = Seals([bytes(range(32))], "https://bills.example.com")
CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}")
ENGLISH = {"Accept": "text/html", "Accept-Language": "en"}
DAYS = "code=100000000287&from=2026-11-01&to=2026-11-30"
PAPER = f"/v1/account-statement/pdf?{DAYS}"


@pytest.fixture
def sealing(billed: House) -> House:
    """The house with a key for its papers."""
    billed.app.state.resources = replace(billed.app.state.resources, seals=SEALS)
    return billed


def code_on(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages)
    (found,) = CODE.findall(text)
    return str(found)


def number_of(answer: httpx.Response) -> str:
    return answer.headers["content-disposition"].split("''", 1)[1].removesuffix(".pdf")


def told(house: House, number: str, code: str) -> str:
    answer = house.call("GET", f"/verify/{number}/{code}", headers=ENGLISH)
    assert answer.status_code == 200
    return answer.text


def test_a_statement_of_account_verifies_and_is_superseded_by_what_is_posted(
    sealing: House,
) -> None:
    li = sealing.caller("li")
    paper = li.get(PAPER)
    owed = li.get(f"/v1/account-statement?{DAYS}").json()["closing"]
    number, code = number_of(paper), code_on(paper)
    assert re.fullmatch(r"100000000287-20261101-20261130-D\d+-[0-9A-F]{10}", number)
    page = told(sealing, number, code)
    assert "<strong>Genuine</strong>" in page
    for said in (number, f"¥{owed}", "30 Nov 2026", "Osmanthus Court"):
        assert f"<dd>{said}</dd>" in page
    assert "1-201" not in page

    body = {"channel": "cash", "amount": "10.00", "document": "slip 1"}
    made = sealing.caller("clerk").post(
        "/v1/payments", key="cash-0001", json={"payment_code": "100000000287", **body}
    )
    assert made.status_code == 201, made.text
    page = told(sealing, number, code)
    assert "Genuine, but superseded" in page
    assert "More was posted for its days since" in page
    assert f"<dd>¥{owed}</dd>" in page, "what the paper says, not what is owed now"
    again = li.get(PAPER)
    assert number_of(again) != number
    assert "<strong>Genuine</strong>" in told(sealing, number_of(again), code_on(again))


def test_a_good_statement_stays_so_whatever_entries_were_committed_in_another_order(
    sealing: House,
) -> None:
    paper = sealing.caller("li").get(PAPER)
    number, code = number_of(paper), code_on(paper)
    body = {"payment_code": "100000000287", "channel": "cash", "amount": "10.00"}
    made = sealing.caller("clerk").post(
        "/v1/payments", key="cash-0001", json={**body, "document": "slip 1"}
    )
    assert made.status_code == 201, made.text
    with sealing.database.transaction() as connection:
        triggers = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for name in connection.scalars(triggers).all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        entry = tables.journal_entry
        late = connection.execute(
            select(entry.c.reference).order_by(entry.c.posted_at.desc()).limit(1)
        ).scalar_one()
        long_ago = entry.update().values(posted_at=sealing.now - timedelta(days=300))
        connection.execute(long_ago.where(entry.c.reference == late))
    assert "Genuine, but superseded" in told(sealing, number, code)
    assert "<strong>Genuine</strong>" in told(
        sealing, number_of(again := sealing.caller("li").get(PAPER)), code_on(again)
    )


def test_other_days_entries_and_codes_are_not_known(sealing: House) -> None:
    paper = sealing.caller("li").get(PAPER)
    number, code = number_of(paper), code_on(paper)
    for other in (
        number.replace("20261130", "20261129"),
        number + "9",
        number.replace("100000000287", "100000000384"),
        number.replace("20261101", "20261301"),
        number.replace("-D", "-C"),
        "100000000287-20261130-20261101-D1-0123456789",
    ):
        assert "<strong>Not known here</strong>" in told(sealing, other, code)
    assert "<strong>Not known here</strong>" in told(sealing, number, code[::-1])


def test_a_pools_statement_verifies_the_same_whoever_has_it(sealing: House) -> None:
    items = sealing.caller("li").get("/v1/statements").json()["items"]
    path = f"/v1/statements/{items[0]['id']}/pdf"
    masked = sealing.caller("li").get(path, headers={"Accept-Language": "zh-CN"})
    whole = sealing.caller("clerk").get(path)
    number, code = number_of(masked), code_on(masked)
    assert (number, code) == (number_of(whole), code_on(whole))
    assert number.endswith(f"-S{items[0]['id']}")
    page = told(sealing, number, code)
    assert "<strong>Genuine</strong>" in page
    assert f"<dd>¥{items[0]['amount']}</dd>" in page
    assert "Statement number" in page
    other = f"x{number}"
    assert "<strong>Not known here</strong>" in told(sealing, other, code)
