"""`tallygate audit`: what was done is listed, and a log that is not whole is told where."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from billing.commands.audit import audit as command
from billing.database import Database
from billing.store import audit

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 3, 8, 30, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log of three entries whose triggers somebody has removed."""
    url = f"sqlite:///{tmp_path / 'billing.sqlite'}"
    with Database(url) as database:
        database.migrate()
        with database.transaction() as connection:
            for number, actor in enumerate(("clerk", "approver", "clerk")):
                audit.append(
                    connection,
                    at=NOW,
                    actor=actor,
                    action="run.approve",
                    subject=f"run:{number}",
                    detail={"note": "电费"} if number else {},
                )
            for event in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER audit_stays_on_{event}")
    return url


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, env={"TALLYGATE_DATABASE_URL": url})


def change(url: str, sql: str) -> None:
    with Database(url) as database, database.transaction() as connection:
        connection.exec_driver_sql(sql)


def test_a_whole_log_is_said_to_be_whole(url: str) -> None:
    answer = run(url, "verify")
    assert answer.exit_code == 0
    assert answer.output.startswith("3 entries, unbroken; the last digest is ")


def test_the_first_broken_entry_is_said(url: str) -> None:
    change(url, "UPDATE audit SET actor = 'x' WHERE position > 1")
    answer = run(url, "verify")
    assert answer.exit_code == 1
    assert answer.output == (
        "Error: audit entry 2 is not what was written: its content is not that of its digest\n"
    )


def test_a_kept_head_shows_a_cut(url: str, tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    assert run(url, "verify", "--head", str(path)).exit_code == 0
    assert json.loads(path.read_text("utf-8"))["position"] == 3
    assert run(url, "verify", "--head", str(path)).exit_code == 0
    change(url, "DELETE FROM audit WHERE position = 3")
    assert run(url, "verify").exit_code == 0
    answer = run(url, "verify", "--head", str(path))
    assert answer.exit_code == 1
    assert "ends with entry 2, but it held 3 before" in answer.output
    assert json.loads(path.read_text("utf-8"))["position"] == 3, "a cut does not become the head"


def test_a_file_that_holds_no_head_is_not_written_over(url: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes", "utf-8")
    answer = run(url, "verify", "--head", str(path))
    assert answer.exit_code == 1
    assert "holds no last entry of an audit log" in answer.output
    assert path.read_text("utf-8") == "my notes"


def test_entries_are_listed_the_newest_first(url: str) -> None:
    assert run(url, "list", "--actor", "clerk").output.splitlines() == [
        '3  2026-11-03T08:30:00Z  clerk  run.approve  run:2  {"note":"电费"}',
        "1  2026-11-03T08:30:00Z  clerk  run.approve  run:0",
    ]
    lines = run(url, "list", "--limit", "1", "--json").output.splitlines()
    assert [json.loads(line)["detail"] for line in lines] == [{"note": "电费"}]
