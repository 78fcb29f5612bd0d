"""A type that was begun holds as soon as its proof is filled in, and not before."""

from __future__ import annotations

import tomllib
from decimal import Decimal

import pytest

from meters.catalog.draft import draft, parse_register
from meters.definition import DefinitionError
from meters.proof import parse_meter_types

HEAD = {"id": "own", "name": "Own", "manufacturer": 'A "B"', "medium": "electricity"}
MODBUS = {"modbus": {"function": 4, "order": "CDAB"}}
ENERGY = "import_energy kind=total unit=kWh address=0x48 type=float32 resolution=0.01 max_rate=15"

SCALED = (
    "import_energy kind=total unit=kWh address=0x48 type=uint32 max_rate=15 "
    "scale_factor.address=0x4c scale_factor.exponent=-3,0"
)


def test_a_range_that_is_none_says_how_to_write_it() -> None:
    with pytest.raises(ValueError, match="exponent must be two such as -3,3"):
        parse_register(SCALED.replace("-3,0", "-3,x"))
    with pytest.raises(ValueError, match="scale_factor is told twice"):
        parse_register(f"{SCALED} scale_factor=3 scale_factor.type=int16")


def begun(access: dict[str, dict[str, object]], *registers: str) -> str:
    return draft(HEAD, access, [parse_register(each) for each in registers], "own.toml")


def test_as_written_it_says_what_to_fill_in() -> None:
    with pytest.raises(DefinitionError) as raised:
        parse_meter_types(tomllib.loads(begun(MODBUS, ENERGY)), "own.toml")

    assert {each.where for each in raised.value.problems} == {
        "proof[1].source",
        "proof[1].expect.import_energy",
    }


@pytest.mark.parametrize(
    ("access", "register", "answer", "expected"),
    [
        (MODBUS, ENERGY, ('words = ""', 'words = "7521 462a"'), "10909.28"),
        (
            MODBUS,
            SCALED,
            ('words = ""', 'words = "e240 0001 0000 0000 fffe"'),
            "1234.56",
        ),
        (
            {"mqtt": {}},
            "volume kind=total unit=m3 topic=meter/total resolution=0.001 max_rate=5",
            ("payload = ''", "payload = '12.5'"),
            "12.5",
        ),
        (
            {"mqtt": {}},
            "volume kind=total unit=L pointer=/v resolution=1 max_rate=5000",
            ("payload = ''", "payload = '{\"v\": 1234}'"),
            "1.234",
        ),
        (
            {"lorawan": {}},
            "volume kind=total unit=L byte=1 type=uint32 order=DCBA max_rate=5000",
            ('bytes = ""', 'bytes = "01 d2040000"'),
            "1.234",
        ),
    ],
)
def test_it_holds_once_the_proof_is_filled_in(
    access: dict[str, dict[str, object]], register: str, answer: tuple[str, str], expected: str
) -> None:
    name = register.split(maxsplit=1)[0]
    text = (
        begun(access, register)
        .replace('source = ""', 'source = "the display"')
        .replace(*answer)
        .replace(f'{name} = ""', f'{name} = "{expected}"')
    )

    (meter_type,) = parse_meter_types(tomllib.loads(text), "own.toml")

    assert meter_type.manufacturer == 'A "B"'
    assert meter_type.proof[0].expect == {name: Decimal(expected)}


def test_registers_that_follow_one_another_share_a_proof_and_others_have_their_own() -> None:
    rest = "kind=tariff unit=kWh type=uint32 max_rate=15"
    text = begun(MODBUS, f"t1 address=2 {rest}", f"t2 address=4 {rest}", f"t3 address=9 {rest}")

    proofs = tomllib.loads(text)["proof"]

    assert [(each["at"], [*each["expect"]]) for each in proofs] == [(2, ["t1", "t2"]), (9, ["t3"])]


def test_a_gauge_needs_no_proof() -> None:
    text = begun(MODBUS, ENERGY, "voltage kind=gauge unit=V address=0 type=float32 resolution=0.1")

    assert [[*each["expect"]] for each in tomllib.loads(text)["proof"]] == [["import_energy"]]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("", "is no name of a register"),
        ("Import unit=kWh", "is no name of a register"),
        ("volume unit", "'unit' is not key=value"),
        ("volume kind=total unit=gallon address=1 type=uint32 max_rate=5", "unknown unit"),
        ("volume kind=total unit=m3 address=here type=uint32 max_rate=5", "a whole number"),
        ("volume kind=total unit=m3 address=1 type=uint32", "needs max_rate"),
        ("volume kind=total unit=m3 adress=1 type=uint32 max_rate=5", "did you mean 'address'"),
    ],
)
def test_a_register_that_cannot_be_says_why(told: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse_register(told)

    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("registers", "said"),
    [
        ((ENERGY, ENERGY), "is told twice"),
        ((ENERGY.replace("total", "gauge"),), "to bill from"),
        (("volume kind=total unit=m3 pointer=/v resolution=1 max_rate=5",), "do not match"),
    ],
)
def test_what_does_not_fit_together_is_refused(registers: tuple[str, ...], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        begun(MODBUS, *registers)
