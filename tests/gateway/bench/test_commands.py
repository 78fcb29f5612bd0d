"""`tallygate meters read, dump, scan` at real lines: TCP, RTU over TCP and a serial port."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from simulator_process import running

from gateway.bench.commands import meters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

SIMULATED = ("--number", "12345678", "--unit", "3", "--port", "0")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(meters, arguments)


def said(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running("meter", "eastron-sdm120", *SIMULATED, "--first", "10909.28") as process:
        yield f"tcp://127.0.0.1:{process.said['lines'][0]['port']}"


def test_a_meter_is_read_over_tcp(address: str) -> None:
    shown = said("read", address, "--type", "eastron-sdm120", "--unit", "3")

    assert shown["identity"] == "12345678"
    assert shown["sound"]
    energy = shown["registers"]["import_energy"]
    assert Decimal(energy["value"]) > Decimal("10909.28")
    assert (energy["unit"], energy["verdict"], energy["reasons"]) == ("kWh", "good", [])
    assert shown["requests"] == 2
    assert (shown["refused"], shown["violated"]) == ({}, [])


def test_a_person_sees_value_unit_raw_words_and_verdict(address: str) -> None:
    result = run("read", address, "--type", "eastron-sdm120", "--unit", "3")

    assert result.exit_code == 0
    heading, energy, *_, number, count = result.stdout.splitlines()
    assert heading.split() == ["REGISTER", "VALUE", "UNIT", "RAW", "VERDICT"]
    assert energy.split()[0::2][:2] == ["import_energy", "kWh"]
    assert energy.split()[-1] == "good"
    assert number == "number: 12345678"
    assert count.startswith("2 requests, ")


@pytest.mark.parametrize(("framing", "type_id"), [("--rtu", "abb-b23"), ("--rtu", "hiking-dds238")])
def test_a_meter_is_read_by_rtu_over_tcp(framing: str, type_id: str) -> None:
    with running("meter", type_id, framing, "--port", "0") as process:
        port = process.said["lines"][0]["port"]
        shown = said("read", f"rtu://127.0.0.1:{port}", "--type", type_id)
        (found,) = said("scan", f"rtu://127.0.0.1:{port}", "--units", "1-2", "--timeout", "0.5")

    assert shown["sound"]
    assert (found["unit"], found["guesses"][0]["type"]) == (1, type_id)


def test_a_meter_is_read_at_a_serial_port(tmp_path: Path) -> None:
    link = str(tmp_path / "ttyMeter")
    with running("meter", "eastron-sdm630", "--pty", "--link", link):
        shown = said("read", link, "--type", "eastron-sdm630")
        words = said("dump", link, "--function", "4", "--start", "0", "--words", "2")

    assert shown["sound"]
    assert words["words"].keys() == {"0", "1"}


def test_the_number_on_the_plate_tells_another_meter(address: str) -> None:
    arguments = ("read", address, "--type", "eastron-sdm120", "--unit", "3", "--identity")

    assert run(*arguments, "12345678").exit_code == 0
    other = run(*arguments, "87654321")
    assert other.exit_code == 1
    assert "number: 12345678, not 87654321: this is another meter" in other.stdout
    assert other.stdout.count("invalid: identity") == 4


def test_what_a_meter_does_not_have_is_named_and_fails_where_bills_rest_on_it(
    address: str,
) -> None:
    result = run("read", address, "--type", "eastron-sdm72", "--unit", "3", "--json")

    shown = json.loads(result.stdout)
    assert "total_energy" in shown["refused"]
    assert "illegal data address" in shown["refused"]["total_energy"]
    wrong = run("read", address, "--type", "finder-7m38", "--unit", "3")
    assert wrong.exit_code == 1


def test_registers_that_contradict_each_other_are_said(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text(
        'kind = "faults"\n[[fault]]\nmeter = "*"\nkind = "spike"\nregisters = ["import_energy"]\n',
        "utf-8",
    )
    with running("meter", "hiking-dds238", "--port", "0", "--faults", str(faults)) as process:
        port = process.said["lines"][0]["port"]
        result = run("read", f"127.0.0.1:{port}", "--type", "hiking-dds238")

    assert result.exit_code == 1
    assert "suspect: cross-check" in result.stdout
    assert "contradiction: total_energy is not import_energy + export_energy: " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("read", "{}", "--type", "eastron-sdm120", "--unit", "9"), "no answer within 0.2 s"),
        (("dump", "{}", "--unit", "9", "--start", "0"), "no answer within 0.2 s"),
        (("scan", "{}", "--units", "8,9"), "none of 2 units answers"),
        (("dump", "{}", "--unit", "3", "--start", "0x300"), "has none of these addresses"),
    ],
)
def test_what_does_not_answer_is_a_failure(
    address: str, arguments: tuple[str, ...], what: str
) -> None:
    result = run(*(each.format(address) for each in arguments), "--timeout", "0.2")

    assert result.exit_code == 1
    assert what in result.stderr


def test_a_line_where_nobody_listens_says_what_to_look_at(free_port: Callable[[], int]) -> None:
    for command in (("read", "--type", "abb-b23"), ("scan",), ("dump", "--start", "0")):
        result = run(command[0], f"127.0.0.1:{free_port()}", *command[1:])
        assert result.exit_code == 1
        assert "check the address, the cable and the power" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("read", "x://y", "--type", "abb-b23"), "is no address of a line"),
        (("read", "x", "--type", "no-such"), "there is no meter type"),
        (("read", "x", "--type", "json-water"), "tallygate meters decode"),
        (("read", "x", "--type", "hiking-dds238", "--identity", "1"), "cannot be checked"),
        (("dump", "x", "--start", "0xffff"), "beyond the last address"),
        (("dump", "x", "--start", "0", "--words", "0"), "are none"),
        (("scan", "x", "--units", "0-3"), "unit ids go from 1 to 247"),
        (("scan", "x", "--units", "9-3"), "write 1-247"),
        (("scan", "x", "--units", "a"), "write 1-247"),
        (("scan", "/dev/ttyUSB0", "--line", "fast"), "is no serial line"),
    ],
)
def test_what_cannot_be_asked_says_what_can(arguments: tuple[str, ...], what: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 1
    assert what in result.stderr


def test_a_dump_is_a_table_and_a_proof_to_paste(address: str) -> None:
    arguments = ("--unit", "3", "--function", "4", "--start", "0x48", "--words", "6")
    result = run("dump", address, *arguments)

    assert result.exit_code == 0
    rows = result.stdout.splitlines()
    assert rows[0].split()[:3] == ["ADDRESS", "WORD", "uint16"]
    assert [row.split()[:2] for row in rows[1:5]] == [
        ["0x0048", "72"], ["0x0049", "73"], ["0x004a", "74"], ["0x004b", "75"],
    ]  # fmt: skip
    assert Decimal(rows[1].split()[7]) > Decimal("10909.28")
    assert "2 of 6 addresses are refused" in rows
    assert "at = 0x0048" in rows
    shown = said("dump", address, *arguments)
    assert shown["refused"] == [0x4C, 0x4D]


def test_a_scan_says_who_answers_and_shows_how_far_it_is(address: str) -> None:
    result = run("scan", address, "--units", "2-4", "--timeout", "0.5")

    assert result.exit_code == 0
    first = result.stdout.splitlines()[0]
    assert first.startswith("unit 3: eastron-sdm120 (")
    assert "states the number 12345678" in first
    assert "unit 2 (1 of 3)" in result.stderr


def test_a_scan_for_one_type_asks_for_that_alone(address: str) -> None:
    (found,) = said("scan", address, "--units", "3", "--type", "eastron-sdm120")

    assert [each["type"] for each in found["guesses"]] == ["eastron-sdm120"]
    assert found["requests"] <= 3
