"""The statement of an account on paper says what the statement says, and adds up."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader

if TYPE_CHECKING:
    from conftest import House

CODE = "100000000287"
DAYS = f"code={CODE}&from=2026-11-01&to=2026-11-30"


def text_of(pdf: bytes) -> str:
    pages = PdfReader(BytesIO(pdf)).pages
    return "".join("".join(page.extract_text().split()) for page in pages)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["Statementofaccount", "OsmanthusCourt", "Owedbefore", "Owedafter", "30Nov2026"]),
        ("zh-CN", ["对账单", "桂花苑", "期末应缴", "2026年11月30日"]),
    ],
)
def test_a_statement_is_printed_with_what_it_says_as_json(
    billed: House, language: str, said: list[str]
) -> None:
    li = billed.caller("li")
    told = li.get(f"/v1/account-statement?{DAYS}").json()
    paper = li.get(f"/v1/account-statement/pdf?{DAYS}", headers={"Accept-Language": language})
    text = text_of(paper.content)
    amounts = [f"¥{Decimal(line['amount']):,.2f}" for line in told["lines"]]
    said = [*said, "100000000287", "osmanthus-2026-10-0002", *amounts]
    assert [each for each in said if each not in text] == []
    assert paper.content == billed.reader("li", language).get(f"/account/pdf?{DAYS}").content


def test_days_out_of_order_are_refused(billed: House) -> None:
    path = f"/v1/account-statement/pdf?code={CODE}&from=2026-11-02&to=2026-11-01"
    assert billed.caller("li").get(path).status_code == 422


def test_the_page_leads_to_the_paper_of_its_days(billed: House) -> None:
    li = billed.reader("li")
    page = li.get("/account").text
    href = page.split('href="/account/pdf', 1)[1].split('"', 1)[0].replace("&amp;", "&")
    assert li.get(f"/account/pdf{href}").headers["content-type"] == "application/pdf"
    assert f"code={CODE}&from=2025-11-14&to=2026-11-15" in href
