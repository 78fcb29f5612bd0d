"""`tallygate bill`: what it prints, and that what a user can mend is one clear line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from billing.commands.bills import bill

if TYPE_CHECKING:
    from pathlib import Path

    from small_community import Books

NUMBER = "yard-2026-10-0001"


@pytest.fixture
def url(sqlite_books: Books) -> str:
    """The URL of a database in which October is billed."""
    sqlite_books.bill()
    return str(sqlite_books.database.engine.url)


def run(url: str | None, *arguments: object) -> Result:
    environment = {"TALLYGATE_DATABASE_URL": url}
    return CliRunner().invoke(bill, list(map(str, arguments)), env=environment)


def test_a_bill_goes_to_a_file_and_is_checked_without_a_database(url: str, tmp_path: Path) -> None:
    path = tmp_path / "bill.json"

    exported = run(url, "export", NUMBER, path)
    verified = run(None, "verify", path)

    digest = json.loads(path.read_bytes())["digest"]
    size = path.stat().st_size
    assert exported.output == f"bill {NUMBER} in {path}, {size} bytes, digest {digest}\n"
    assert (verified.exit_code, verified.stderr) == (0, "")
    assert verified.output == (
        f"bill {NUMBER}, 497.04 CNY: 8 lines, 2 usages and 2 statements recomputed, "
        f"digest {digest}\n"
    )
    assert json.loads(run(None, "verify", path, "--json").output) == {
        "bill": NUMBER,
        "total": 49704,
        "currency": "CNY",
        "digest": digest,
        "lines": 8,
        "usages": 2,
        "statements": 2,
        "differences": [],
    }


def test_what_differs_is_said_and_fails(url: str, tmp_path: Path) -> None:
    path = tmp_path / "bill.json"
    run(url, "export", NUMBER, path)
    path.write_bytes(path.read_bytes().replace(b'"total":49704', b'"total":49703'))

    result = run(None, "verify", path)

    assert result.exit_code == 1
    said = result.stderr.splitlines()
    assert result.stdout.splitlines()[-1] == f"It does not hold: {len(said)} differences."
    assert said[0].startswith("digest: the bundle says ")
    assert said[1] == f"bill {NUMBER}: total: the bill says 497.03, the evidence gives 497.04"
    assert json.loads(run(None, "verify", path, "--json").stdout)["differences"] == said


def test_a_bill_that_there_is_not(url: str, tmp_path: Path) -> None:
    result = run(url, "export", "yard-1", tmp_path / "bill.json")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no bill yard-1; numbers are like ")
    assert not (tmp_path / "bill.json").exists()


def test_files_that_cannot_be_read_or_written(url: str, tmp_path: Path) -> None:
    (tmp_path / "poem").write_text("roses are red")

    assert "No such file" in run(None, "verify", tmp_path / "nowhere").stderr
    assert "is no JSON, or was cut off" in run(None, "verify", tmp_path / "poem").stderr
    assert "cannot be written" in run(url, "export", NUMBER, tmp_path / "no" / "bill").stderr
