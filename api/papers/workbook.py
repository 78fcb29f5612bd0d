"""Figures as an XLSX workbook: a sheet for each table, every number exact, its unit named."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import version
from io import BytesIO
from typing import TYPE_CHECKING

from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from api.formats import Formats
from api.language import mark as _
from api.papers.figures import Measure
from billing.spreadsheet import heading_cell, new_sheet, number_cell, text_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from openpyxl.cell.cell import Cell

    from api.language import Language
    from api.papers.figures import Figures, Value

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
UNIT = _("Unit of measure")
NOT_IN_TITLES = re.compile(r"[\\/*?:\[\]]")
LONGEST_TITLE = 31
WIDTH, WIDE = 16, 36


def digest_of(tables: Sequence[Figures], language: Language) -> str:
    """Return what changes with the workbook of `tables`, without writing it."""
    return hashlib.sha256(repr((version("openpyxl"), language.tag, tables)).encode()).hexdigest()


def workbook_of(tables: Iterable[Figures], language: Language) -> bytes:
    """Return `tables` as a workbook.

    A column of numbers in one unit has it in its heading; where units differ, a column beside it
    has them. There are no formulas: every sum is one that was checked.
    """
    workbook = Workbook(write_only=True)
    for each in tables:
        _Sheet(workbook, each, language).write()
    written = BytesIO()
    workbook.save(written)
    return written.getvalue()


class _Sheet:
    def __init__(self, workbook: Workbook, figures: Figures, language: Language) -> None:
        self._figures, self._language = figures, language
        self._sheet = new_sheet(workbook, _title(figures.title))
        body = [*figures.rows, *filter(None, [figures.foot])]
        columns = zip(*body, strict=True) if body else [()] * len(figures.headings)
        self._units = [list(dict.fromkeys(_units(column))) for column in columns]

    def write(self) -> None:
        """Write heading, rows, and the foot apart from them, so that filters leave it alone."""
        sheet, figures = self._sheet, self._figures
        sheet.freeze_panes = "A2"
        titles = list(self._titles())
        for place, (_title, width) in enumerate(titles, start=1):
            sheet.column_dimensions[get_column_letter(place)].width = width
        sheet.append([heading_cell(sheet, title) for title, _width in titles])
        for row in figures.rows:
            sheet.append(list(self._cells(row)))
        if figures.foot:
            sheet.append([])
            sheet.append(list(self._cells(figures.foot)))
        if figures.note:
            sheet.append([])
            sheet.append([text_cell(sheet, figures.note)])

    def _titles(self) -> Iterator[tuple[str, int]]:
        for heading, units in zip(self._figures.headings, self._units, strict=True):
            named = [name for name in map(self._unit, units) if name]
            alone = len(units) == 1 and named
            title = f"{heading.title} ({named[0]})" if alone else heading.title
            yield title, WIDE if heading.wide else WIDTH
            if len(units) > 1:
                yield self._language(UNIT), WIDTH

    def _cells(self, row: Sequence[Value]) -> Iterator[Cell | None]:
        for value, units in zip(row, self._units, strict=True):
            yield self._cell(value)
            if len(units) > 1:
                yield self._unit_cell(value)

    def _unit_cell(self, value: Value) -> Cell | None:
        if not isinstance(value, Measure):
            return None
        return text_cell(self._sheet, self._unit(value.unit))

    def _cell(self, value: Value) -> Cell | None:
        if value is None:
            return None
        if isinstance(value, Measure):
            return number_cell(self._sheet, value.value)
        return text_cell(self._sheet, value)

    def _unit(self, symbol: str) -> str:
        return Formats(self._language).unit(symbol)


def _units(column: Iterable[Value]) -> Iterator[str]:
    return (value.unit for value in column if isinstance(value, Measure))


def _title(text: str) -> str:
    """Return `text` as a sheet may be called; of a long one, its first words."""
    title = NOT_IN_TITLES.sub(" ", text)
    if len(title) <= LONGEST_TITLE:
        return title
    cut = title[: LONGEST_TITLE - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"
