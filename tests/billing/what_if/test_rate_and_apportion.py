"""`tallygate rate` and `tallygate apportion`: what if, on given numbers, with no database."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w
from click.testing import CliRunner

from tallygate import main

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def written(folder: Path, name: str, document: dict[str, Any]) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(tomli_w.dumps(document), "utf-8")
    return path


def tariff(*charges: dict[str, Any], **rest: Any) -> dict[str, Any]:
    named = [{"title": {"en": each["name"]}, **each} for each in charges]
    return {
        "kind": "tariff",
        "id": "t",
        "version": 3,
        "title": {"en": "t"},
        "medium": "electricity",
        "currency": "CNY",
        "valid_from": date(2026, 1, 1),
        "charge": named,
        **rest,
    }


YEARLY = tariff(
    {
        "name": "energy",
        "kind": "steps",
        "per": "year",
        "register": "import_energy",
        "steps": [[2760, "0.538"], [4800, "0.588"], ["0.838"]],
    },
    {
        "name": "lift",
        "kind": "formula",
        "prorate": True,
        "formula": "if(persons > 4 [person], area × 0.35 [CNY/m2], 15 [CNY])",
    },
    example=[{"usage": 5000, "area": 100, "attributes": {"persons": 5}, "expect": "2887.00"}],
)


def test_a_single_use_is_rated_line_by_line(tmp_path: Path) -> None:
    path = written(tmp_path, "t", YEARLY)

    result = run("rate", path, "--usage", "5000", "--area", "88.5", "--attribute", "persons=5")

    assert result.output.splitlines() == [
        "t, version 3, CNY",
        "     2852.00  energy: 2760 kWh × 0.538 + 2040 kWh × 0.588 + 200 kWh × 0.838",
        "       30.98  lift: 30.975 CNY × 1",
        "                5 person > 4 person = true",
        "                88.5 m2 × 0.35 CNY/m2 = 30.975 CNY",
        "     2882.98  total",
    ]


def test_a_part_of_a_month_divides_once(tmp_path: Path) -> None:
    path = written(tmp_path, "t", YEARLY)

    result = run(
        *("rate", path, "--usage", "import_energy=1", "--before", "4800", "--area", "10"),
        *("--attribute", "persons=1", "--days", "12", "--period-days", "29"),
    )

    assert "        0.84  energy: 1 kWh × 0.838" in result.output
    assert "        6.21  lift: " in result.output


def test_months_in_a_csv_fill_the_steps_of_the_year(tmp_path: Path) -> None:
    path = written(tmp_path, "t", YEARLY)
    months = tmp_path / "months.csv"
    months.write_bytes(
        "usage,area,attributes.persons\n1000,100,1\n２０００,100,1\n3000,100,1\n".encode("gbk")
    )

    text = run("rate", path, "--months", months)
    document = json.loads(run("rate", path, "--months", months, "--json").stdout)

    assert [row["total"] for row in document["rows"]] == ["553.00", "1103.00", "2079.00"]
    assert document["total"] == "3735.00"
    assert document["rows"][1]["lines"][0] == {
        "charge": "energy",
        "quantity": "2000",
        "unit": "kWh",
        "amount": "1088.00",
        "parts": [
            {"quantity": "1760", "price": "0.538"},
            {"quantity": "240", "price": "0.588"},
            {"quantity": "0", "price": "0.838"},
        ],
    }
    assert document["rows"][0]["lines"][1]["formula"] == {
        "formula": "if(persons > 4 [person], area × 0.35 [CNY/m2], 15 [CNY])",
        "values": {"area": "100 m2", "persons": "1 person"},
        "steps": ["1 person > 4 person = false"],
        "result": "15 CNY",
    }
    assert "month 3" in text.output
    assert text.output.splitlines()[-1] == "     3735.00  total of 3 months"


def test_a_new_year_begins_the_steps_anew(tmp_path: Path) -> None:
    path = written(tmp_path, "t", YEARLY)
    months = tmp_path / "months.csv"
    months.write_text("usage,area,attributes.persons\n5000,100,1\n1000,100,1\n")

    document = json.loads(
        run("rate", path, "--months", months, "--first-month", "12", "--json").stdout
    )

    assert [row["total"] for row in document["rows"]] == ["2867.00", "553.00"]


def test_use_by_band_is_given_in_the_order_of_time(tmp_path: Path) -> None:
    draft = tariff(
        {
            "name": "energy",
            "kind": "time-of-use",
            "register": "import_energy",
            "prices": {"peak": "0.6", "valley": "0.3"},
        },
        calendar={"days": [{"bands": [["00:00", "valley"], ["08:00", "peak"]]}]},
        example=[{"bands": {"peak": 10, "valley": 10}, "expect": "9.00"}],
    )

    result = run(
        "rate", written(tmp_path, "t", draft), "--bands", "valley=20", "--bands", "peak=10"
    )

    assert "energy: 10 kWh × 0.6 + 20 kWh × 0.3" in result.output
    assert "       12.00  total" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--usage", "5"), "the options: area: is missing: a charge reads it"),
        (("--usage", "5", "--area", "9"), "attributes: 'persons' is missing"),
        (("--usage", "x"), "usage: must be a number"),
        (("--usage", "volume=5"), "expected import_energy, got volume"),
        (("--usage", "5", "--attribute", "persons"), "--attribute persons: write NAME=NUMBER"),
        (("--demand", "5"), "demand"),
        (("--months", "{csv}", "--usage", "5"), "give either --months or usage"),
    ],
)
def test_what_does_not_fit_the_tariff_is_said(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    months = tmp_path / "months.csv"
    months.write_text("usage\n5\n")

    result = run(
        "rate", written(tmp_path, "t", YEARLY), *(each.format(csv=months) for each in arguments)
    )

    assert result.exit_code in (1, 2)
    assert words in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; the first line names the keys"),
        ("usage,area\n5,5,5\n", "line 2: column 3 has a value and no key in the first line"),
        ("usage,aera\n5,5\n6,6\n", "months[1].aera: unknown key; did you mean 'area'?"),
        ('usage,area\n5,5\n"6\n', "is no CSV"),
    ],
)
def test_a_csv_that_does_not_fit_says_where(text: str, words: str, tmp_path: Path) -> None:
    months = tmp_path / "months.csv"
    months.write_text(text)

    result = run("rate", written(tmp_path, "t", YEARLY), "--months", months)

    assert result.exit_code == 1
    assert words in result.stderr


def test_what_a_formula_cannot_compute_is_no_zero(tmp_path: Path) -> None:
    draft = tariff(
        {"name": "f", "kind": "formula", "prorate": False, "formula": "12 [CNY·person] ÷ persons"},
        example=[{"attributes": {"persons": 2}, "expect": "6.00"}],
    )
    del draft["medium"]

    result = run("rate", written(tmp_path, "t", draft), "--attribute", "persons=0")

    assert result.exit_code == 1
    assert "it divides by 0 here; guard it with if(…)" in result.stderr


POOL = {
    "kind": "pool",
    "id": "lifts",
    "version": 2,
    "title": {"en": "Lifts"},
    "source": {"points": ["lift"], "register": "import_energy", "tariff": "public"},
    "scope": {"exclude": {"floors": [1]}},
    "basis": "area",
    "example": [
        {
            "period": "2026-01",
            "quantity": "10",
            "amount": "4.00",
            "participants": [{"unit": "x", "floor": 2, "area": "10"}],
            "expect": {"x": "4.00"},
        }
    ],
}
UNITS = "unit,floor,area,vacant\n101,1,80,no\n201,2,100,no\n301,3,100,no\n401,4,100,\n"


def test_a_supply_is_shared_among_the_units_of_a_csv(tmp_path: Path) -> None:
    pool, units = written(tmp_path, "pool", POOL), tmp_path / "units.csv"
    units.write_text(UNITS)
    supply = ("--period", "2026-10", "--quantity", "300", "--amount", "100.00")

    text = run("apportion", pool, units, *supply)
    document = json.loads(run("apportion", pool, units, *supply, "--json").stdout)

    assert sorted(each["amount"] for each in document["shares"]) == ["33.33", "33.33", "33.34"]
    assert [each["unit"] for each in document["shares"]] == ["201", "301", "401"]
    assert [each["unit"] for each in document["excluded"]] == ["101"]
    assert not document["may_be_charged"]
    assert text.output.startswith("lifts, version 2, 2026-10: 300 units costing 100.00\n")
    assert "Owners may not be charged yet" in text.output


def test_a_toml_with_the_keys_of_an_example_gives_the_same(tmp_path: Path) -> None:
    pool, units = written(tmp_path, "pool", POOL), tmp_path / "units.csv"
    units.write_text(UNITS)
    participants = [
        {"unit": unit, "floor": floor, "area": area}
        for unit, floor, area in (("101", 1, 80), ("201", 2, 100), ("301", 3, 100), ("401", 4, 100))
    ]
    given = {"period": "2026-10", "quantity": 300, "amount": 100, "participants": participants}
    supply = ("--period", "2026-10", "--quantity", "300", "--amount", "100")

    by_toml = run("apportion", pool, written(tmp_path, "given", given), "--json")
    by_csv = run("apportion", pool, units, *supply, "--json")

    assert by_toml.exit_code == 0
    assert by_toml.stdout == by_csv.stdout


def test_what_stands_in_the_way_is_said_for_people_and_programs(tmp_path: Path) -> None:
    pool, units = written(tmp_path, "pool", POOL), tmp_path / "units.csv"
    units.write_text("unit,floor,area\n201,2,100\n301,3,\n")
    supply = ("--period", "2026-10", "--quantity", "300", "--amount", "100")

    text = run("apportion", pool, units, *supply)
    document = run("apportion", pool, units, *supply, "--json")

    assert (text.exit_code, document.exit_code) == (1, 1)
    assert "unit 301" in text.stderr
    assert json.loads(document.stdout)["obstacles"][0]["kind"] == "missing-key"


def test_a_csv_of_units_wants_the_supply_beside_it(tmp_path: Path) -> None:
    pool, units = written(tmp_path, "pool", POOL), tmp_path / "units.csv"
    units.write_text(UNITS)

    result = run("apportion", pool, units, "--period", "2026-10", "--quantity", "5")

    assert result.exit_code == 2
    assert "say --amount too" in result.stderr
