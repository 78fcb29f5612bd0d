"""CSV files in the encodings and dialects that spreadsheets save."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.importing import csv_files
from billing.importing.cells import MOST_ROWS, UnreadableFileError
from billing.importing.csv_files import parse_csv, read_csv, read_folder

if TYPE_CHECKING:
    from pathlib import Path

TEXT = '编号,姓名\r\n1-101,"王,伟"\r\n\r\n1-102,李\r\n'
EXPECTED = {1: ["编号", "姓名"], 2: ["1-101", "王,伟"], 4: ["1-102", "李"]}


def texts(data: bytes) -> dict[int, list[str]]:
    sheet = parse_csv(data, source="x.csv", name="x")
    return {number: [cell.text for cell in row.values()] for number, row in sheet.rows.items()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_every_encoding_of_spreadsheets_is_read(encoding: str) -> None:
    assert texts(TEXT.encode(encoding)) == EXPECTED


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_separator_of_spreadsheets_is_read(separator: str) -> None:
    data = separator.join(["a", "b", "c"]) + "\n" + separator.join(["1", "", "3"])

    sheet = parse_csv(data.encode(), source="x", name="x")

    assert {at: cell.text for at, cell in sheet.rows[2].items()} == {1: "1", 3: "3"}


def test_a_line_break_inside_a_cell_is_no_new_row() -> None:
    assert texts(b'a,b\n"1\n2",3\n4,5') == {1: ["a", "b"], 2: ["1\n2", "3"], 3: ["4", "5"]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a,b\n1,\xff\xff", "line 2: is neither UTF-8 nor GBK"),
        (b"\xef\xbb\xbfa\n\xff", "line 2: is neither"),
        (b'a,b\n"1,2', "line 2: is no CSV"),
        (b'a,b\n"1"2,3', "line 2: is no CSV"),
        (b"a\n" + b"x" * 10_001, "is no CSV"),
        (b"a\n" * (MOST_ROWS + 1), "is beyond what is read"),
        (b"," * 100 + b"a", "is beyond what is read"),
    ],
)
def test_what_is_no_csv_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        texts(data)

    assert words in str(caught.value)


def test_a_folder_is_read_by_the_names_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "units.csv").write_bytes(TEXT.encode("gbk"))
    (tmp_path / "业主.CSV").write_bytes(TEXT.encode())
    (tmp_path / "read me.txt").write_text("no table")

    sheets = read_folder(tmp_path)

    assert [sheet.name for sheet in sheets] == ["units", "业主"]
    assert sheets[0].source == str(tmp_path / "units.csv")


def test_a_folder_without_csv_says_how_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"units\.csv or 房屋\.csv"):
        read_folder(tmp_path)


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "LARGEST_FILE", 3)
    (tmp_path / "units.csv").write_text("a,b,c")

    with pytest.raises(UnreadableFileError, match="is larger than 3 bytes"):
        read_csv(tmp_path / "units.csv")
