"""Cells as a spreadsheet holds them, whatever file they come from, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Sort(StrEnum):
    """What a cell holds."""

    TEXT = "text"
    NUMBER = "number"
    MOMENT = "date"
    TRUTH = "true or false"
    ERROR = "error"
    UNCOMPUTED = "formula without a value"
    MERGED = "part of a merged cell"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that holds something: `text` as the file states it; `moment` of a date, local."""

    sort: Sort
    text: str
    moment: datetime | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged range, rows and columns from 1, ends included."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int

    def __str__(self) -> str:
        return (
            f"{address(self.first_row, self.first_column)}:"
            f"{address(self.last_row, self.last_column)}"
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: `rows` by number from 1, in order, each a cell by column number from 1.

    `source` is the file as messages name it; `name` is the sheet's, or the CSV file's own.
    """

    source: str
    name: str
    rows: Mapping[int, Mapping[int, Cell]]
    merged: tuple[Merged, ...] = ()


class UnreadableFileError(ValueError):
    """A file is no spreadsheet that can be read; the message says what to do."""


MOST_ROWS = 100_000
"""Rows of one sheet: more than any community has of anything."""
MOST_COLUMNS = 100
MOST_CELLS = 2_000_000
LONGEST_CELL = 10_000


def letters(column: int) -> str:
    """Return the letters of a column: 1 is A, 27 is AA."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def address(row: int, column: int) -> str:
    """Return the name of a cell as spreadsheets show it: B7."""
    return f"{letters(column)}{row}"


def located(reference: str) -> tuple[int, int]:
    """Return row and column of `B7`; raise `ValueError` if it is no address."""
    column = 0
    for at, letter in enumerate(reference):
        if column and letter.isdigit():
            return int(reference[at:]), column
        if not "A" <= letter <= "Z":
            break
        column = column * 26 + ord(letter) - ord("A") + 1
    raise ValueError(f"{reference!r} is no address of a cell")


def assert_bounded(source: str, sheet: str, *, row: int, column: int, cells: int) -> None:
    """Raise `UnreadableFileError` where a sheet holds more than is ever read."""
    if row > MOST_ROWS or column > MOST_COLUMNS or cells > MOST_CELLS:
        raise UnreadableFileError(
            f"{source}: sheet {sheet}: {address(row, column)} is beyond what is read (at most "
            f"{MOST_ROWS} rows, {MOST_COLUMNS} columns and {MOST_CELLS} cells); clear what is not "
            "needed, or import in parts"
        )
