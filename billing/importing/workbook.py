"""XLSX as it is written in the file: numbers to the digit, dates, merged cells, formulas.

Read here and not through a library that turns numbers into binary fractions and, where it reads row
by row, forgets merges and which formulas have no value. ECMA-376 (Office Open XML), part 1, §18.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from posixpath import join, normpath
from typing import TYPE_CHECKING

from billing.importing.cells import (
    Cell,
    Merged,
    Sheet,
    Sort,
    UnreadableFileError,
    assert_bounded,
    located,
)
from billing.importing.xml_events import Attributes, Part, read_part

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

LARGEST_FILE = 64 * 2**20
LARGEST_UNPACKED = 512 * 2**20
LARGEST_RATIO = 200
"""How often larger than its file a workbook may be: real ones are about 10 times as large."""
SMALL = 4 * 2**20
"""What is unpacked to no more than this is small whatever its ratio."""
MOST_PARTS = 1000
OLD_FORMAT = bytes.fromhex("d0cf11e0a1b11ae1")

BROKEN = (NotImplementedError, RuntimeError, EOFError, KeyError, zlib.error)
"""What reading a damaged, incomplete or encrypted archive raises, besides `BadZipFile`."""

_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""Number formats that are dates or times, ECMA-376 §18.8.30, with those of Chinese Excel."""
_NOT_DATE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read_workbook(path: Path) -> list[Sheet]:
    """Return the sheets of the XLSX file at `path`; raise `UnreadableFileError` if it is none."""
    with path.open("rb") as file:
        return parse_workbook(file, str(path))


def parse_workbook(file: IO[bytes], source: str) -> list[Sheet]:
    """Return the sheets of the XLSX workbook in `file`, which messages call `source`."""
    _assert_modest(file, source)
    try:
        with zipfile.ZipFile(file) as archive:
            _assert_no_bomb(archive, source)
            return _Workbook(archive, source).sheets()
    except (zipfile.BadZipFile, *BROKEN) as error:
        raise UnreadableFileError(
            f"{source}: is no whole XLSX workbook ({error}); open it in the spreadsheet program "
            "and save it again as .xlsx, without a password"
        ) from error


def _assert_modest(file: IO[bytes], source: str) -> None:
    if file.read(len(OLD_FORMAT)) == OLD_FORMAT:
        raise UnreadableFileError(
            f"{source}: is an old .xls workbook or has a password; save it as .xlsx without one"
        )
    size = file.seek(0, 2)
    file.seek(0)
    if size > LARGEST_FILE:
        raise UnreadableFileError(
            f"{source}: has {size} bytes, and at most {LARGEST_FILE} are read; split it"
        )


def _assert_no_bomb(archive: zipfile.ZipFile, source: str) -> None:
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts)
    if (
        len(parts) > MOST_PARTS
        or unpacked > LARGEST_UNPACKED
        or unpacked > max(SMALL, LARGEST_RATIO * packed)
    ):
        raise UnreadableFileError(
            f"{source}: unpacks from {packed} to {unpacked} bytes in {len(parts)} parts, which no "
            "workbook of people does; it is not read"
        )


@dataclass(slots=True)
class _Workbook:
    archive: zipfile.ZipFile
    source: str
    epoch: datetime = datetime(1899, 12, 30)  # noqa: DTZ001 - dates of a spreadsheet have no zone

    def sheets(self) -> list[Sheet]:
        listed = _SheetList()
        self._read("xl/workbook.xml", listed)
        if listed.from_1904:
            self.epoch = datetime(1904, 1, 1)  # noqa: DTZ001 - the same
        targets = _Relations()
        self._read("xl/_rels/workbook.xml.rels", targets)
        strings, styles = _Strings(), _Styles()
        for name, part in (("sharedStrings", strings), ("styles", styles)):
            if (target := targets.of_type.get(name)) is not None:
                self._read(_inside(target), part)
        made = []
        for name, relation in listed.sheets:
            grid = _Grid(self.source, name, strings.texts, styles.dates(), self.epoch)
            self._read(_inside(targets.by_id[relation]), grid)
            made.append(Sheet(self.source, name, grid.rows, tuple(grid.merged)))
        return made

    def _read(self, name: str, part: Part) -> None:
        with self.archive.open(name) as file:
            read_part(file, part, f"{self.source}: {name}")


def _inside(target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))


@dataclass(slots=True)
class _SheetList(Part):
    """Names and relations of the worksheets, in order."""

    sheets: list[tuple[str, str]] = field(default_factory=list)
    from_1904: bool = False

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "sheet":
            self.sheets.append((attributes["name"], attributes["id"]))
        elif tag == "workbookPr":
            self.from_1904 = attributes.get("date1904") in ("1", "true")


@dataclass(slots=True)
class _Relations(Part):
    """Targets by id, and by the last word of their type."""

    by_id: dict[str, str] = field(default_factory=dict)
    of_type: dict[str, str] = field(default_factory=dict)

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "Relationship":
            self.by_id[attributes["Id"]] = attributes["Target"]
            self.of_type[attributes["Type"].rpartition("/")[2]] = attributes["Target"]


@dataclass(slots=True)
class _Strings(Part):
    """The shared strings; phonetic guides (拼音) are no part of a text."""

    texts: list[str] = field(default_factory=list)
    collected: list[str] = field(default_factory=list)
    phonetic: bool = False

    def start(self, tag: str, attributes: Attributes) -> None:
        del attributes
        if tag == "si":
            self.collected = []
        elif tag == "rPh":
            self.phonetic = True

    def end(self, tag: str, text: str) -> None:
        if tag == "t" and not self.phonetic:
            self.collected.append(text)
        elif tag == "rPh":
            self.phonetic = False
        elif tag == "si":
            self.texts.append(_unescaped("".join(self.collected)))


@dataclass(slots=True)
class _Styles(Part):
    """Which cell formats show a number as a date."""

    custom: dict[int, str] = field(default_factory=dict)
    formats: list[int] = field(default_factory=list)
    of_cells: bool = False

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "numFmt":
            self.custom[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
        elif tag == "cellXfs":
            self.of_cells = True
        elif tag == "xf" and self.of_cells:
            self.formats.append(int(attributes.get("numFmtId", "0")))

    def end(self, tag: str, text: str) -> None:
        del text
        if tag == "cellXfs":
            self.of_cells = False

    def dates(self) -> frozenset[int]:
        """Return the numbers of the cell formats that are dates."""
        return frozenset(at for at, number in enumerate(self.formats) if self._is_date(number))

    def _is_date(self, number: int) -> bool:
        if number not in self.custom:
            return number in _BUILT_IN_DATES
        code = _NOT_DATE.sub("", self.custom[number]).partition(";")[0].lower()
        return "general" not in code and any(letter in code for letter in "ymdhs年月日")


@dataclass(slots=True)
class _Grid(Part):
    """The cells of one sheet."""

    source: str
    name: str
    strings: list[str]
    dates: frozenset[int]
    epoch: datetime
    rows: dict[int, dict[int, Cell]] = field(default_factory=dict)
    merged: list[Merged] = field(default_factory=list)
    row: int = 0
    column: int = 0
    kind: str = "n"
    style: int = 0
    value: str | None = None
    formula: bool = False
    inline: list[str] = field(default_factory=list)
    phonetic: bool = False
    cells: int = 0

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "c":
            self._begin_cell(attributes)
        elif tag == "row":
            self.row = int(attributes.get("r", self.row + 1))
            self.column = 0
        elif tag == "f":
            self.formula = True
        elif tag == "rPh":
            self.phonetic = True
        elif tag == "mergeCell":
            first, _, last = attributes["ref"].partition(":")
            self.merged.append(Merged(*located(first), *located(last or first)))

    def end(self, tag: str, text: str) -> None:
        if tag == "v":
            self.value = text
        elif tag == "t" and not self.phonetic:
            self.inline.append(text)
        elif tag == "rPh":
            self.phonetic = False
        elif tag == "c":
            cell = self._cell()
            if cell is not None:
                self.cells += 1
                assert_bounded(
                    self.source, self.name, row=self.row, column=self.column, cells=self.cells
                )
                self.rows.setdefault(self.row, {})[self.column] = cell

    def _begin_cell(self, attributes: Attributes) -> None:
        reference = attributes.get("r")
        self.row, self.column = (
            located(reference) if reference else (max(self.row, 1), self.column + 1)
        )
        self.kind = attributes.get("t", "n")
        self.style = int(attributes.get("s", "0"))
        self.value, self.formula, self.inline = None, False, []

    def _cell(self) -> Cell | None:
        if self.kind == "inlineStr":
            text = _unescaped("".join(self.inline))
            return Cell(Sort.TEXT, text) if text else None
        if self.value is None or (self.value == "" and self.kind != "str"):
            return Cell(Sort.UNCOMPUTED, "") if self.formula else None
        match self.kind:
            case "s":
                text = self.strings[int(self.value)]
                return Cell(Sort.TEXT, text) if text else None
            case "str":
                return Cell(Sort.TEXT, _unescaped(self.value)) if self.value else None
            case "b":
                return Cell(Sort.TRUTH, "TRUE" if self.value == "1" else "FALSE")
            case "e":
                return Cell(Sort.ERROR, self.value)
            case "d":
                return Cell(Sort.TEXT, self.value)
            case _:
                return self._number(self.value)

    def _number(self, text: str) -> Cell:
        if self.style not in self.dates:
            return Cell(Sort.NUMBER, text)
        moment = moment_of(text, self.epoch)
        return Cell(Sort.NUMBER, text) if moment is None else Cell(Sort.MOMENT, text, moment)


LEAP_DAY_THAT_WAS_NONE = 60
"""Serial 60 is 29 February 1900 in spreadsheets, which never was; no day before it counts."""


def moment_of(serial: str, epoch: datetime) -> datetime | None:
    """Return the local time that a serial number of days stands for, to the second; None for none.

    ECMA-376 §18.17.4: days since `epoch`; the fraction is the time of day.
    """
    try:
        days = Decimal(serial)
        if epoch.year < 1900 and days <= LEAP_DAY_THAT_WAS_NONE:
            return None
        seconds = int((days * 86_400).to_integral_value())
        return epoch + timedelta(seconds=seconds)
    except (InvalidOperation, OverflowError, ValueError):
        return None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
