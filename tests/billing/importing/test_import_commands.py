"""`tallygate billing import`, `import-template` and `export`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w
from click.testing import CliRunner
from openpyxl import load_workbook
from small_community import changed, community_document

from billing.commands.main import billing
from billing.community import parse_community
from billing.database import Database
from billing.importing.writing import write_community

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

COUNTED = "yard: 4 units, 11 points, 4 accounts"


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


def run(url: str, *arguments: str | Path) -> Result:
    environment = {"TALLYGATE_DATABASE_URL": url}
    return CliRunner().invoke(billing, [str(each) for each in arguments], env=environment)


def workbook(folder: Path, name: str = "yard.xlsx") -> Path:
    path = folder / name
    with path.open("xb") as file:
        write_community(file, parse_community(community_document(), "yard"))
    return path


def spoilt(folder: Path) -> Path:
    path = workbook(folder)
    book = load_workbook(path)
    book["房屋 Units"]["B2"] = "b9"
    book["房屋 Units"]["E3"] = "big"
    book.save(path)
    return path


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    with Database(url) as database, database.snapshot() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def stored(url: str) -> list[str]:
    return [code for (code,) in rows(url, "SELECT code FROM community")]


def test_a_workbook_is_imported_and_exported_as_the_same_community(
    url: str, tmp_path: Path
) -> None:
    done = run(url, "import", workbook(tmp_path))
    out = run(url, "export", "yard", "--xlsx", tmp_path / "out.xlsx")

    assert done.output == f"{COUNTED}\n"
    assert (out.exit_code, out.output) == (0, f"wrote {tmp_path / 'out.xlsx'}\n")
    first, second = (load_workbook(tmp_path / name) for name in ("yard.xlsx", "out.xlsx"))
    for sheet in first:
        assert sheet_values(first, sheet.title) == sheet_values(second, sheet.title)


def sheet_values(book: Any, title: str) -> list[list[Any]]:
    """Return the rows of a sheet; the database says the class that a unit has by default."""
    values = [[cell.value for cell in row] for row in book[title].iter_rows()]
    if title == "房屋 Units":
        for row in values[1:]:
            row[9] = row[9] or "residential"
    return values


def test_a_dry_run_stores_nothing_and_can_be_followed_by_the_real_one(
    url: str, tmp_path: Path
) -> None:
    path = workbook(tmp_path)

    dry = run(url, "import", "--dry-run", path)

    assert dry.output == f"{COUNTED} (dry run, nothing is stored)\n"
    assert stored(url) == []
    assert run(url, "import", path).output == f"{COUNTED}\n"
    again = run(url, "import", "--dry-run", path)
    assert again.exit_code == 1
    assert "community 'yard' is there already" in again.stderr


def test_accounts_open_with_what_somebody_says_they_owe(url: str, tmp_path: Path) -> None:
    path = tmp_path / "lane.xlsx"
    owing = {"A-101": {"opening_balance": "123.40"}, "A-201": {"opening_balance": "-0.05"}}
    document = changed(community_document(), account=owing) | {"code": "lane", "point": []}
    with path.open("xb") as file:
        write_community(file, parse_community(document, "lane"))

    dry = run(url, "import", "--dry-run", path)
    unsaid = run(url, "import", path)
    done = run(url, "import", "--by", "clerk", path)

    assert dry.output.splitlines()[1] == "2 accounts open with a balance, 123.35 in all"
    assert unsaid.stderr == (
        "Error: 2 accounts of community 'lane' open with a balance; name who says so (--by)\n"
    )
    assert done.output == (
        "lane: 4 units, 0 points, 4 accounts\n2 accounts open with a balance, 123.35 in all\n"
    )
    assert rows(
        url, "SELECT reference, ledger_account, amount FROM posting ORDER BY reference, position"
    ) == [
        ("opening:lane/A-101", "receivable", 12_340),
        ("opening:lane/A-101", "opening", -12_340),
        ("opening:lane/A-201", "credit", -5),
        ("opening:lane/A-201", "opening", 5),
    ]
    assert rows(url, "SELECT actor, action, subject, detail FROM audit") == [
        (
            "clerk",
            "accounts.open",
            "community:lane",
            '{"accounts":2,"reason":"import of lane.xlsx","sum":"123.35"}',
        )
    ]
    run(url, "export", "lane", "--xlsx", tmp_path / "out.xlsx")
    accounts = load_workbook(tmp_path / "out.xlsx")["业主 Accounts"]
    assert [row[5].value for row in accounts.iter_rows()] == [
        "期初欠费（元） / Opening balance",
        123.4,
        -0.05,
        None,
        None,
    ]


def test_problems_are_all_said_and_nothing_is_stored(url: str, tmp_path: Path) -> None:
    result = run(url, "import", spoilt(tmp_path))

    assert result.exit_code == 1
    heading, first, second = result.stderr.splitlines()
    assert heading == "Error: 2 problems, nothing is stored:"
    assert first.endswith(
        "E3 (面积（m2） / Area (m2)): 'big': is no number; write digits only, with a point before "
        "decimals: 1234.5"
    )
    assert "B2 (楼栋 / Building): 'b9': is not in the sheet 楼栋 Buildings" in second
    assert stored(url) == []


def test_the_report_is_json_for_programs(url: str, tmp_path: Path) -> None:
    wrong = json.loads(run(url, "import", "--json", spoilt(tmp_path)).stdout)
    right = workbook(tmp_path, "right.xlsx")
    dry = json.loads(run(url, "import", "--json", "--dry-run", right).stdout)
    done = json.loads(run(url, "import", "--json", right).stdout)

    assert not wrong["stored"]
    assert [(each["sheet"], each["row"], each["column"]) for each in wrong["problems"]] == [
        ("房屋 Units", 3, "E"),
        ("房屋 Units", 2, "B"),
    ]
    assert dry == {
        "path": str(right),
        "stored": False,
        "community": "yard",
        "units": 4,
        "points": 11,
        "accounts": 4,
        "opening_balances": {"accounts": 0, "sum": "0.00"},
        "problems": [],
        "remarks": [],
    }
    assert done == {**dry, "stored": True}


def test_a_folder_of_csv_is_imported_with_remarks(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "gui"
    folder.mkdir()
    for name, text in {
        "community": "code,title zh,zone\ngui,桂苑,Asia/Shanghai\n",
        "classes": "class,tariffs\nresidential,power\n",
        "buildings": "code,title zh\nb1,一号楼\n",
        "units": "code,building,floor,area (m2)\n1-101,b1,1,８８．５\n",
    }.items():
        (folder / f"{name}.csv").write_bytes(text.encode("gbk"))

    done = run(url, "import", folder)

    remark, counted = done.output.splitlines()
    assert remark.startswith(f"note: {folder}/units.csv: sheet units: D2 (area (m2)): full-width")
    assert counted == "gui: 1 units, 0 points, 0 accounts"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("units.csv", "code", "is one sheet of several; give the folder"),
        ("yard.xls", "x", "is an old workbook; save it as .xlsx"),
        ("yard.xlsx", "x", "is no whole XLSX workbook"),
        ("yard.toml", "kind =", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read(
    url: str, tmp_path: Path, name: str, content: str, words: str
) -> None:
    (tmp_path / name).write_text(content)

    result = run(url, "import", tmp_path / name)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path / name}: ")
    assert words in result.stderr
    (problem,) = json.loads(run(url, "import", "--json", tmp_path / name).stdout)["problems"]
    assert words in problem["what"]


def test_a_toml_file_is_checked_by_a_dry_run_too(url: str, tmp_path: Path) -> None:
    path = tmp_path / "yard.toml"
    path.write_text(tomli_w.dumps(community_document()), "utf-8")

    assert "dry run" in run(url, "import", "--dry-run", path).output
    assert stored(url) == []


def test_a_template_is_written_once(url: str, tmp_path: Path) -> None:
    path = tmp_path / "template.xlsx"

    assert run(url, "import-template", "--xlsx", path).output == f"wrote {path}\n"
    assert load_workbook(path).sheetnames[:2] == ["说明 Notes", "小区 Community"]
    again = run(url, "import-template", "--xlsx", path)
    assert again.exit_code == 1
    assert "is there already; name a new file" in again.stderr
    nowhere = run(url, "import-template", "--xlsx", tmp_path / "no" / "x.xlsx")
    assert "cannot be written" in nowhere.stderr


def test_a_community_that_is_not_there_is_not_exported(url: str, tmp_path: Path) -> None:
    result = run(url, "export", "yard", "--xlsx", tmp_path / "x.xlsx")

    assert result.exit_code == 1
    assert "no community 'yard'; known are none" in result.stderr
    assert not (tmp_path / "x.xlsx").exists()
