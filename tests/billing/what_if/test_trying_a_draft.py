"""`tallygate billing try`: a draft on an issued month, per unit and in sum."""

from __future__ import annotations

import copy
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w
from click.testing import CliRunner
from small_community import TARIFFS, Books

from billing.commands.main import billing
from billing.database import Database
from billing.tariff import parse_tariff
from billing.what_if.tried import FrozenLine, Holder, tried

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from meters.archive.sql import SqlArchive

POWER = next(each for each in TARIFFS if each["id"] == "power")
FEE = next(each for each in TARIFFS if each["id"] == "fee")


@pytest.fixture
def url(database_url: str, archive: SqlArchive) -> str:
    """The URL of a database in which October of the small community is issued."""
    with Database(database_url) as database:
        books = Books(database, archive)
        books.define()
        books.issue(_approved(books))
    return database_url


def _approved(books: Books) -> int:
    run_id = books.create()
    books.compute(run_id)
    books.review(run_id)
    books.approve(run_id)
    return run_id


def run(url: str, tmp_path: Path, draft: dict[str, Any], *options: str) -> Result:
    path = tmp_path / "draft.toml"
    path.write_text(tomli_w.dumps(draft), "utf-8")
    arguments = ["try", "--community", "yard", "--period", "2026-10", *options, str(path)]
    return CliRunner().invoke(billing, arguments, env={"TALLYGATE_DATABASE_URL": url})


def dearer(tariff: dict[str, Any], price: str, expect: str) -> dict[str, Any]:
    draft = copy.deepcopy(tariff)
    draft["version"] = 2
    draft["charge"][0]["price"] = price
    draft["example"][0]["expect"] = expect
    return draft


def test_the_tariff_that_was_billed_changes_nothing(url: str, tmp_path: Path) -> None:
    for tariff in (POWER, FEE):
        document = json.loads(run(url, tmp_path, {**tariff, "version": 9}, "--json").stdout)

        assert document["change"] == "0.00"
        assert document["before"] == document["now"] != "0.00"
        assert len(document["units"]) == 4
        assert document["not_tried"] == []


def test_a_dearer_fee_is_told_per_unit_and_in_sum(url: str, tmp_path: Path) -> None:
    old = FEE["charge"][0]["price"]

    result = run(url, tmp_path, dearer(FEE, "3.35", "39.50"))

    assert result.exit_code == 0, result.output
    assert old == "2.35"
    assert result.output.splitlines() == [
        "fee, version 2, tried on 2026-10, CNY",
        "        before           now        change  unit",
        "        213.98        302.48         88.50  101 (A-101)",
        "        288.59        408.84        120.25  201 (A-201)",
        "        229.25        324.25         95.00  202 (A-202)",
        "        156.64        220.74         64.10  301 (A-301)",
        "        888.46       1256.31        367.85  all 4",
        "4 pay more, 0 less, 0 the same",
    ]


def test_what_no_line_of_the_month_read_is_named_not_guessed(url: str, tmp_path: Path) -> None:
    draft = copy.deepcopy(FEE) | {"version": 2}
    draft["charge"].append(
        {
            "name": "care",
            "title": {"en": "Care"},
            "kind": "formula",
            "formula": "persons × 2 [CNY/person]",
            "prorate": True,
        }
    )
    draft["example"][0] |= {"attributes": {"persons": 2}}
    draft["example"][0]["expect"] = "33.50"

    document = json.loads(run(url, tmp_path, draft, "--json").stdout)
    assumed = json.loads(run(url, tmp_path, {**draft, "assume": {"persons": 3}}, "--json").stdout)

    assert document["units"] == []
    assert len(document["not_tried"]) == 4
    assert "needs the attribute 'persons'" in document["not_tried"][0]["why"]
    assert assumed["change"] == "24.00"


def test_a_tariff_of_another_name_says_what_it_replaces(url: str, tmp_path: Path) -> None:
    other = {**dearer(FEE, "3.35", "39.50"), "id": "new-fee"}

    refused = run(url, tmp_path, other)
    done = run(url, tmp_path, other, "--instead-of", "fee")

    assert (
        "nothing was billed by tariff 'new-fee' in 2026-10; it was by fee, power, water: "
        "say which one the draft replaces (--instead-of ID)"
    ) in refused.stderr
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--period", "2026-11"), "yard: nothing of 2026-11 is issued there"),
        (("--community", "zoo"), "there is no community 'zoo'; there is: yard"),
    ],
)
def test_what_is_not_there_is_said(
    options: tuple[str, ...], words: str, url: str, tmp_path: Path
) -> None:
    result = run(url, tmp_path, FEE, *options)

    assert result.exit_code == 1
    assert words in result.stderr


def test_nothing_is_stored(url: str, tmp_path: Path) -> None:
    run(url, tmp_path, dearer(FEE, "3.35", "39.50"))

    with Database(url) as database, database.snapshot() as connection:
        versions = connection.exec_driver_sql("SELECT version FROM tariff_version WHERE code='fee'")
        assert versions.scalars().all() == [1]


def fixed(amount: str) -> dict[str, Any]:
    return {
        "kind": "tariff",
        "id": "clean",
        "version": 1,
        "title": {"en": "clean"},
        "currency": "CNY",
        "valid_from": date(2026, 1, 1),
        "charge": [
            {"name": "fee", "title": {"en": "fee"}, "kind": "fixed", "amount": amount},
        ],
        "example": [{"expect": amount}],
    }


def frozen(holder: str, before: int, days: int, amount: int) -> FrozenLine:
    return FrozenLine(Holder(holder, holder), amount, {"days": [before, days, 30]})


def test_spans_of_a_month_carry_what_rounding_left_over() -> None:
    draft = parse_tariff(fixed("1.00"), "x")
    lines = [frozen("a", 20, 10, 33), frozen("a", 0, 10, 33), frozen("a", 10, 10, 34)]

    (change,) = tried(draft, lines).changes

    assert (change.before, change.now) == (100, 100)


def test_the_last_line_about_the_same_days_says_what_was_used() -> None:
    draft = parse_tariff(
        {
            **fixed("1.00"),
            "medium": "water",
            "charge": [
                {
                    "name": "w",
                    "title": {"en": "w"},
                    "kind": "per-unit",
                    "register": "volume",
                    "price": "2",
                },
            ],
            "example": [{"usage": 1, "expect": "2.00"}],
        },
        "x",
    )
    first = FrozenLine(Holder("a", "a"), 5_00, {"days": [0, 30, 30], "use": {"volume": "10"}})
    corrected = FrozenLine(Holder("a", "a"), 12_00, {"days": [0, 30, 30], "use": {"volume": "12"}})

    (change,) = tried(draft, [first, corrected]).changes

    assert (change.before, change.now) == (17_00, 24_00)


def test_holders_of_different_forms_are_rated_each_in_its_own() -> None:
    draft = parse_tariff(
        {
            **fixed("1.00"),
            "charge": [
                {
                    "name": "f",
                    "title": {"en": "f"},
                    "kind": "formula",
                    "prorate": False,
                    "formula": "12 [CNY·person] ÷ persons",
                },
            ],
            "example": [{"attributes": {"persons": 2}, "expect": "6.00"}],
        },
        "x",
    )

    def of(name: str, **attributes: str) -> FrozenLine:
        return FrozenLine(Holder(name, name), 1, {"days": [0, 30, 30], "attributes": attributes})

    trial = tried(
        draft, [of("a", persons="3"), of("b", persons="0"), of("c"), of("d", persons="4")]
    )

    assert [(each.holder.unit, each.now) for each in trial.changes] == [("a", 400), ("d", 300)]
    assert [each.holder.unit for each in trial.not_tried] == ["b", "c"]
    assert "divides by 0" in trial.not_tried[0].why
