"""`tallygate bill explain`: the sentences of the pages, and the arithmetic, in a terminal."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from pypdf import PdfReader
from small_community import STARTS, Books, after, boundary_readings, reading

from api.bill_commands import bill
from billing import lifecycle
from billing.database import Database
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPENING = "(2026-10-01 00:00:00, read from the meter)"
CLOSING = "(2026-11-01 00:00:00, read from the meter)"


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """October of the small community, billed."""
    archive = SqlArchive(f"sqlite:///{tmp_path / 'archive.sqlite'}")
    archive.append(boundary_readings())
    with Database(f"sqlite:///{tmp_path / 'billing.sqlite'}") as database:
        database.migrate()
        made = Books(database, archive)
        made.define()
        made.bill()
        yield made
    archive.close()


def run(books: Books, *arguments: str, command: str = "explain") -> Result:
    url = str(books.database.engine.url)
    return CliRunner().invoke(bill, [command, *arguments], env={"TALLYGATE_DATABASE_URL": url})


def test_each_line_is_a_sentence_with_its_arithmetic(books: Books) -> None:
    said = run(books, "yard-2026-10-0002").output.splitlines()

    assert said[0] == "yard-2026-10-0002 · October 2026 · 201 · ¥506.65"
    assert said[7] == "2. water ¥80.99"
    assert said[8].startswith("    14.999 m³ from 1 Oct to 31 Oct, of which 12 in step 1 at ¥5.00")
    assert said[9:14] == [
        f"        W-201: (14.999 {CLOSING} − 0 {OPENING}) × 1 = 14.999 m³",
        "        12 × ¥5.00 = ¥60.00",
        "        2.999 × ¥7.00 = ¥20.993",
        "        ¥80.993 → ¥80.99",
        "        water 1",
    ]
    assert said[-9:-5] == [
        "8. lights ¥12.64",
        "    90.55 kWh for ¥50.55, shared equally by household: 1 of 4 households are yours.",
        "        ¥50.55 × 1 × (1 × 1 ÷ 4 households) = ¥12.6375",
        "        +1 × ¥0.01",
    ]


def test_a_counter_that_passed_its_last_digit_is_shown_so(books: Books) -> None:
    said = run(books, "yard-2026-10-0004").output
    assert (
        "E-301: (250.3 (2026-11-01 00:00:00, read from the meter) + 1,000,000 − 999,800.25" in said
    )
    assert "× 1 = 450.05 kWh" in said


def test_it_speaks_the_language_that_is_asked_for(books: Books) -> None:
    said = run(books, "yard-2026-10-0002", "--language", "zh-CN").output
    assert "用量 14.999 m³" in said
    said = run(books, "yard-2026-10-0004", "--language", "zh-CN").output
    assert "        表 E-301 计满后从零重新开始，已计入。\n" in said


def test_json_is_what_the_api_answers_of_each_line(books: Books) -> None:
    answer = json.loads(run(books, "yard-2026-10-0002", "--json").output)

    assert (answer["number"], answer["total"]) == ("yard-2026-10-0002", "506.65")
    water = answer["lines"][1]
    assert [(part["quantity"], part["price"]) for part in water["parts"]] == [
        ("12", "5"),
        ("2.999", "7"),
    ]
    assert water["usage"]["segments"][0]["closing"]["value"] == "14.999"
    assert all(line["check"] == {"holds": True, "differences": []} for line in answer["lines"])
    assert {line["taken_back_by"] for line in answer["lines"]} == {None}


def test_a_line_says_what_took_it_back_and_the_other_what_it_takes_back(books: Books) -> None:
    books.archive.append([reading("E-101", STARTS[1] + timedelta(seconds=1), "1251")])
    books.bill_run(
        lifecycle.correct(
            books.database, community="yard", first="2026-10", actor="clerk", now=after("2026-10")
        )
    )

    assert (
        "    Taken back by line 1 of bill yard-2026-10-0005.\n"
        in run(books, "yard-2026-10-0001").output
    )
    back = run(books, "yard-2026-10-0005").output.splitlines()
    assert back[1:3] == [
        "1. energy −¥124.84",
        "    Takes back line 1 of bill yard-2026-10-0001.",
    ]
    assert "In place of line 1 of bill yard-2026-10-0001." in back[4]
    lines = json.loads(run(books, "yard-2026-10-0001", "--json").output)["lines"]
    assert lines[0]["taken_back_by"] == {"bill": "yard-2026-10-0005", "line": 1}


def test_a_bill_that_there_is_not_is_said(books: Books) -> None:
    result = run(books, "yard-1")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no bill yard-1; numbers are like ")


def text_of(path: Path) -> str:
    """Return what a PDF says, without the breaks of its lines and the spaces between them."""
    pages = PdfReader(path).pages
    return "".join("".join(page.extract_text().split()) for page in pages)


def test_a_bill_is_written_as_pdf_with_a_seal_where_there_is_a_key(
    books: Books, tmp_path: Path
) -> None:
    keys, plain, sealed = (str(tmp_path / name) for name in ("keys", "plain.pdf", "sealed.pdf"))
    made = run(books, "yard-2026-10-0002", plain, command="pdf")
    assert made.output.startswith(f"bill yard-2026-10-0002 in {plain}, ")
    assert "¥506.65" in text_of(tmp_path / "plain.pdf")
    assert "Verifythispaper" not in text_of(tmp_path / "plain.pdf")

    key = CliRunner().invoke(bill, ["seal-key", keys])
    assert key.output == f"{keys} holds 1 key; restart the API\n"
    address = ("--seal-keys", keys, "--public-address", "https://bills.example.com")
    run(books, *address, "--language", "zh-CN", "yard-2026-10-0002", sealed, command="pdf")
    assert "https://bills.example.com" in text_of(tmp_path / "sealed.pdf")
    assert "账单" in text_of(tmp_path / "sealed.pdf")


def test_what_cannot_be_set_or_sealed_is_said(books: Books, tmp_path: Path) -> None:
    unknown = run(books, "yard-1", str(tmp_path / "a.pdf"), command="pdf")
    assert unknown.stderr.startswith("Error: there is no bill yard-1; numbers are like ")
    nowhere = run(books, "yard-2026-10-0002", str(tmp_path / "no" / "a.pdf"), command="pdf")
    assert "cannot be written: No such file or directory" in nowhere.stderr
    absent = str(tmp_path / "none")
    keyless = run(books, "--seal-keys", absent, "yard-2026-10-0002", absent, command="pdf")
    assert "make it with `tallygate bill seal-key`" in keyless.stderr
    (tmp_path / "other").write_text("something else\n", "utf-8")
    spoilt = CliRunner().invoke(bill, ["seal-key", str(tmp_path / "other")])
    assert "line 1, is no key" in spoilt.stderr
    insecure = ("--public-address", "http://bills.example.com", "yard-2026-10-0002", absent)
    assert "must begin with https://" in run(books, *insecure, command="pdf").stderr
    assert [each.exit_code for each in (unknown, nowhere, keyless, spoilt)] == [1, 1, 1, 1]
