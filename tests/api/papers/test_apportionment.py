"""The check of an apportionment and a pool's statement: all adds up, in exact numbers."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from api.language import languages
from api.masking import ShownShare
from api.papers.apportionment import check_tables
from api.papers.figures import Figures, Heading, Measure, on_paper
from api.papers.workbook import workbook_of
from billing.store.views import statements
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from conftest import House

    from billing.store.views.statements import WholeStatement

LIFT = 2_000_001
CHECK = f"/staff/statements/{LIFT}"
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read(house: House) -> WholeStatement:
    with house.database.snapshot() as connection:
        found = statements.whole(connection, Scope(unissued=True), LIFT)
    assert found is not None
    return found


def tables(house: House) -> dict[str, Figures]:
    view = read(house)
    shown = [
        ShownShare(each, each.unit, mine=False, vacant=each.vacant, bill=each.bill)
        for each in view.shares
    ]
    return {each.title: each for each in check_tables(view, shown, None, languages()["en"])}


def column(figures: Figures, title: str) -> list[Decimal]:
    place = [heading.title for heading in figures.headings].index(title)
    cells = [row[place] for row in figures.rows]
    return [cell.value for cell in cells if isinstance(cell, Measure)]


def text_of(pdf: bytes) -> str:
    pages = PdfReader(BytesIO(pdf)).pages
    return "".join("".join(page.extract_text().split()) for page in pages)


def raw_cells(content: bytes, sheet: int = 1) -> list[tuple[str | None, str]]:
    """Return type and text of every cell as the file has them, no library between."""
    with ZipFile(BytesIO(content)) as archive:
        document = ET.fromstring(archive.read(f"xl/worksheets/sheet{sheet}.xml"))  # noqa: S314 - made here
    assert document.find(f".//{MAIN}f") is None
    return [
        (cell.get("t"), "".join(cell.itertext())) for cell in document.iter(f"{MAIN}c") if len(cell)
    ]


def test_every_share_stands_in_the_check_and_sums_to_the_supply(billed: House) -> None:
    view, found = read(billed), tables(billed)
    shares = found["Who bears what"]
    assert len(shares.rows) == len(view.shares)
    assert sum(column(shares, "Amount")) * 100 == view.head.amount
    assert sum(column(shares, "Use")) * 10_000 == view.head.quantity
    assert sum(column(shares, "Odd cent")) * 100 == sum(each.odd_amount for each in view.shares)
    assert {row[-1] for row in found["Sums"].rows} == {"the same"}


def test_the_check_holds_all_that_leads_to_the_shares(billed: House) -> None:
    found = tables(billed)
    assert list(found) == [
        "Overview",
        "Sums",
        "What changed since the month before",
        "Who bears what",
        "What it cost",
        "What the shared meters counted",
        "Readings behind the registers",
        "Who takes part, and who does not",
        "Where the odd cents went",
    ]
    readings = found["Readings behind the registers"]
    verdict = [heading.title for heading in readings.headings].index("Verdict")
    assert {row[verdict] for row in readings.rows} == {"Good"}
    told = {str(row[-1]) for row in found["Who takes part, and who does not"].rows}
    assert "its floor takes no part" in told


def test_the_workbook_is_linked_and_holds_exact_numbers_with_their_units(billed: House) -> None:
    clerk = billed.reader("clerk")
    assert f'href="{CHECK}/xlsx"' in clerk.get(CHECK).text
    answer = clerk.get(f"{CHECK}/xlsx")
    assert answer.headers["content-disposition"].startswith(
        "attachment; filename*=UTF-8''b1-lift-2026-10"
    )
    again = clerk.get(f"{CHECK}/xlsx", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    chinese = billed.reader("clerk", "zh-CN").get(f"{CHECK}/xlsx")
    assert chinese.headers["etag"] != answer.headers["etag"]
    workbook = load_workbook(BytesIO(answer.content))
    sheet = workbook["Who bears what"]
    heading, *rows = sheet.iter_rows(values_only=True)
    amount = heading.index("Amount (CNY)")
    shares = rows[: len(read(billed).shares)]
    assert sum(Decimal(str(row[amount])) for row in shares) * 100 == read(billed).head.amount
    assert rows[-1][amount] == pytest.approx(sum(row[amount] for row in shares))
    assert heading[-2:] == ("Odd cent (CNY)", "Borne by")


def test_a_column_of_several_units_names_each(billed: House) -> None:
    workbook = load_workbook(BytesIO(workbook_of([tables(billed)["Sums"]], languages()["en"])))
    heading, amount, quantity, *_ = workbook["Sums"].iter_rows(values_only=True)
    assert heading[:3] == ("What", "Stated", "Unit of measure")
    assert (amount[0], amount[2]) == ("Amount", "CNY")
    assert (quantity[0], quantity[2]) == ("Quantity", "kWh")


def test_the_areas_of_those_who_take_part_name_their_unit(billed: House) -> None:
    members = tables(billed)["Who takes part, and who does not"]
    workbook = load_workbook(BytesIO(workbook_of([members], languages()["en"])))
    assert workbook.sheetnames == ["Who takes part, and who does…"]
    heading, first, *_ = workbook.active.iter_rows(values_only=True)
    found = dict(zip(heading, first, strict=True))
    assert (found["Unit"], found["Floor"], found["Floor area (m²)"]) == ("1-101", "1", 90.5)


def test_text_never_starts_a_formula_and_numbers_keep_every_digit() -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "#REF!", "a\x01b", "12.50", '=HYPERLINK("//x")']
    numbers = ["0.1", "90071992547409.9", "-0.0001", "1234567890.12345678"]
    figures = Figures(
        title="A/B: [all]?",
        headings=(Heading(title="=A1"), Heading(title="N", number=True)),
        rows=tuple((name, Measure(Decimal(number), "CNY")) for name in names for number in numbers),
    )
    content = workbook_of([figures], languages()["en"])
    cells = raw_cells(content)
    assert cells[:2] == [("inlineStr", "=A1"), ("inlineStr", "N (CNY)")]
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "#REF!", "a\ufffdb", "12.50", '=HYPERLINK("//x")']
    kinds = ["n", "n", "n", "inlineStr"]  # the last has more digits than spreadsheets keep
    assert cells[2:] == [
        cell
        for text in texts
        for kind, number in zip(kinds, numbers, strict=True)
        for cell in (("inlineStr", text), (kind, number))
    ]
    assert load_workbook(BytesIO(content)).sheetnames == ["A B   all  "]


def test_on_paper_what_stands_below_is_small_and_a_difference_has_its_sign() -> None:
    figures = Figures(
        title="",
        headings=(
            Heading(title="Unit"),
            Heading(title="Note", below=True),
            Heading(title="Difference", number=True, signed=True),
        ),
        rows=(("101", "mine", Measure(Decimal("0.50"), "CNY")),),
        foot=("Sum", "", Measure(Decimal("-1.5"), "kWh")),
    )
    table = on_paper(figures, languages()["en"])
    assert [each.title for each in table.columns] == ["Unit", "Difference"]
    (unit, difference) = table.rows[0]
    assert (unit.text, unit.more, difference.text) == ("101", "mine", "+¥0.50")
    assert [each.text for each in table.foot] == ["Sum", "−1.5 kWh"]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["Apportionmentcheck", "Whotakespart", "Good", "1-201"]),
        ("zh-CN", ["分摊核对", "谁参与分摊", "尾差", "1-201"]),
    ],
)
def test_the_check_is_printed_in_both_languages(
    billed: House, language: str, said: list[str]
) -> None:
    answer = billed.reader("clerk", language).get(f"{CHECK}/pdf")
    assert answer.headers["content-type"] == "application/pdf"
    text = text_of(answer.content)
    assert [each for each in said if each not in text] == []


def test_an_owners_paper_masks_other_rooms_and_is_the_one_of_the_api(billed: House) -> None:
    li = billed.reader("li", "en")
    assert f'href="/statements/{LIFT}/pdf"' in li.get(f"/statements/{LIFT}").text
    paper = li.get(f"/statements/{LIFT}/pdf").content
    text = text_of(paper)
    own = {share["unit"] for share in _shares(billed, "li") if share["mine"]}
    others = {str(each.unit) for each in read(billed).shares if each.unit} - own
    assert [unit for unit in others if unit in text] == []
    assert [unit for unit in own if unit not in text] == []
    assert "Otherroomsaremasked" in text
    path = f"/v1/statements/{LIFT}/pdf"
    assert billed.caller("li").get(path, headers={"Accept-Language": "en"}).content == paper
    clerk = text_of(billed.reader("clerk", "en").get(f"/statements/{LIFT}/pdf").content)
    assert [unit for unit in others if unit not in clerk] == []


def _shares(house: House, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (
        house.caller(name).get(f"/v1/statements/{LIFT}/shares").json()["items"]
    )
    return found
