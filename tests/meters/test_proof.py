"""Proofs: a type loads only where captured answers give the stated values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meters.definition import DefinitionError
from meters.proof import load_meter_types

if TYPE_CHECKING:
    from pathlib import Path

MODBUS = """
kind = "meter-type"
id = "meter-1"
name = "Meter 1"
manufacturer = "Maker"
medium = "electricity"
modbus = { function = 4, order = "ABCD" }

[register.total]
kind = "partial"
unit = "kWh"
address = 342
type = "float32"
resolution = "0.01"
max_rate = 75

[register.energy]
kind = "total"
unit = "kWh"
address = 72
type = "float32"
resolution = "0.01"
max_rate = 75

[[proof]]
kind = "capture"
source = "a capture"
"""
MQTT = """
kind = "meter-type"
id = "meter-2"
name = "Meter 2"
manufacturer = "Maker"
medium = "water"
mqtt = { identity = "/id" }
register.volume = { kind = "total", unit = "L", pointer = "/total", resolution = 1, max_rate = 9 }

[[proof]]
kind = "capture"
source = "a capture"
"""
SOURCE = 'kind = "capture"\nsource = "another"'
GOOD = 'frame = "01 04 04 46 2a 75 21 29 8c"\nexpect = { energy = "10909.28" }'


def load(folder: Path, text: str) -> None:
    path = folder / "m.toml"
    path.write_text(text, "utf-8")
    load_meter_types(path)


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        load(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    "proof",
    [
        GOOD,
        'words = "462a 7521"\nexpect = { energy = 10909.28 }',
        'words = "462a7521 462a7522"\nat = 70\nexpect = { energy = 10909.28 }',
        'words = "0000 462A 7521"\nat = 71\nexpect = { energy = "10909.280" }',
        # the first word stands at the lowest register that is expected
        f'words = "462a 7521"\nexpect = {{ total = 10909.28 }}\n[[proof]]\n{SOURCE}\n{GOOD}',
    ],
)
def test_a_type_whose_proof_holds_loads(tmp_path: Path, proof: str) -> None:
    load(tmp_path, MODBUS + proof)


@pytest.mark.parametrize(
    ("proof", "message"),
    [
        (
            GOOD.replace("10909.28", "10909.29"),
            (
                "m.toml: proof[1].expect.energy: the captured answer decodes to another value "
                "(expected 10909.29, got 10909.28 (raw 462a 7521))"
            ),
        ),
        (
            'words = "7521 462a"\nexpect = { energy = "10909.28" }',
            (
                "m.toml: proof[1].expect.energy: the captured answer decodes to another value "
                "(expected 10909.28, got out-of-range (raw 7521 462a); "
                'order = "CDAB" would be right)'
            ),
        ),
        (
            'words = "7fc0 0000"\nexpect = { energy = 0 }',
            (
                "m.toml: proof[1].expect.energy: the captured answer decodes to another value "
                "(expected 0, got not-a-number (raw 7fc0 0000))"
            ),
        ),
        (
            'words = "462a 7521"\nat = 73\nexpect = { energy = "10909.28" }',
            (
                "m.toml: proof[1].expect.energy: the captured answer decodes to another value "
                "(expected 10909.28, got nothing: it is not in the proof, whose words stand from "
                "0x0049 to 0x004a, and it at 0x0048)"
            ),
        ),
        (
            GOOD.replace("8c", "8d"),
            "m.toml: proof[1]: cannot be decoded: CRC is 8d29, the bytes give 8c29",
        ),
        (
            'frame = "01 84 02 c2 c1"\nexpect = { energy = 0 }',
            "m.toml: proof[1]: cannot be decoded: unit 1 answered exception 2 to function 4",
        ),
        (
            'frame = "01 03 04 42 48 1e b8 67 8f"\nexpect = { energy = "50.03" }',
            "m.toml: proof[1]: cannot be decoded: answers function 3, the type reads with 4",
        ),
        (
            'frame = "01 04 0x"\nexpect = { energy = 0 }',
            "m.toml: proof[1]: cannot be decoded: non-hexadecimal number found in fromhex() arg",
        ),
        (
            'words = "462a 75"\nexpect = { energy = 0 }',
            "m.toml: proof[1]: cannot be decoded: '462a 75' is not a whole number of 16-bit words",
        ),
    ],
)
def test_a_type_whose_proof_fails_does_not_load(tmp_path: Path, proof: str, message: str) -> None:
    [problem] = refused(tmp_path, MODBUS + proof)

    assert problem.startswith(message)


def test_an_address_as_manuals_number_it_is_told_what_it_is_on_the_wire(tmp_path: Path) -> None:
    text = MODBUS.replace("address = 72", "address = 40073")

    [problem] = refused(tmp_path, f'{text}words = "462a 7521"\nat = 72\nexpect = {{ energy = 1 }}')

    assert "and it at 0x9c89; what a manual numbers 40073 is 0x0048 on the wire)" in problem


def test_a_display_with_fewer_digits_than_it_shows_is_refused(tmp_path: Path) -> None:
    head, energy = MODBUS.split("[register.energy]")
    text = f"{head}[register.energy]\ndigits = DIGITS{energy}{GOOD}"
    load(tmp_path, text.replace("DIGITS", "7"))

    [problem] = refused(tmp_path, text.replace("DIGITS", "6"))

    assert problem == (
        "m.toml: proof[1].expect.energy: it shows 10909.28, but by its digits, 6, it wraps to 0 at "
        "10000 kWh; count those of the display, decimals included"
    )


def test_every_failing_value_of_every_proof_is_said(tmp_path: Path) -> None:
    second = 'words = "0000 0000"\nexpect = { energy = 1, total = 2 }'

    problems = refused(tmp_path, f"{MODBUS}{GOOD}\n[[proof]]\n{SOURCE}\n{second}")

    assert [problem.split(": ")[1] for problem in problems] == [
        "proof[2].expect.energy",
        "proof[2].expect.total",
    ]


def test_a_payload_proves_in_the_canonical_unit(tmp_path: Path) -> None:
    load(tmp_path, MQTT + """payload = '{"id":"1","total":6408}'\nexpect = { volume = "6.408" }""")


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (
            '{"id":"1","total":6408}',
            (
                "proof[1].expect.volume: the captured answer decodes to another value "
                "(expected 1, got 6.408 (raw 6408))"
            ),
        ),
        ('{"id":"1"}', "proof[1]: cannot be decoded: /total is not in the payload"),
        ('{"id":"1"', "proof[1]: cannot be decoded: not JSON: "),
        ('{"total":1}', "proof[1]: cannot be decoded: /id is not in the payload"),
        ('{"id":"1","total":"1"}', "proof[1]: cannot be decoded: /total must be a number"),
    ],
)
def test_a_payload_that_proves_nothing_is_refused(
    tmp_path: Path, payload: str, message: str
) -> None:
    [problem] = refused(tmp_path, f"{MQTT}payload = '{payload}'\nexpect = {{ volume = 1 }}")

    assert problem.startswith(f"m.toml: {message}")


SUMMED = """
kind = "meter-type"
id = "meter-3"
name = "Meter 3"
manufacturer = "Maker"
medium = "electricity"
modbus = { function = 3 }
check = [{ total = "total", parts = ["import", "export"], tolerance = 0 }]
register.total = { kind = "total", unit = "kWh", address = 0, type = "uint16", max_rate = 9 }
register.import = { kind = "total", unit = "kWh", address = 1, type = "uint16", max_rate = 9 }
register.export = { kind = "total", unit = "kWh", address = 2, type = "uint16", max_rate = 9 }
variant.other = { register = { export = { address = 3 } } }

[[proof]]
kind = "capture"
source = "a capture of the type itself"
words = "0007 0004 0003 0000"
expect = { total = 7, import = 4, export = 3 }

[[proof]]
kind = "capture"
source = "a capture of the variant"
variant = "other"
words = "0007 0004 0000 0003"
"""


def test_a_variant_adds_up_only_what_its_proof_shows(tmp_path: Path) -> None:
    load(tmp_path, SUMMED + "expect = { total = 7, import = 4, export = 3 }")


def test_a_proof_whose_registers_do_not_add_up_is_refused(tmp_path: Path) -> None:
    text = SUMMED.replace("0007 0004 0000", "0008 0004 0000")

    [problem] = refused(tmp_path, text + "expect = { total = 8, import = 4, export = 3 }")

    assert problem == (
        "m.toml: variant.other.proof[1]: import + export is not total "
        "(expected at most 0 apart, got 1)"
    )


IDENTIFIED = """
kind = "meter-type"
id = "meter-4"
name = "Meter 4"
manufacturer = "Maker"
medium = "electricity"

[register.energy]
kind = "total"
unit = "kWh"
address = 72
type = "uint32"
sentinels = ["ffffffff"]
max_rate = 9

[modbus]
function = 4
identity = { address = 78, type = "uint32", function = 3 }

[[proof]]
kind = "manual"
source = "a manual"
words = "0000 0007"
expect = { energy = 7 }

[[proof]]
kind = "capture"
source = "a capture"
"""


@pytest.mark.parametrize(
    "proof",
    [
        'words = "00bc 614e"\nidentity = "12345678"',
        'frame = "01 03 04 00 bc 61 4e 92 73"\nidentity = "12345678"',
        'words = "ffff ffff"\nexpect = { energy = "sentinel" }',
        (
            'words = "0000 0007 0000 0000 0000 0000 00bc 614e"\n'
            'expect = { energy = 7 }\nidentity = "12345678"'
        ),
    ],
)
def test_a_number_and_a_fault_are_proven_as_values_are(tmp_path: Path, proof: str) -> None:
    load(tmp_path, IDENTIFIED + proof)


@pytest.mark.parametrize(
    ("proof", "message"),
    [
        (
            'words = "00bc 614e"\nidentity = "12345679"',
            (
                "proof[2].identity: the captured answer states another identity "
                "(expected 12345679, got 12345678)"
            ),
        ),
        (
            'frame = "01 04 04 46 2a 75 21 29 8c"\nidentity = "12345678"',
            "proof[2]: cannot be decoded: answers function 4, the type reads with 3",
        ),
        (
            'words = "00bc"\nidentity = "12345678"',
            "proof[2]: cannot be decoded: 1 words, where the meter's number has 2",
        ),
        (
            'words = "ffff ffff"\nexpect = { energy = 7 }',
            (
                "proof[2].expect.energy: the captured answer decodes to another value "
                "(expected 7, got sentinel (raw ffff ffff))"
            ),
        ),
        (
            'words = "0000 0007"\nexpect = { energy = "sentinel" }',
            (
                "proof[2].expect.energy: the captured answer decodes to another value "
                "(expected sentinel, got 7 (raw 0000 0007))"
            ),
        ),
        (
            'words = "ffff ffff"\nexpect = { energy = "not-a-number" }',
            (
                "proof[2].expect.energy: the captured answer decodes to another value "
                "(expected not-a-number, got sentinel (raw ffff ffff))"
            ),
        ),
    ],
)
def test_a_number_or_fault_that_is_another_is_refused(
    tmp_path: Path, proof: str, message: str
) -> None:
    assert refused(tmp_path, IDENTIFIED + proof) == [f"m.toml: {message}"]


def test_a_fault_alone_proves_no_register(tmp_path: Path) -> None:
    text = IDENTIFIED.replace("0000 0007", "ffff ffff").replace("energy = 7", 'energy = "sentinel"')

    assert refused(tmp_path, text + 'words = "00bc 614e"\nidentity = "12345678"') == [
        "m.toml: register.energy: no proof shows a value of it; add a [[proof]] that expects one"
    ]


def test_registers_that_a_proof_holds_must_add_up_even_where_it_does_not_name_them(
    tmp_path: Path,
) -> None:
    text = SUMMED.partition("variant.other")[0]
    proof = 'kind = "capture"\nsource = "a capture"\n'

    [problem] = refused(
        tmp_path,
        f'{text}\n[[proof]]\n{proof}words = "0007 0004 0003"\n'
        "expect = { total = 7, import = 4, export = 3 }\n"
        f'[[proof]]\n{proof}words = "0007 0004 0004"\nexpect = {{ total = 7 }}',
    )

    assert problem.startswith("m.toml: proof[2]: import + export is not total (expected at most 0")


DATED = MQTT.replace('"/id" }', '"/id", time = "/at", time_format = "unix" }')
SENT = 'payload = \'{"id":"1","at":1772366400,"total":6408}\'\nexpect = { volume = "6.408" }\n'


@pytest.mark.parametrize(
    "time", ["2026-03-01T12:00:00Z", "2026-03-01T20:00:00+08:00", '"2026-03-01T12:00:00Z"']
)
def test_a_time_is_proven_as_values_are(tmp_path: Path, time: str) -> None:
    load(tmp_path, f"{DATED}{SENT}time = {time}")


@pytest.mark.parametrize(
    ("proof", "message"),
    [
        (
            f"{SENT}time = 2026-03-01T12:00:01Z",
            (
                "proof[1].time: the captured answer states another time "
                "(expected 2026-03-01 12:00:01+00:00, got 2026-03-01 12:00:00+00:00)"
            ),
        ),
        (f"{SENT}time = 2026-03-01T12:00:00", "proof[1].time: Input should have timezone info"),
    ],
)
def test_another_time_is_refused(tmp_path: Path, proof: str, message: str) -> None:
    [problem] = refused(tmp_path, DATED + proof)

    assert problem.startswith(f"m.toml: {message}")


def test_words_state_no_time(tmp_path: Path) -> None:
    [problem] = refused(tmp_path, f"{MODBUS}{GOOD}\ntime = 2026-03-01T12:00:00Z")

    assert problem == "m.toml: proof[1]: only a payload states a time"
