"""Sheets written as an XLSX workbook: an empty template, or a community that is there already."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation

from billing.importing.cells import MOST_ROWS, letters
from billing.importing.exporting import records
from billing.importing.kinds import CHOICES, Kind
from billing.importing.layout import LAYOUTS, NOTES, Column, Layout
from billing.importing.values import DIGITS_KEPT
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from openpyxl.cell.cell import Cell

    from billing.community import Community
    from billing.importing.exporting import Record

AS_TEXT = "@"
FORMATS = {Kind.DAY: "yyyy-mm-dd", Kind.NUMBER: "General", Kind.WHOLE: "0"}
"""How columns are shown; all others are text, so that no spreadsheet changes what is typed."""
HEADING = PatternFill("solid", fgColor="DDE6F0")
REQUIRED = PatternFill("solid", fgColor="F6E3C5")
WIDTH = 20
_NOTES_HEADING = (
    "表 Sheet",
    "列 Column",
    "必填 Required",
    "内容 Content",
    "例 Example",
    "说明",
    "Help",
)


def write_template(file: IO[bytes]) -> None:
    """Write an empty workbook with every sheet and column, and what goes into them."""
    _write(file, {layout.key: [] for layout in LAYOUTS})


def write_community(file: IO[bytes], community: Community) -> None:
    """Write `community` as the workbook from which it can be imported again."""
    _write(file, records(community))


def _write(file: IO[bytes], rows: dict[str, list[Record]]) -> None:
    workbook = Workbook(write_only=True)
    _write_notes(workbook)
    for layout in LAYOUTS:
        _write_sheet(workbook, layout, rows[layout.key])
    workbook.save(file)


def _write_notes(workbook: Workbook) -> None:
    sheet = _sheet(workbook, NOTES[0])
    for position in range(1, len(_NOTES_HEADING) + 1):
        sheet.column_dimensions[letters(position)].width = WIDTH
    sheet.append([_heading(sheet, text, HEADING) for text in _NOTES_HEADING])
    for layout in LAYOUTS:
        for column, member in layout.headings():
            needed = "是 yes" if column.required else ""
            told = (layout.title, column.heading(member), needed, column.kind.value, column.example)
            sheet.append([_text(sheet, each) for each in (*told, column.zh_help, column.en_help)])


def _write_sheet(workbook: Workbook, layout: Layout, rows: Sequence[Record]) -> None:
    sheet = _sheet(workbook, layout.title)
    columns = _columns(layout, rows)
    sheet.freeze_panes = "A2"
    for position, (_, column, _) in enumerate(columns, start=1):
        dimension = sheet.column_dimensions[letters(position)]
        dimension.width = WIDTH
        dimension.number_format = FORMATS.get(column.kind, AS_TEXT)
        if column.kind in CHOICES:
            choices = DataValidation("list", formula1=f'"{",".join(CHOICES[column.kind])}"')
            choices.add(f"{letters(position)}2:{letters(position)}{MOST_ROWS}")
            sheet.data_validations.append(choices)
    sheet.append(
        [
            _heading(sheet, column.heading(member), REQUIRED if column.required else HEADING)
            for _, column, member in columns
        ]
    )
    for row in rows:
        sheet.append([_cell(sheet, column.kind, row.get(key)) for key, column, _ in columns])


def _columns(layout: Layout, rows: Sequence[Record]) -> list[tuple[str, Column, str]]:
    """Return key, column and member of each column: the template's, and what `rows` have more."""
    used = dict.fromkeys(key for row in rows for key, value in row.items() if value is not None)
    offered = {column.names(member)[0] for column, member in layout.headings()}
    found = []
    for column in layout.columns:
        members = list(column.family or ("",))
        members += [
            key.partition(".")[2]
            for key in used
            if column.family and key.startswith(f"{column.key}.") and key not in offered
        ]
        found += [
            (column.names(member)[0], column, member)
            for member in members
            if member or not column.family
        ]
    return found


def _sheet(workbook: Workbook, title: str) -> Any:
    """Return a new sheet; its type states too little of what it has."""
    return workbook.create_sheet(title)


def _heading(sheet: Any, text: str, fill: PatternFill) -> Cell:
    cell = _text(sheet, text)
    cell.font, cell.fill = Font(bold=True), fill
    return cell


def _cell(sheet: Any, kind: Kind, value: Any) -> Cell | None:
    match value:
        case None:
            return None
        case Decimal() if len(value.normalize().as_tuple().digits) <= DIGITS_KEPT:
            return _formatted(sheet, kind, value)
        case Decimal():
            return _text(sheet, plain(value))
        case int() | date():
            return _formatted(sheet, kind, value)
        case list() | tuple():
            return _text(sheet, ", ".join(value))
        case _:
            return _text(sheet, str(value))


def _formatted(sheet: Any, kind: Kind, value: Any) -> Cell:
    cell = WriteOnlyCell(sheet, value)
    cell.number_format = FORMATS[kind]
    return cell


def _text(sheet: Any, text: str) -> Cell:
    """Return a cell that is text whatever it looks like: a holder named `=1+1` is no formula."""
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    cell.number_format = AS_TEXT
    return cell
