"""Bills on paper: they say what the page says, in every character, and always in the same bytes."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader

from api.language import languages
from api.papers.bill import bill_paper, bill_pdf
from api.papers.typesetting import digest_of, typeset
from billing.store.views import bills
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from conftest import House

    from billing.store.views.bills import BillView

BILL = "osmanthus-2026-10-0002"


def read(house: House, number: str = BILL) -> BillView:
    with house.database.snapshot() as connection:
        found = bills.bill(connection, Scope(unissued=True), number)
    assert found is not None
    return found


def text_of(pdf: bytes) -> str:
    """Return what a reader can copy out of `pdf`, without the spaces between the scripts."""
    pages = PdfReader(BytesIO(pdf)).pages
    return "".join("".join(page.extract_text().split()) for page in pages)


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("en", ["BillforOctober2026", "OsmanthusCourt", "Whatitismadeof", "Registers", "Total"]),
        ("zh-CN", ["2026年10月账单", "桂花苑", "费用构成", "起止度", "合计"]),
    ],
)
def test_a_bill_is_printed_in_both_languages(billed: House, tag: str, said: list[str]) -> None:
    with billed.database.snapshot() as connection:
        pdf = bill_pdf(connection, BILL, language=languages()[tag], seals=None)
    assert pdf is not None
    text = text_of(pdf)
    head = read(billed).head
    assert [each for each in (*said, BILL, head.holder) if each not in text] == []
    assert "1000" in text  # the payment code, in groups of four
    assert pdf.startswith(b"%PDF-1.")


def test_the_same_bill_gives_the_same_bytes_and_another_language_others(billed: House) -> None:
    made = []
    for tag in ("en", "en", "zh-CN"):
        with billed.database.snapshot() as connection:
            made.append(bill_pdf(connection, BILL, language=languages()[tag], seals=None))
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_what_is_not_issued_or_not_in_scope_is_on_no_paper(billed: House) -> None:
    language, head = languages()["en"], read(billed).head
    with billed.database.snapshot() as connection:
        for number, scope in (
            ("osmanthus-2026-10-9999", None),
            (BILL, Scope(accounts=frozenset({head.account_id + 1}))),
        ):
            made = bill_pdf(connection, number, language=language, seals=None, scope=scope)
            assert made is None


def test_a_bill_that_is_not_issued_is_marked(billed: House) -> None:
    found = read(billed)
    draft = replace(found, head=replace(found.head, issued_on=None, due_on=None))
    paper = bill_paper(draft, languages()["en"], None)
    assert (paper.mark, paper.seal) == ("not issued yet", None)
    assert "notissuedyet" in text_of(typeset(paper))


def test_rare_characters_of_names_are_printed(billed: House) -> None:
    found = read(billed)
    named = replace(found, head=replace(found.head, holder="李喆垚燚㐀㙟䶮"))
    text = text_of(typeset(bill_paper(named, languages()["zh-CN"], None)))
    assert "李喆垚燚㐀㙟䶮" in text
    assert "〓" not in text


def test_a_character_that_the_font_lacks_leaves_a_mark_and_is_told_of(billed: House) -> None:
    found = read(billed)
    named = replace(found, head=replace(found.head, holder="\U0001f600Li"))
    text = text_of(typeset(bill_paper(named, languages()["en"], None)))
    assert "〓Li" in text
    assert "U+1F600" in text


def test_what_looks_like_markup_is_printed_as_it_stands(billed: House) -> None:
    found = read(billed)
    name = '#panic("x")*_$<a>@b\\'
    named = replace(found, head=replace(found.head, holder=name))
    assert name in text_of(typeset(bill_paper(named, languages()["en"], None)))


def test_what_a_paper_says_is_part_of_its_digest(billed: House) -> None:
    found, language = read(billed), languages()["en"]
    paper = bill_paper(found, language, None)
    named = replace(found, head=replace(found.head, holder="Somebody else"))
    assert digest_of(paper) == digest_of(bill_paper(found, language, None))
    assert digest_of(paper) != digest_of(bill_paper(named, language, None))


def test_a_paper_is_tagged_and_archivable(billed: House) -> None:
    reader = PdfReader(BytesIO(typeset(bill_paper(read(billed), languages()["zh-CN"], None))))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "zh-CN"
    assert b"pdfaid" in root["/Metadata"].get_object().get_data()
