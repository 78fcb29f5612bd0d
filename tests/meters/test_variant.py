"""Variants: a type of their own each, proven by their own proofs and by those that still fit."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from meters.definition import DefinitionError
from meters.proof import parse_meter_types
from meters.words import WordOrder

if TYPE_CHECKING:
    from meters.meter_type import MeterType

FILE = """
kind = "meter-type"
id = "meter-1"
name = "Meter 1"
manufacturer = "Maker"
medium = "electricity"
aliases = ["M1"]
caveats = ["Mind the step"]
check = [{ total = "total", parts = ["import", "export"], tolerance = 0 }]

[modbus]
function = 3
max_words = 80
identity = { address = 100, type = "uint32" }

[register]
total = { kind = "total", unit = "kWh", address = 0, type = "uint16", max_rate = 9 }
import = { kind = "total", unit = "kWh", address = 1, type = "uint16", max_rate = 9 }
export = { kind = "total", unit = "kWh", address = 2, type = "uint16", max_rate = 9 }

[[proof]]
kind = "capture"
source = "a capture of the type itself"
words = "0007 0004 0003"
expect = { total = 7, import = 4, export = 3 }
"""
MOVED = '[variant.v2]\nregister.export = { address = 9, scale = "0.1" }\n'
PROVEN = """
[[proof]]
kind = "capture"
source = "a capture of the variant"
variant = "v2"
words = "0041"
expect = { export = "6.5" }
"""


def types(text: str) -> tuple[MeterType, ...]:
    return parse_meter_types(tomllib.loads(FILE + text, parse_float=Decimal), "m.toml")


def refused(text: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        types(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_variant_is_a_type_of_its_own_beside_the_type() -> None:
    itself, variant = types(MOVED + PROVEN)

    assert [itself.id, variant.id] == ["meter-1", "meter-1-v2"]
    assert [itself.name, variant.name] == ["Meter 1", "Meter 1 (v2)"]
    assert [itself.variant_of, variant.variant_of] == [None, "meter-1"]
    assert variant.manufacturer == "Maker"
    assert variant.aliases == ()
    assert variant.caveats == ("Mind the step",)


def test_a_variant_differs_key_by_key() -> None:
    itself, variant = types(MOVED + PROVEN)
    before, after = itself.registers["export"], variant.registers["export"]

    assert (before.address, after.address) == (2, 9)
    assert (before.scale, after.scale) == (Decimal(1), Decimal("0.1"))
    assert (after.kind, after.type, after.max_rate) == (before.kind, before.type, before.max_rate)
    assert variant.registers["import"] == itself.registers["import"]
    assert list(variant.registers) == list(itself.registers)


def test_a_variant_may_be_reached_in_another_way_and_bear_another_name() -> None:
    text = (
        '[variant.v2]\nname = "Meter 1 of 2020"\naliases = ["M1b"]\ncaveats = ["Rare"]\n'
        'modbus = { max_words = 10, serial = "2400 8E1", identity = { address = 200 } }'
    )
    itself, variant = types(text)

    assert (variant.name, variant.aliases) == ("Meter 1 of 2020", ("M1b",))
    assert variant.caveats == ("Mind the step", "Rare")
    assert variant.modbus is not None
    assert itself.modbus is not None
    assert variant.modbus.identity is not None
    assert (variant.modbus.function, variant.modbus.max_words) == (3, 10)
    assert (variant.modbus.identity.address, variant.modbus.identity.after) == (200, 202)
    assert (itself.modbus.max_words, itself.modbus.serial) == (80, None)


def test_what_a_variant_lacks_is_neither_proven_nor_added_up() -> None:
    itself, variant = types('[variant.v2]\nwithout = ["export"]')

    assert list(variant.registers) == ["total", "import"]
    assert (len(itself.check), variant.check) == (1, ())
    assert [proof.expect for proof in variant.proof] == [{"total": 7, "import": 4}]


def test_a_variant_may_add_a_register_and_a_check_of_its_own() -> None:
    text = """
[variant.v2]
register.import_t1 = { kind = "tariff", unit = "kWh", address = 50, type = "bcd32", max_rate = 9 }
check = [{ total = "import", parts = ["import_t1"], tolerance = 1 }]

[[proof]]
kind = "manual"
source = "a manual"
variant = "v2"
words = "0000 0123"
expect = { import_t1 = 123 }
"""
    _, variant = types(text)

    assert list(variant.registers)[-1] == "import_t1"
    assert [check.parts for check in variant.check] == [("import_t1",)]


def test_a_proof_of_the_type_proves_only_what_a_variant_reads_likewise() -> None:
    assert refused(MOVED) == [
        (
            "m.toml: variant.v2.register.export: no proof shows a value of it; add a [[proof]] "
            "that expects one"
        )
    ]
    _, variant = types(MOVED + PROVEN)

    assert [proof.expect for proof in variant.proof] == [
        {"export": Decimal("6.5")},
        {"total": 7, "import": 4},
    ]
    assert [proof.at for proof in variant.proof] == [None, 0]


@pytest.mark.parametrize("difference", ["function = 4", 'order = "DCBA"'])
def test_nothing_is_proven_for_a_variant_that_reads_everything_otherwise(difference: str) -> None:
    problems = refused(f"[variant.v2]\nmodbus = {{ {difference} }}")

    assert [problem.split(": ")[1] for problem in problems] == [
        "variant.v2.register.total",
        "variant.v2.register.import",
        "variant.v2.register.export",
    ]


def test_another_order_of_the_type_leaves_registers_that_state_their_own() -> None:
    text = FILE.replace('"uint16", ', '"uint16", order = "ABCD", ')
    document = tomllib.loads(f'{text}\n[variant.v2]\nmodbus.order = "CDAB"')
    _, variant = parse_meter_types(document, "m.toml")

    assert variant.order_of(variant.registers["total"]) is WordOrder.ABCD
    assert len(variant.proof) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MOVED + PROVEN.replace("6.5", "6.4"), "variant.v2.proof[1].expect.export: the captured"),
        ("[variant.v2]\nwithout = ['l1']", "variant.v2.without: there is no register 'l1' to be"),
        (
            "[variant.v2]\nwihtout = ['l1']",
            "variant.v2.wihtout: unknown key; did you mean 'without'?",
        ),
        ("[variant.V2]\ncaveats = ['x']", "variant.V2.id: String should match pattern"),
        (
            "[variant.v2]\nregister.total.adress = 9",
            "variant.v2.register.total.adress: unknown key",
        ),
        (
            "[variant.v2]\nregister.total.address = 1",
            "variant.v2: registers 'total' and 'import' stan",
        ),
        ("[variant.v2]\nregister.x.address = 9", "variant.v2.register.x.kind: is missing"),
        (
            "[variant.v2]\nmqtt.time = '/t'",
            "variant.v2: state one of [modbus], [mqtt] and [lorawan]",
        ),
        ("[variant]\nv2 = 3", "variant.v2: Input should be a valid dictionary or instance of Vari"),
        ("[[variant]]\nv2 = 3", "variant: Input should be a valid dictionary, got [{'v2': 3}]"),
        (PROVEN, "proof[2].variant: there is no [variant.v2]"),
    ],
)
def test_a_mistake_in_a_variant_is_named_where_it_stands(text: str, message: str) -> None:
    assert any(problem.startswith(f"m.toml: {message}") for problem in refused(text))


def test_what_is_wrong_with_the_type_is_said_once_and_not_for_each_variant() -> None:
    text = FILE.replace("expect = { total = 7", "expect = { total = 8")

    with pytest.raises(DefinitionError) as caught:
        parse_meter_types(tomllib.loads(text + "\n[variant.v2]"), "m.toml")

    assert [problem.where for problem in caught.value.problems] == ["proof[1].expect.total"]
