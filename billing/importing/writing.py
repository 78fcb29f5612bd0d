"""Sheets written as an XLSX workbook: an empty template, or a community that is there already."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import PatternFill
from openpyxl.worksheet.datavalidation import DataValidation

from billing.importing.cells import MOST_ROWS, letters
from billing.importing.exporting import records
from billing.importing.kinds import CHOICES, Kind
from billing.importing.layout import LAYOUTS, NOTES, Column, Layout
from billing.spreadsheet import (
    AS_TEXT,
    HEADING,
    heading_cell,
    new_sheet,
    number_cell,
    text_cell,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from openpyxl.cell.cell import Cell

    from billing.community import Community
    from billing.importing.exporting import Record

FORMATS = {Kind.DAY: "yyyy-mm-dd", Kind.NUMBER: "General", Kind.WHOLE: "0"}
"""How columns are shown; all others are text, so that no spreadsheet changes what is typed."""
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
    sheet = new_sheet(workbook, NOTES[0])
    for position in range(1, len(_NOTES_HEADING) + 1):
        sheet.column_dimensions[letters(position)].width = WIDTH
    sheet.append([heading_cell(sheet, text, HEADING) for text in _NOTES_HEADING])
    for layout in LAYOUTS:
        for column, member in layout.headings():
            needed = "是 yes" if column.required else ""
            told = (layout.title, column.heading(member), needed, column.kind.value, column.example)
            sheet.append(
                [text_cell(sheet, each) for each in (*told, column.zh_help, column.en_help)]
            )


def _write_sheet(workbook: Workbook, layout: Layout, rows: Sequence[Record]) -> None:
    sheet = new_sheet(workbook, layout.title)
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
            heading_cell(sheet, column.heading(member), REQUIRED if column.required else HEADING)
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


def _cell(sheet: Any, kind: Kind, value: Any) -> Cell | None:
    match value:
        case None:
            return None
        case Decimal():
            return number_cell(sheet, value, FORMATS[kind])
        case int() | date():
            return _formatted(sheet, kind, value)
        case list() | tuple():
            return text_cell(sheet, ", ".join(value))
        case _:
            return text_cell(sheet, str(value))


def _formatted(sheet: Any, kind: Kind, value: Any) -> Cell:
    cell = WriteOnlyCell(sheet, value)
    cell.number_format = FORMATS[kind]
    return cell
