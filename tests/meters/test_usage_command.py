"""`tallygate usage`: any history can be tried, and says what was used, what not, and why."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from meters.catalog import FOLDER
from meters.commands import WHY
from meters.reading import Reason
from tallygate import main

if TYPE_CHECKING:
    from pathlib import Path

SDM = ("--type", "eastron-sdm120", "--register", "import_energy")


def quarter(index: int) -> str:
    return f"2026-01-01T{index // 4:02}:{index % 4 * 15:02}:00+08:00"


def written(folder: Path, *values: str) -> Path:
    """Return a list of `values` a quarter of an hour apart."""
    lines = [f"{quarter(index)},{value}" for index, value in enumerate(values)]
    path = folder / "history.csv"
    path.write_text("\n".join(["time,value", *lines]) + "\n", "utf-8")
    return path


def run(path: Path, *options: str, wide: bool = True) -> Result:
    runner = CliRunner(env={"COLUMNS": "200" if wide else "80"})
    return runner.invoke(main, ["usage", str(path), *options])


def told(path: Path, *options: str) -> dict[str, Any]:
    result = run(path, *(options or SDM), "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def verdicts(document: dict[str, Any]) -> list[str]:
    return [each["verdict"] for each in document["readings"]]


@pytest.mark.parametrize(
    ("values", "quantity", "suspect"),
    [
        (("40482.83", "0.0", "40482.83", "0.0", "40484.52"), "1.69", 2),
        (("180.1", "180.2", "5000", "180.4"), "0.3", 1),
        (("5000", "180.1", "180.2", "180.4", "180.5"), "0.1", 2),
        (("999999.9", "0.3"), "0.4", 0),
        (("100", "100"), "0", 0),
        (("100", "", "nan", "101.5"), "1.5", 0),
        (("100", "-1", "1000000", "101.5"), "1.5", 2),
    ],
)
def test_histories_of_the_field_come_out_right(
    tmp_path: Path, values: tuple[str, ...], quantity: str, suspect: int
) -> None:
    document = told(written(tmp_path, *values))

    assert document["quantity"] == quantity
    assert verdicts(document).count("suspect") == suspect
    assert document["unit"] == "kWh"


def test_a_reset_that_persists_asks_and_books_nothing(tmp_path: Path) -> None:
    document = told(written(tmp_path, "100", "100.1", "100.2", "0", "0.1", "0.2", "0.3"))

    assert document["quantity"] == "0.2"
    assert verdicts(document) == ["good"] * 3 + ["suspect"] * 4
    assert "was it reset" in document["question"]


def test_the_document_states_everything_that_the_figures_rest_on(tmp_path: Path) -> None:
    document = told(written(tmp_path, "5000", "180.1", "180.2", "180.4", "180.5"), *SDM)

    assert (document["type"], document["register"]) == ("eastron-sdm120", "import_energy")
    assert (document["start"], document["end"]) == ("2025-12-31T16:45:00Z", "2025-12-31T17:00:00Z")
    assert document["billable"] is True
    assert document["readings"][0] == {
        "time": "2025-12-31T16:00:00Z",
        "value": "5000",
        "verdict": "good",
        "reasons": ["unconfirmed"],
        "later": "disproved",
    }
    assert document["readings"][3]["reasons"] == ["restarted"]
    assert (document["findings"], document["question"]) == ([], None)


def test_a_multiplier_multiplies_exactly(tmp_path: Path) -> None:
    path = written(tmp_path, "100", "100.1", "100.2")

    assert told(path, *SDM, "--multiplier", "37.5")["quantity"] == "7.5"


def test_what_nothing_confirms_is_counted_but_not_billable(tmp_path: Path) -> None:
    document = told(written(tmp_path, "100", "100.1"))

    assert (document["quantity"], document["billable"]) == ("0.1", False)
    assert {each["kind"] for each in document["findings"]} == {"Unconfirmed"}


def test_a_register_that_never_bills_is_told_so(tmp_path: Path) -> None:
    document = told(
        written(tmp_path, "230", "231"), "--type", "eastron-sdm630", "--register", "voltage_l1"
    )

    assert document["quantity"] is None
    assert [each["kind"] for each in document["findings"]] == ["NotABillingRegister"]


@pytest.mark.parametrize("values", [("100",), ("", ""), ("-1", "-2")])
def test_fewer_than_two_readings_give_no_usage(tmp_path: Path, values: tuple[str, ...]) -> None:
    path = written(tmp_path, *values)

    assert told(path)["quantity"] is None
    assert "fewer than two readings stand" in run(path, *SDM).output


def test_the_history_that_the_documents_name_is_the_one_that_others_bill_wrongly() -> None:
    """Two zeros between counters became 81,250 kWh in a week elsewhere."""
    document = told(FOLDER.parents[1] / "docs" / "examples" / "glitches.csv")

    assert document["quantity"] == "1.69"
    assert verdicts(document).count("suspect") == 2


# --- for people -----------------------------------------------------------------------------------


def test_people_read_a_table_the_use_and_how_it_was_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "40482.83", "0.0", "40482.83", "0.0", "40484.52")

    result = run(path, *SDM, "--multiplier", "40")

    assert result.exit_code == 0
    assert re.search(r"2025-12-31T16:15:00Z +0 +suspect +falling: went down", result.output)
    assert "Used 67.6 kWh from 2025-12-31T16:00:00Z to 2025-12-31T17:00:00Z" in result.output
    assert "(40484.52 - 40482.83) x 40 = 67.6" in result.output


def test_people_read_what_they_are_asked_and_what_keeps_a_bill_from_being_made(
    tmp_path: Path,
) -> None:
    asked = run(written(tmp_path, "1", "1", "1", "500", "500", "500"), *SDM).output
    early = run(written(tmp_path, "1", "1.5"), *SDM).output

    assert "question: import_energy of meter history showed 1" in asked
    assert "no bill yet: meter history showed 1 " in early


def test_a_rollover_shows_its_modulus(tmp_path: Path) -> None:
    output = run(written(tmp_path, "999999.7", "999999.8", "999999.9", "0.3"), *SDM).output

    assert "(0.3 - 999999.7 + 1000000) x 1 = 0.6" in output
    assert "passed its last digit" in output


def test_the_table_fits_a_narrow_terminal(tmp_path: Path) -> None:
    output = run(written(tmp_path, "100", "0", "100.2"), *SDM, wide=False).output

    assert max(map(len, output.splitlines()[:4])) <= 80


def test_every_reason_is_said_in_words() -> None:
    assert set(WHY) == set(Reason)


# --- own types ------------------------------------------------------------------------------------


def test_own_types_go_before_the_shipped_ones(tmp_path: Path) -> None:
    types = tmp_path / "types"
    types.mkdir()
    text = (FOLDER / "eastron-sdm120.toml").read_text("utf-8")
    (types / "eastron-sdm120.toml").write_text(text.replace("digits = 8", "digits = 7"), "utf-8")
    path = written(tmp_path, "99999.9", "0.3")

    assert told(path)["quantity"] is None
    assert told(path, *SDM, "--types", str(types))["quantity"] == "0.4"


def test_an_own_type_that_does_not_hold_is_refused_with_its_problem(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text('kind = "meter-type"\n', "utf-8")

    result = run(written(tmp_path, "1"), *SDM, "--types", str(tmp_path))

    assert result.exit_code == 1
    assert "broken.toml" in result.output


# --- what is wrong with what was given ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "line 1: expected the columns time,value, got nothing"),
        ("time;value\n", "line 1: expected the columns time,value, got time;value"),
        ("value,when\n", "line 1: expected the columns time,value, got value, when"),
        ("time,value,raw\n", "got time, value, raw"),
        ("time,value\n", "lists no reading"),
        (
            "time,value\n2026-01-01T00:00:00,1\n",
            "time '2026-01-01T00:00:00': it has no zone",
        ),
        ("time,value\n\nsoon,1\n", "line 3: time 'soon': it is no time"),
        ("time,value\n2026-01-01T00:00:00Z,1 kWh\n", "line 2: value '1 kWh' is no number"),
        ('time,value\n2026-01-01T00:00:00Z,"1,5"\n', "line 2: value '1,5' is no number"),
        ("time,value\n2026-01-01T00:00:00Z,1,5\n", "line 2: expected 2 columns, got 3"),
        ("time,value\n2026-01-01T00:00:00Z\n", "line 2: expected 2 columns, got 1"),
        ("time,value\n2026-01-01T00:00:00Z,1e30\n", "more than an archive can hold"),
        ("time,value\n2026-01-01T00:00:00Z,1e-99\n", "too many decimals"),
        ("time,value\n0001-01-01T00:00:00+08:00,1\n", "beyond every calendar"),
        ('time,value\n2026-01-01T00:00:00Z,"1\n', "not CSV"),
    ],
)
def test_a_list_that_cannot_be_read_says_where_and_why(
    tmp_path: Path, text: str, what: str
) -> None:
    path = tmp_path / "history.csv"
    path.write_text(text, "utf-8")

    result = run(path, *SDM)

    assert result.exit_code == 1
    assert what in result.output.replace("\n", " ")


def test_a_list_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes("time,value\n电表".encode("gbk"))

    result = run(path, *SDM)

    assert result.exit_code == 1
    assert "is not UTF-8 text" in result.output


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    rows = [f"{value},{quarter(index)}" for index, value in enumerate(("1", " 1.5 ", "2"))]
    path.write_bytes(("\ufeffValue, Time\r\n" + "\r\n".join(rows) + "\r\n\r\n").encode())

    assert told(path)["quantity"] == "1"


@pytest.mark.parametrize(
    ("options", "status", "what"),
    [
        (("--type", "eastron-sdm12", "--register", "import_energy"), 1, "known are "),
        (("--type", "zzz", "--register", "import_energy"), 1, "there is no meter type 'zzz'"),
        (("--type", "eastron-sdm120", "--register", "energy"), 1, "import_energy, export_energy"),
        ((*SDM, "--multiplier", "0"), 2, "no number above zero"),
        ((*SDM, "--multiplier", "NaN"), 2, "no number above zero"),
        ((*SDM, "--multiplier", "many"), 2, "no number above zero"),
        (("--register", "import_energy"), 2, "--type"),
    ],
)
def test_options_that_are_wrong_say_what_would_be_right(
    tmp_path: Path, options: tuple[str, ...], status: int, what: str
) -> None:
    result = run(written(tmp_path, "1", "2"), *options)

    assert result.exit_code == status
    assert what in result.output
