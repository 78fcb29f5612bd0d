"""CSV as spreadsheets write it: UTF-8 with or without a mark, GBK, or UTF-16; comma, tab or `;`."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from billing.importing.cells import (
    LONGEST_CELL,
    Cell,
    Sheet,
    Sort,
    UnreadableFileError,
    assert_bounded,
)

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE = 64 * 2**20
MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
"""The marks that files begin with → their encodings."""
SEPARATORS = ",\t;"


def read_folder(folder: Path) -> list[Sheet]:
    """Return a sheet for each CSV file in `folder`, by name."""
    files = sorted(each for each in folder.iterdir() if each.suffix.lower() == ".csv")
    if not files:
        raise UnreadableFileError(
            f"{folder}: holds no CSV file; name them after the sheets, as units.csv or 房屋.csv"
        )
    return [read_csv(file) for file in files]


def read_csv(path: Path) -> Sheet:
    """Return the sheet that the CSV file at `path` is."""
    if path.stat().st_size > LARGEST_FILE:
        raise UnreadableFileError(f"{path}: is larger than {LARGEST_FILE} bytes; split it")
    return parse_csv(path.read_bytes(), source=str(path), name=path.stem)


def parse_csv(data: bytes, *, source: str, name: str) -> Sheet:
    """Return `data` as a sheet; raise `UnreadableFileError` where it is no CSV."""
    text = _decoded(data, source)
    rows: dict[int, dict[int, Cell]] = {}
    same = _Cells()
    cells = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        for number, values in enumerate(reader, start=1):
            row = {at: same[value] for at, value in enumerate(values, start=1) if value}
            cells += len(row)
            if row:
                assert_bounded(source, name, row=number, column=max(row), cells=cells)
                rows[number] = row
    except csv.Error as error:
        raise UnreadableFileError(
            f"{source}: line {reader.line_num}: is no CSV ({error}); look for a quotation mark "
            "that is not closed, or save the file again"
        ) from error
    return Sheet(source, name, rows)


class _Cells(dict[str, Cell]):
    """The cell of each text: what is written many times over is one cell."""

    def __missing__(self, text: str) -> Cell:
        made = self[text] = Cell(Sort.TEXT, text)
        return made


def _decoded(data: bytes, source: str) -> str:
    mark = next((each for each in MARKS if data.startswith(each)), b"")
    line = 1
    for encoding in (MARKS[mark],) if mark else ("utf-8", "gb18030"):
        try:
            return data[len(mark) :].decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, len(mark) + error.start) + 1
    raise UnreadableFileError(
        f"{source}: line {line}: is neither UTF-8 nor GBK; save it as CSV UTF-8"
    )


def _separator(text: str) -> str:
    heading = text.partition("\n")[0]
    return max(SEPARATORS, key=heading.count)


csv.field_size_limit(LONGEST_CELL)
