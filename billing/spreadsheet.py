"""Cells of workbooks that are written: text that stays text, and numbers to the last digit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font, PatternFill

from billing.importing.values import DIGITS_KEPT
from meters.quantity import plain

if TYPE_CHECKING:
    from decimal import Decimal

    from openpyxl import Workbook
    from openpyxl.cell.cell import Cell

AS_TEXT = "@"
HEADING = PatternFill("solid", fgColor="DDE6F0")
REPLACED = "\ufffd"
"""Stands for a control character, which no workbook can hold."""


def new_sheet(workbook: Workbook, title: str) -> Any:
    """Return a new sheet of a workbook; its type states too little of what it has."""
    return workbook.create_sheet(title)


def text_cell(sheet: Any, text: str) -> Cell:
    """Return a cell that is text whatever it looks like: a holder named `=1+1` is no formula."""
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub(REPLACED, text))
    cell.data_type = "s"
    cell.number_format = AS_TEXT
    return cell


def heading_cell(sheet: Any, text: str, fill: PatternFill = HEADING) -> Cell:
    cell = text_cell(sheet, text)
    cell.font, cell.fill = Font(bold=True), fill
    return cell


def number_cell(sheet: Any, value: Decimal, shown_as: str = "General") -> Cell:
    """Return a cell with exactly `value`; one of more digits than are kept is text.

    The digits are written as they are: openpyxl by itself would have them pass through a float.
    """
    digits = plain(value)
    if len(value.normalize().as_tuple().digits) > DIGITS_KEPT:
        return text_cell(sheet, digits)
    cell = WriteOnlyCell(sheet, digits)
    cell.data_type = "n"
    cell.number_format = shown_as
    return cell
