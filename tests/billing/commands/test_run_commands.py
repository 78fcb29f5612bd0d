"""A whole month from the command line, by two people, and the correction of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from small_community import STARTS, Books, reading

import meters.catalog
from billing.commands.runs import run as command

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def call(sqlite_books: Books, tmp_path: Path) -> Callable[..., Any]:
    """Run a command as a person and return the JSON that it prints."""
    urls = {
        "TALLYGATE_DATABASE_URL": sqlite_books.database.url,
        "TALLYGATE_ARCHIVE_URL": f"sqlite:///{tmp_path / 'archive.sqlite'}",
    }

    def one(*words: str, by: str | None = "clerk", code: int | None = 0) -> Any:
        """`code`: the exit status to hold the command to; None for either, where it prints JSON."""
        person = [] if by is None else ["--by", by]
        result = CliRunner().invoke(command, [*words, *person, "--json"], env=urls)
        assert result.exit_code == code or code is None, result.output
        return result.output if code else json.loads(result.stdout)

    return one


def issue(call: Callable[..., Any], number: str) -> Any:
    call("compute", number)
    digest = call("review", number)["digest"]
    call("approve", number, "--digest", digest, by="approver")
    return call("issue", number, by="approver")


def test_a_month_goes_from_draft_to_issued(call: Callable[..., Any]) -> None:
    assert call("create", "2026-10", "yard")["state"] == "draft"
    issued = issue(call, "1")

    assert (issued["state"], issued["communities"][0]["bills"]) == ("issued", 4)
    assert call("show", "1", by=None)["approved_by"] == "approver"


def test_a_dry_run_stores_nothing(call: Callable[..., Any], sqlite_books: Books) -> None:
    found = call("dry-run", "2026-10", "yard", by=None)

    assert (found["bills"], found["problems"]) == (4, [])
    call("create", "2026-10", "yard")
    total = sqlite_books.compute(1).communities[0].total
    assert found["total"] == f"{total // 100}.{total % 100:02}"
    assert sqlite_books.rows("SELECT count(*) FROM bill_run") == [(1,)]


def test_a_dry_run_says_how_a_month_differs(call: Callable[..., Any]) -> None:
    call("create", "2026-10", "yard")
    issue(call, "1")

    found = call("dry-run", "2026-11", "yard", by=None)

    energy = {"unit": "101", "charge": "energy", "before": "124.84", "now": "112.99"}
    assert energy in found["differences"]


def test_what_a_correction_would_change_is_what_it_changes(
    call: Callable[..., Any], sqlite_books: Books
) -> None:
    call("create", "2026-10", "yard")
    issue(call, "1")
    assert call("affected", "2026-10", "yard", by=None)[0]["corrections"] == []
    sqlite_books.archive.append([reading("E-101", STARTS[1] + timedelta(seconds=1), "1251.00")])

    (change,) = call("affected", "2026-10", "yard", by=None)

    (correction,) = change["corrections"]
    assert (correction["unit"], correction["total"]) == ("101", "0.27")
    assert correction["reversed"] == [{"bill": "yard-2026-10-0001", "line": 1, "charge": "energy"}]
    call("correct", "2026-10", "yard")
    assert issue(call, "2")["communities"][0]["total"] == 27


def test_a_unit_can_be_held_and_let_go(call: Callable[..., Any]) -> None:
    call("create", "2026-10", "yard")
    held = call("hold", "1", "yard", "--unit", "201", "--reason", "disputed")
    assert [each["unit"] for each in held["holds"]] == ["201"]
    assert call("compute", "1")["communities"][0]["bills"] == 3

    call("release", "1", "yard", "--unit", "201")

    assert call("compute", "1")["communities"][0]["bills"] == 4
    again = call("release", "1", "yard", "--unit", "201", code=1)
    assert "201 is not held in run 1" in again
    assert "no unit '9'" in call("hold", "1", "yard", "--unit", "9", "--reason", "x", code=1)


def test_a_run_is_withdrawn_with_a_reason(call: Callable[..., Any]) -> None:
    call("create", "2026-10", "yard")

    assert call("withdraw", "1", "--reason", "wrong month")["state"] == "withdrawn"
    assert "say why" in call("withdraw", "1", "--reason", " ", code=1)
    assert call("create", "2026-10", "yard")["id"] == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create", "2026-13", "yard"), "is not a month"),
        (("create", "2026-10", "zoo"), "there is no community 'zoo'"),
        (("compute", "7"), "there is no bill run 7"),
        (("correct", "2026-10", "yard"), "has issued nothing"),
    ],
)
def test_what_a_user_can_mend_is_said_in_words(
    words: tuple[str, ...], says: str, call: Callable[..., Any]
) -> None:
    assert says in call(*words, code=1)


def test_who_made_a_run_does_not_approve_it(call: Callable[..., Any]) -> None:
    call("create", "2026-10", "yard")
    call("compute", "1")
    digest = call("review", "1")["digest"]

    assert "four eyes" in call("approve", "1", "--digest", digest, code=1)
    assert "computed again" in call("approve", "1", "--digest", "x", by="approver", code=1)


def test_a_run_knows_own_meter_types_by_their_folder(
    call: Callable[..., Any], sqlite_books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(meters.catalog.__file__).parent / "eastron-sdm120.toml").read_text("utf-8")
    own = tmp_path / "own"
    own.mkdir()
    (own / "ours.toml").write_text(text.replace('"eastron-sdm120"', '"ours"'), "utf-8")
    sqlite_books.execute("UPDATE installation SET meter_type = 'ours' WHERE meter = 'E-101'")
    folder = ("--types", str(own))

    def problems(*words: str) -> list[tuple[str, str]]:
        told = call("dry-run", "2026-10", "yard", *words, by=None, code=None)
        return [(each["kind"], each["subject"]) for each in told["problems"]]

    assert problems() == [("UnknownMeterType", "E-101")]
    assert problems(*folder) == []
    call("create", "2026-10", "yard")
    assert call("compute", "1")["state"] == "blocked"
    assert call("compute", "1", *folder)["state"] == "computed"
    assert call("compute", "1", "--workers", "1", *folder)["state"] == "computed"
    assert "issued" in call("affected", "2026-10", "yard", *folder, by=None, code=1)
    monkeypatch.setenv("TALLYGATE_METER_TYPES", f"{own}:{tmp_path}")
    assert problems() == []
    (own / "ours.toml").write_text("kind = 1", "utf-8")
    assert "ours.toml" in call("compute", "1", code=1)


def test_the_help_says_which_meter_types_a_run_knows() -> None:
    told = " ".join(CliRunner().invoke(command, ["--help"]).output.split())

    assert "the types that are shipped, or of your own in the folders of --types" in told
    assert "UnknownMeterType" in told
