"""XLSX files as people and programs make them, whole, damaged and hostile."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from openpyxl import Workbook

from billing.importing import cells, workbook
from billing.importing.cells import Cell, Merged, Sort, UnreadableFileError
from billing.importing.workbook import moment_of, parse_workbook

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.importing.cells import Sheet

TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PARTS = {
    "xl/workbook.xml": (
        f'<workbook xmlns="{MAIN}" xmlns:r="{TYPES}"><sheets><sheet name="S" r:id="r1"/></sheets>'
        "</workbook>"
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships><Relationship Id="r1" Type="{TYPES}/worksheet" Target="worksheets/s.xml"/>'
        f'<Relationship Id="r2" Type="{TYPES}/sharedStrings" Target="/xl/strings.xml"/>'
        f'<Relationship Id="r3" Type="{TYPES}/styles" Target="styles.xml"/></Relationships>'
    ),
    "xl/strings.xml": (
        "<sst><si><t>plain</t></si><si><r><t>rich </t></r><r><t>text</t></r>"
        "<rPh><t>pinyin</t></rPh></si><si><t>a_x000D_b</t></si><si/></sst>"
    ),
    "xl/styles.xml": (
        '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m"/>'
        '<numFmt numFmtId="165" formatCode="0.00&quot; days&quot;"/></numFmts>'
        '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/>'
        "</cellXfs></styleSheet>"
    ),
}


def made(data: str, **parts: str) -> io.BytesIO:
    """Return a workbook of one sheet whose sheetData is `data`."""
    sheet = {"xl/worksheets/s.xml": f"<worksheet><sheetData>{data}</sheetData></worksheet>"}
    return zipped({**PARTS, **sheet, **parts})


def zipped(parts: dict[str, str]) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    file.seek(0)
    return file


def row_of(data: str) -> dict[int, Cell]:
    (sheet,) = parse_workbook(made(f"<row r='1'>{data}</row>"), "x.xlsx")
    return dict(sheet.rows.get(1, {}))


CELLS = {
    "<c r='B1'><v>88.349999999999994</v></c>": {2: Cell(Sort.NUMBER, "88.349999999999994")},
    "<c r='A1' t='s'><v>0</v></c>": {1: Cell(Sort.TEXT, "plain")},
    "<c r='A1' t='s'><v>1</v></c>": {1: Cell(Sort.TEXT, "rich text")},
    "<c r='A1' t='s'><v>2</v></c>": {1: Cell(Sort.TEXT, "a\rb")},
    "<c r='A1' t='s'><v>3</v></c>": {},
    "<c r='A1' t='inlineStr'><is><t>in</t><rPh><t>no</t></rPh></is></c>": {
        1: Cell(Sort.TEXT, "in")
    },
    "<c r='A1'/><c r='C1'><v>5</v></c>": {3: Cell(Sort.NUMBER, "5")},
    "<c><v>1</v></c><c><v>2</v></c>": {1: Cell(Sort.NUMBER, "1"), 2: Cell(Sort.NUMBER, "2")},
    "<c r='A1'><f>1+1</f></c>": {1: Cell(Sort.UNCOMPUTED, "")},
    "<c r='A1'><f>1+1</f><v></v></c>": {1: Cell(Sort.UNCOMPUTED, "")},
    "<c r='A1'><f>1+1</f><v>2</v></c>": {1: Cell(Sort.NUMBER, "2")},
    "<c r='A1' t='str'><f>B1</f><v>x</v></c>": {1: Cell(Sort.TEXT, "x")},
    "<c r='A1' t='str'><f>B1</f><v></v></c>": {},
    "<c r='A1' t='b'><v>1</v></c>": {1: Cell(Sort.TRUTH, "TRUE")},
    "<c r='A1' t='e'><v>#N/A</v></c>": {1: Cell(Sort.ERROR, "#N/A")},
    "<c r='A1' t='d'><v>2026-01-01</v></c>": {1: Cell(Sort.TEXT, "2026-01-01")},
    "<c r='A1' s='1'><v>46023</v></c>": {1: Cell(Sort.MOMENT, "46023", datetime(2026, 1, 1))},
    "<c r='A1' s='2'><v>46023.5</v></c>": {
        1: Cell(Sort.MOMENT, "46023.5", datetime(2026, 1, 1, 12))
    },
    "<c r='A1' s='3'><v>46023</v></c>": {1: Cell(Sort.NUMBER, "46023")},
    "<c r='A1' s='1'><v>-5</v></c>": {1: Cell(Sort.NUMBER, "-5")},
    "<c r='AB1'><v>1</v></c>": {28: Cell(Sort.NUMBER, "1")},
}


@pytest.mark.parametrize("data", CELLS)
def test_a_cell_is_what_the_file_says(data: str) -> None:
    assert row_of(data) == CELLS[data]


def test_dates_from_1904_are_four_years_later() -> None:
    header = PARTS["xl/workbook.xml"].replace("<sheets>", '<workbookPr date1904="1"/><sheets>')
    (sheet,) = parse_workbook(
        made("<row r='1'><c r='A1' s='1'><v>44561</v></c></row>", **{"xl/workbook.xml": header}),
        "x",
    )

    assert sheet.rows[1][1].moment == datetime(2026, 1, 1)


@pytest.mark.parametrize("serial", ["60", "0", "59.5", "", "x", "1e400", "99999999", "NaN"])
def test_a_serial_that_is_no_day_is_none(serial: str) -> None:
    assert moment_of(serial, datetime(1899, 12, 30)) is None


def test_a_time_is_told_to_the_second() -> None:
    # 10:10:30 as a double of a day
    assert moment_of("46023.42395833333", datetime(1899, 12, 30)) == datetime(
        2026, 1, 1, 10, 10, 30
    )


def saved(fill: Callable[[Workbook], None]) -> list[Sheet]:
    book, file = Workbook(), io.BytesIO()
    fill(book)
    book.save(file)
    file.seek(0)
    return parse_workbook(file, "x.xlsx")


def test_what_another_program_writes_is_read_back() -> None:
    def fill(book: Workbook) -> None:
        sheet = book.active
        assert sheet is not None
        sheet.title = "房屋"
        sheet.append(
            ["编号", 88.5, Decimal("0.1"), date(2026, 1, 1), datetime(2026, 1, 1, 8), None]
        )
        sheet["A3"] = "=B1"
        sheet.merge_cells("B4:C6")
        book.create_sheet("empty")

    first, empty = saved(fill)

    assert (first.source, first.name) == ("x.xlsx", "房屋")
    assert [cell.text for cell in first.rows[1].values()][:3] == ["编号", "88.5", "0.1"]
    assert first.rows[1][4].moment == datetime(2026, 1, 1)
    assert first.rows[1][5].moment == datetime(2026, 1, 1, 8)
    assert first.rows[3] == {1: Cell(Sort.UNCOMPUTED, "")}
    assert first.merged == (Merged(4, 2, 6, 3),)
    assert str(first.merged[0]) == "B4:C6"
    assert empty.rows == {}


def refused(file: io.BytesIO) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        parse_workbook(file, "x.xlsx")
    return str(caught.value)


def test_a_bomb_is_not_unpacked() -> None:
    zeros = "<row>" + "<c r='A1'><v>0</v></c>" * 2_000_000 + "</row>"

    assert "which no workbook of people does" in refused(made(zeros))


def test_more_parts_than_a_workbook_has_are_not_read() -> None:
    parts = {f"xl/x{number}.xml": "" for number in range(workbook.MOST_PARTS)}

    assert "parts, which no workbook" in refused(made("", **parts))


def test_a_file_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "LARGEST_FILE", 100)

    assert "bytes, and at most 100 are read" in refused(made(""))


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    ],
)
def test_a_document_type_is_refused(declared: str) -> None:
    parts = {"xl/worksheets/s.xml": f"{declared}<worksheet><sheetData/></worksheet>"}

    assert "x.xlsx: xl/worksheets/s.xml: holds a document type" in refused(made("", **parts))


def test_a_sheet_of_too_many_rows_or_columns_is_not_read() -> None:
    far = f"<row r='1'><c r='A{cells.MOST_ROWS + 1}'><v>1</v></c></row>"

    assert f"A{cells.MOST_ROWS + 1} is beyond what is read" in refused(made(far))
    assert "CW1 is beyond what is read" in refused(made("<row><c r='CW1'><v>1</v></c></row>"))


def test_blank_cells_far_away_do_not_count() -> None:
    assert parse_workbook(made("<row r='1'><c r='ZZ900000' s='1'/></row>"), "x")[0].rows == {}


def damaged() -> dict[str, io.BytesIO]:
    whole = made("<row r='1'><c r='A1'><v>1</v></c></row>").getvalue()
    no_sheet = dict(PARTS)
    no_relation = {**PARTS, "xl/_rels/workbook.xml.rels": "<Relationships/>"}
    return {
        "empty": io.BytesIO(b""),
        "text": io.BytesIO(b"code,area\n"),
        "cut": io.BytesIO(whole[: len(whole) // 2]),
        "no workbook inside": zipped({"x": "y"}),
        "a sheet that is not there": zipped(no_sheet),
        "a relation that is not there": made("", **no_relation),
        "no XML": made("<row"),
        "a string that is not there": made("<row><c r='A1' t='s'><v>99</v></c></row>"),
        "an address that is none": made("<row><c r='11'><v>1</v></c></row>"),
        "a row that is no number": made("<row r='x'/>"),
    }


@pytest.mark.parametrize("what", damaged())
def test_a_damaged_file_says_what_to_do(what: str) -> None:
    message = refused(damaged()[what])

    assert message.startswith("x.xlsx: ")
    assert "save" in message


def test_an_old_or_locked_workbook_is_told_from_a_damaged_one() -> None:
    assert "old .xls workbook or has a password" in refused(
        io.BytesIO(workbook.OLD_FORMAT + bytes(600))
    )
