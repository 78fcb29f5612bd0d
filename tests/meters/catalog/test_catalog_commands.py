"""`tallygate meters list, new, check, decode`: what a person and a program get, and exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from gateway.bench.commands import meters
from meters.catalog import FOLDER, shipped

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

NEW = (
    "--name", "My meter", "--manufacturer", "Me", "--medium", "electricity", "--way", "modbus",
    "--function", "4", "--order", "ABCD", "--register",
    "import_energy kind=total unit=kWh address=0x48 type=float32 resolution=0.01 max_rate=15",
)  # fmt: skip


def run(*arguments: str, told: str | bytes | None = None) -> Result:
    return CliRunner().invoke(meters, arguments, input=told)


def said(*arguments: str, told: str | bytes | None = None) -> Any:
    result = run(*arguments, "--json", told=told)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_list_names_every_type_and_variant() -> None:
    assert [each["id"] for each in said("list")] == list(shipped())
    lines = run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["TYPE", *shipped()]


def test_the_list_is_narrowed_by_other_names_medium_and_way() -> None:
    assert "eastron-sdm120" in {each["id"] for each in said("list", "SDM120ct")}
    water = said("list", "--medium", "water", "--way", "lorawan")
    assert water
    assert {(each["medium"], each["way"]) for each in water} == {("water", "lorawan")}


def test_nothing_found_is_a_failure_that_says_what_to_do() -> None:
    result = run("list", "no such maker")

    assert result.exit_code == 1
    assert "tallygate meters new" in result.stderr


@pytest.mark.parametrize("type_id", sorted(shipped()))
def test_a_data_sheet_has_every_register_and_every_caveat(type_id: str) -> None:
    meter_type = shipped()[type_id]
    result = run("show", type_id)

    assert result.exit_code == 0
    for part in (*meter_type.registers, *meter_type.caveats):
        assert part in result.stdout
    assert ("requests: " in result.stdout) is (meter_type.modbus is not None)


def test_a_data_sheet_for_programs_counts_the_requests() -> None:
    shown = said("show", "eastron-sdm120")

    assert shown["requests"] == {"billing": 1, "all": 1}
    assert shown["register"]["import_energy"]["max_rate"] == "15"


def test_a_check_says_what_shows_each_register() -> None:
    (shown,) = said("check", str(FOLDER / "eastron-sdm120.toml"))

    assert shown["ok"]
    registers = shown["types"][0]["registers"]
    assert registers["import_energy"][0]["value"] == "10909.28"
    assert registers["import_energy"][0]["kind"] == "capture"
    assert registers["voltage"] == []
    text = run("check", str(FOLDER / "eastron-sdm120.toml")).stdout
    assert "not proven; no bill rests on it" in text


def test_a_check_that_fails_says_expected_and_actual(tmp_path: Path) -> None:
    text = (FOLDER / "eastron-sdm120.toml").read_text("utf-8")
    (tmp_path / "off.toml").write_text(text.replace('"10909.28"', '"109.28"'), "utf-8")

    result = run("check", str(tmp_path))

    assert result.exit_code == 1
    assert "(expected 109.28, got 10909.28 (raw 462a 7521))" in result.stdout


def test_an_empty_folder_has_nothing_to_check(tmp_path: Path) -> None:
    result = run("check", str(tmp_path))

    assert result.exit_code == 1
    assert "holds no .toml file" in result.stderr


def test_new_writes_a_file_and_leaves_what_is_there_alone(tmp_path: Path) -> None:
    file = tmp_path / "types" / "my-meter.toml"

    assert run("new", str(file), *NEW).exit_code == 0
    text = file.read_text("utf-8")
    assert 'id = "my-meter"' in text
    assert "address = 0x0048" in text

    again = run("new", str(file), *NEW)
    assert again.exit_code == 1
    assert "exists, and is left as it is" in again.stderr
    assert file.read_text("utf-8") == text


def test_new_asks_for_what_it_is_not_told(tmp_path: Path) -> None:
    told, asked = tmp_path / "a" / "my.toml", tmp_path / "b" / "my.toml"
    run("new", str(told), *NEW)
    answers = (
        "My meter", "Me", "electricity", "modbus", "4", "ABCD",
        "import_energy", "total", "gallon", "0x48", "float32", "0.01", "", "15",
        "import_energy", "total", "kWh", "0x48", "float32", "0.01", "", "15", "",
    )  # fmt: skip

    result = run("new", str(asked), told="\n".join(answers) + "\n")

    assert result.exit_code == 0, result.output
    assert "unknown unit 'gallon'" in result.stdout
    assert asked.read_text("utf-8") == told.read_text("utf-8")


@pytest.mark.parametrize(
    ("file", "arguments", "said"),
    [
        ("my-meter", NEW, "a meter type is a .toml file"),
        ("My.toml", NEW, "id: "),
        ("my.toml", (*NEW[:-1], "x"), "--register: "),
        ("my.toml", (*NEW[:7], "mqtt", *NEW[8:]), "--function is for meters on Modbus"),
    ],
)
def test_new_says_what_it_cannot_write(
    tmp_path: Path, file: str, arguments: tuple[str, ...], said: str
) -> None:
    result = run("new", str(tmp_path / file), *arguments)

    assert result.exit_code == 1
    assert said in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_payload_from_standard_input_is_decoded() -> None:
    proof = shipped()["wmbusmeters-water"].proof[0]
    shown = said("decode", "wmbusmeters-water", "--payload", "-", told=proof.payload)

    values = {name: each["value"] for name, each in shown["registers"].items()}
    assert {name: str(value) for name, value in proof.expect.items()}.items() <= values.items()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["eastron-sdm120"], 2, "give one of --words"),
        (["eastron-sdm120", "--words", "zz", "--at", "0"], 1, "not hexadecimal"),
        (["eastron-sdm120", "--frame", "010404462a7521298d", "--at", "0"], 1, "CRC is"),
        (["eastron-sdm120", "--words", "00", "--at", "nowhere"], 2, "write 72 or 0x0048"),
        (["eastron-sdm120", "--payload", "-"], 1, "is on Modbus"),
        (["wmbusmeters-water", "--words", "0000"], 1, "give --payload"),
        (["eastron-sdm120", "--register", "voltage", "--payload", "-"], 1, "--words are; give"),
        (["eastron-sdm120", "--register", "volt", "--words", "0000"], 1, "no register 'volt'"),
        (["wmbusmeters-water", "--payload", "-"], 1, "it cannot be decoded"),
        (["homie-water", "--payload", "-", "--subtopic", "other"], 1, "no message of homie-water"),
        (["no-type", "--words", "0000"], 1, "there is no meter type 'no-type'"),
    ],
)
def test_what_cannot_be_decoded_says_why(arguments: list[str], status: int, said: str) -> None:
    result = run("decode", *arguments, told="not JSON")

    assert result.exit_code == status
    assert said in result.stderr
