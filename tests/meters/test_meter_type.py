"""Meter types: what a definition may say, and how it is told what it may not."""

from __future__ import annotations

import pickle
import re
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import meters
from meters.access import LorawanAccess, ModbusAccess, MqttAccess
from meters.captured_answer import Proof
from meters.definition import DefinitionError
from meters.meter_type import Check, Kind, MeterType, Register
from meters.proof import parse_meter_types, prove
from meters.variant import Variant
from meters.words import WordOrder

if TYPE_CHECKING:
    from pydantic import BaseModel

MODBUS: dict[str, Any] = {
    "kind": "meter-type",
    "id": "meter-1",
    "name": "Meter 1",
    "manufacturer": "Maker",
    "medium": "electricity",
    "modbus": {"function": 4, "order": "ABCD"},
    "register": {
        "import_energy": {
            "kind": "total",
            "unit": "kWh",
            "address": 72,
            "type": "float32",
            "resolution": "0.01",
            "digits": 8,
            "max_rate": "15",
        }
    },
    "proof": [
        {
            "kind": "capture",
            "source": "a capture",
            "frame": "01 04 04 46 2a 75 21 29 8c",
            "expect": {"import_energy": "10909.28"},
        }
    ],
}
MQTT: dict[str, Any] = {
    "kind": "meter-type",
    "id": "meter-2",
    "name": "Meter 2",
    "manufacturer": "Maker",
    "medium": "water",
    "mqtt": {"identity": "/id"},
    "register": {
        "volume": {
            "kind": "total",
            "unit": "m3",
            "pointer": "/total",
            "resolution": "0.001",
            "max_rate": "10",
        }
    },
    "proof": [
        {
            "kind": "capture",
            "source": "a capture",
            "payload": '{"id":"1","total":6.4}',
            "expect": {"volume": "6.4"},
        }
    ],
}
REMOVED = object()


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `document` with the keys of `changes`, dotted from the top, set or removed."""
    result = deepcopy(document)
    for path, value in changes.items():
        *tables, key = path.split(".")
        table: Any = result
        for each in tables:
            table = table[int(each)] if isinstance(table, list) else table.setdefault(each, {})
        if value is REMOVED:
            del table[key]
        else:
            table[key] = value
    return result


def refused(document: dict[str, Any]) -> str:
    with pytest.raises(DefinitionError) as caught:
        parse_meter_types(document, "m.toml")
    return str(caught.value)


IMPORT = "register.import_energy."
VOLUME = "register.volume."


def test_the_documents_that_the_mistakes_are_made_in_are_sound() -> None:
    assert parse_meter_types(deepcopy(MODBUS), "m.toml")[0].id == "meter-1"
    assert parse_meter_types(deepcopy(MQTT), "m.toml")[0].id == "meter-2"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "tariff"}, "m.toml: kind: Input should be 'meter-type', got 'tariff'"),
        ({"id": REMOVED}, "m.toml: id: is missing"),
        ({"id": "Meter 1"}, "m.toml: id: String should match pattern"),
        ({"name": ""}, "m.toml: name: String should have at least 1 character"),
        ({"medium": "gas"}, "m.toml: medium: Input should be 'electricity' or 'water', got 'gas'"),
        ({"modbuss": {}}, "m.toml: modbuss: unknown key; did you mean 'modbus'?"),
        ({"modbus.functoin": 4}, "m.toml: modbus.functoin: unknown key; did you mean 'function'?"),
        ({IMPORT + "adress": 1}, f"m.toml: {IMPORT}adress: unknown key; did you mean 'address'?"),
        (
            {"modbus.address": 1},
            "m.toml: modbus.address: unknown key here; it belongs into another table",
        ),
        ({"modbus.function": 6}, "m.toml: modbus.function: Input should be 3 or 4, got 6"),
        ({"modbus.order": "BACD"}, "m.toml: modbus.order: Input should be 'ABCD', 'CDAB', 'BADC'"),
        ({"modbus.max_words": 126}, "m.toml: modbus.max_words: Input should be less than or equal"),
        ({"modbus.max_gap": -1}, "m.toml: modbus.max_gap: Input should be greater than or equal"),
        ({"register": {}}, "m.toml: register: Dictionary should have at least 1 item"),
        ({"register": [1]}, "m.toml: register: Input should be a valid dictionary, got [1]"),
        ({IMPORT + "kind": "counter"}, f"m.toml: {IMPORT}kind: Input should be 'total', 'tariff'"),
        (
            {IMPORT + "unit": "KWH"},
            f"m.toml: {IMPORT}unit: unknown unit 'KWH'; use one of kWh, Wh, MWh",
        ),
        ({IMPORT + "address": 65536}, f"m.toml: {IMPORT}address: Input should be less than or"),
        ({IMPORT + "address": -1}, f"m.toml: {IMPORT}address: Input should be greater than or"),
        ({IMPORT + "address": "x"}, f"m.toml: {IMPORT}address: Input should be a valid integer"),
        (
            {IMPORT + "address": 65535},
            "m.toml: register.import_energy: its words go beyond the last address, 65535",
        ),
        (
            {IMPORT + "type": "float16"},
            f"m.toml: {IMPORT}type: Input should be 'uint8', 'int8', 'uint16'",
        ),
        (
            {IMPORT + "type": REMOVED},
            'm.toml: register.import_energy: an address or byte needs a type such as "float32"',
        ),
        (
            {IMPORT + "address": REMOVED},
            f"m.toml: {IMPORT[:-1]}: state one of address (Modbus), byte (binary payload)",
        ),
        (
            {IMPORT + "pointer": "/a"},
            f"m.toml: {IMPORT[:-1]}: state one of address (Modbus), byte (binary payload)",
        ),
        (
            {IMPORT + "max_rate": REMOVED},
            (
                "m.toml: register.import_energy: a total register needs max_rate, the most it can "
                'count in an hour ("25")'
            ),
        ),
        ({IMPORT + "max_rate": "0"}, f"m.toml: {IMPORT}max_rate: Input should be greater than 0"),
        ({IMPORT + "max_rate": "-5"}, f"m.toml: {IMPORT}max_rate: Input should be greater than 0"),
        (
            {IMPORT + "resolution": REMOVED},
            "m.toml: register.import_energy: needs a resolution, the display's smallest step",
        ),
        (
            {IMPORT + "resolution": "0.00001"},
            (
                "m.toml: register.import_energy: its step of 0.00001 kWh is finer than 0.0001; "
                "state a coarser resolution"
            ),
        ),
        (
            {IMPORT + "unit": "Wh", IMPORT + "resolution": "0.01"},
            "m.toml: register.import_energy: its step of 0.00001 kWh is finer than 0.0001",
        ),
        (
            {IMPORT + "resolution": "0.00015"},
            "m.toml: register.import_energy: its step of 0.00015 kWh is finer than 0.0001",
        ),
        ({IMPORT + "resolution": "0"}, f"m.toml: {IMPORT}resolution: Input should be greater than"),
        ({IMPORT + "resolution": "-1"}, f"m.toml: {IMPORT}resolution: Input should be greater"),
        (
            {IMPORT + "resolution": Decimal("NaN")},
            f"m.toml: {IMPORT}resolution: must be finite, got Decimal('NaN')",
        ),
        ({IMPORT + "resolution": "1e30"}, f"m.toml: {IMPORT}resolution: must have at most 18"),
        ({IMPORT + "resolution": 0.01}, f"m.toml: {IMPORT}resolution: must be a number, got 0.01"),
        ({IMPORT + "digits": 2}, f"m.toml: {IMPORT}digits: Input should be greater than or equal"),
        ({IMPORT + "digits": 19}, f"m.toml: {IMPORT}digits: Input should be less than or equal"),
        ({IMPORT + "scale": 0}, f"m.toml: {IMPORT}scale: must not be 0, which would make every"),
        (
            {IMPORT + "type": "uint32", IMPORT + "resolution": REMOVED, IMPORT + "offset": "1e-5"},
            "m.toml: register.import_energy: its offset is finer than 0.0001; state a resolution",
        ),
        (
            {IMPORT + "sentinels": ["ffff"]},
            "m.toml: register.import_energy: sentinel 'ffff' must be as long as float32",
        ),
        (
            {IMPORT + "sentinels": ["fff"]},
            "m.toml: register.import_energy: sentinel 'fff' is not a whole number of bytes",
        ),
        (
            {IMPORT + "sentinels": ["none none"]},
            "m.toml: register.import_energy: sentinel 'none none' is not hexadecimal",
        ),
        (
            {"modbus.max_words": 1},
            "m.toml: register 'import_energy' does not fit one request of max_words",
        ),
        (
            {IMPORT + "kind": "gauge"},
            'm.toml: needs a register of kind "total" or "tariff" to bill from',
        ),
        ({"mqtt": {}}, "m.toml: state one of [modbus], [mqtt] and [lorawan]"),
        ({"modbus": REMOVED}, "m.toml: state one of [modbus], [mqtt] and [lorawan]"),
        (
            {"modbus": REMOVED, "mqtt": {}},
            "register 'import_energy' and the way in (Modbus, MQTT or LoRaWAN) do not match",
        ),
        ({"proof": []}, f"m.toml: {IMPORT[:-1]}: no proof shows a value of it; add a [[proof]]"),
        ({"proof": REMOVED}, f"m.toml: {IMPORT[:-1]}: no proof shows a value of it"),
        ({"proof.0.source": REMOVED}, "m.toml: proof[1].source: is missing"),
        ({"proof.0.source": ""}, "m.toml: proof[1].source: String should have at least 1"),
        ({"proof.0.expect": {}}, "m.toml: proof[1]: expects nothing; state the values"),
        (
            {"proof.0.expect": {"export_energy": 1}},
            "m.toml: a proof names the unknown register 'export_energy'",
        ),
        (
            {"proof.0.words": "462a 7521"},
            "m.toml: proof[1]: state exactly one of frame, words, payload and bytes",
        ),
        (
            {"proof.0.frame": REMOVED},
            "m.toml: proof[1]: state exactly one of frame, words, payload and bytes",
        ),
        (
            {"proof.0.frame": REMOVED, "proof.0.payload": "{}"},
            "m.toml: a Modbus type is proven by frame or words",
        ),
        ({"proof.0.at": -1}, "m.toml: proof[1].at: Input should be greater than or equal to 0"),
    ],
)
def test_a_mistake_in_a_modbus_type_is_named_where_it_stands(
    changes: dict[str, Any], message: str
) -> None:
    assert message in refused(changed(MODBUS, changes))


COUNTER = MODBUS["register"]["import_energy"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"register.other": {**COUNTER, "address": 73}},
            "m.toml: registers 'import_energy' and 'other' stand in the same place",
        ),
        (
            {"register.other": {**COUNTER, "address": 72, "type": "uint16"}},
            "m.toml: registers 'import_energy' and 'other' stand in the same place",
        ),
        *[
            (
                {"modbus.forbidden": [forbidden]},
                f"m.toml: register 'import_energy' lies in the forbidden range {text}",
            )
            for forbidden, text in (
                ([0, 72], "0x0000-0x0048"),
                ([73, 73], "0x0049-0x0049"),
                ([0, 100], "0x0000-0x0064"),
            )
        ],
        (
            {IMPORT + "type": "uint24"},
            "m.toml: register.import_energy: uint24 is no whole word; it stands in binary payloads",
        ),
        (
            {IMPORT + "quoted": True},
            "m.toml: register.import_energy: quoted belongs to JSON, not to an address or byte",
        ),
        (
            {IMPORT + "byte": 3},
            "m.toml: register.import_energy: state one of address (Modbus), byte (binary payload)",
        ),
        (
            {IMPORT + "topic": "a"},
            "m.toml: register.import_energy: state one of address (Modbus), byte (binary payload)",
        ),
        ({"proof.0.kind": REMOVED}, "m.toml: proof[1].kind: is missing"),
        ({"proof.0.kind": "guess"}, "m.toml: proof[1].kind: Input should be 'capture', 'manual'"),
        (
            {"proof.0.expect": {"import_energy": "broken"}},
            "m.toml: proof[1].expect.import_energy: must be a number such as",
        ),
        (
            {"proof.0.expect": {"import_energy": "falling"}},
            "m.toml: proof[1].expect.import_energy: must be a number such as",
        ),
        (
            {"lorawan": {}},
            "m.toml: state one of [modbus], [mqtt] and [lorawan]",
        ),
    ],
)
def test_what_cannot_be_on_a_line_is_refused(changes: dict[str, Any], message: str) -> None:
    assert message in refused(changed(MODBUS, changes))


@pytest.mark.parametrize("forbidden", [[0, 71], [74, 65535]])
def test_a_register_may_stand_beside_a_forbidden_range(forbidden: list[int]) -> None:
    assert parse_meter_types(changed(MODBUS, {"modbus.forbidden": [forbidden]}), "m.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *[
            (
                {VOLUME + "topic": topic},
                f"m.toml: register.volume.topic: {topic!r} is no topic below the meter's",
            )
            for topic in ("/a", "a/", "a//b", "a/+", "#", "a\0")
        ],
        (
            {"register.other": {**MQTT["register"]["volume"]}},
            "m.toml: registers 'volume' and 'other' stand in the same place",
        ),
        (
            {"register.other": {**MQTT["register"]["volume"], "topic": "a", "pointer": "/b"}}
            | {"register.third": {**MQTT["register"]["volume"], "topic": "a", "pointer": None}},
            "m.toml: 'third' is all that its topic brings; 'other' points into it",
        ),
        (
            {"register.other": {**MQTT["register"]["volume"], "topic": "a"}}
            | {"proof.0.expect": {"volume": "6.4", "other": "1"}},
            "m.toml: a proof expects registers of several topics; write one for each",
        ),
        (
            {VOLUME + "pointer": REMOVED, VOLUME + "byte": 1, VOLUME + "type": "uint32"},
            "register 'volume' and the way in (Modbus, MQTT or LoRaWAN) do not match",
        ),
    ],
)
def test_what_cannot_be_under_a_topic_is_refused(changes: dict[str, Any], message: str) -> None:
    assert message in refused(changed(MQTT, changes))


LORAWAN = changed(
    MQTT,
    {
        "mqtt": REMOVED,
        "lorawan": {"port": 2},
        "register.volume": {
            "kind": "total",
            "unit": "L",
            "byte": 1,
            "type": "uint24",
            "max_rate": 9000,
        },
        "proof.0.payload": REMOVED,
        "proof.0.bytes": "01 01 e2 40",
        "proof.0.expect": {"volume": "123.456"},
    },
)


def test_a_binary_payload_proves_a_lorawan_type() -> None:
    [made] = parse_meter_types(deepcopy(LORAWAN), "m.toml")

    assert made.states_identity
    assert made.topics == {""}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({VOLUME + "byte": 2}, "m.toml: proof[1]: cannot be decoded: the binary payload has 4 byt"),
        ({VOLUME + "order": "DCBA"}, 'got 4252.161 (raw 01 e240); order = "ABCD" would be right)'),
        ({VOLUME + "order": "CDAB"}, "m.toml: register.volume: uint24 is no whole word; its order"),
        ({VOLUME + "sentinels": ["ffff"]}, "register.volume: sentinel 'ffff' must be as long as"),
        ({VOLUME + "byte": 242}, "m.toml: register.volume.byte: Input should be less than or equ"),
        ({"proof.0.bytes": "0101e24"}, "proof[1]: cannot be decoded: '0101e24' is not a whole num"),
        (
            {"proof.0.bytes": REMOVED, "proof.0.words": "0101 e240"},
            "m.toml: a LoRaWAN type is proven by payload or bytes",
        ),
        (
            {VOLUME + "byte": REMOVED, VOLUME + "address": 1, VOLUME + "type": "uint32"},
            "register 'volume' and the way in (Modbus, MQTT or LoRaWAN) do not match",
        ),
        (
            {
                "register.volume": {
                    **MQTT["register"]["volume"],
                    "topic": "a",
                }
            },
            "register 'volume' and the way in (Modbus, MQTT or LoRaWAN) do not match",
        ),
    ],
)
def test_a_mistake_in_a_lorawan_type_is_named_where_it_stands(
    changes: dict[str, Any], message: str
) -> None:
    assert message in refused(changed(LORAWAN, changes))


@pytest.mark.parametrize(
    ("document", "states"),
    [
        (MODBUS, False),
        (changed(MODBUS, {"modbus.identity": {"address": 9, "type": "uint32"}}), True),
        (MQTT, True),
        (changed(MQTT, {"mqtt": {}}), False),
        (LORAWAN, True),
    ],
)
def test_a_type_knows_whether_its_meters_state_their_number(
    document: dict[str, Any], *, states: bool
) -> None:
    assert MeterType.model_validate(document).states_identity is states


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {VOLUME + "pointer": "total"},
            "m.toml: register.volume.pointer: 'total' is not a JSON pointer; it must start with",
        ),
        ({"mqtt.identity": "id"}, "m.toml: mqtt.identity: 'id' is not a JSON pointer"),
        ({"mqtt.time": "time"}, "m.toml: mqtt.time: 'time' is not a JSON pointer"),
        *[
            (
                {VOLUME + key: value},
                (
                    "m.toml: register.volume: type and order belong to an address or byte, not to "
                    "JSON"
                ),
            )
            for key, value in (("type", "uint32"), ("order", "CDAB"))
        ],
        (
            {VOLUME + "resolution": REMOVED},
            "m.toml: register.volume: needs a resolution, the display's smallest step",
        ),
        (
            {"proof.0.payload": REMOVED, "proof.0.words": "0000"},
            "m.toml: an MQTT type is proven by payload",
        ),
    ],
)
def test_a_mistake_in_an_mqtt_type_is_named_where_it_stands(
    changes: dict[str, Any], message: str
) -> None:
    assert message in refused(changed(MQTT, changes))


def register(**changes: Any) -> Register:
    document = {"kind": "total", "unit": "kWh", "address": 0, "type": "uint32", "max_rate": "10"}
    return Register.model_validate({**document, **changes})


@pytest.mark.parametrize(
    ("changes", "step", "modulus", "max_rate"),
    [
        ({"digits": 5}, "1", "100000", "10"),
        ({"digits": 8, "scale": "0.01"}, "0.01", "1000000", "10"),
        ({"digits": 8, "scale": "-0.01"}, "0.01", "1000000", "10"),
        ({"digits": 9, "unit": "L"}, "0.001", "1000000", "0.01"),
        ({"digits": 6, "unit": "MWh", "scale": "0.1"}, "100", "100000000", "10000"),
        ({"digits": 6, "resolution": "0.1"}, "0.1", "100000", "10"),
        ({}, "1", None, "10"),
    ],
)
def test_step_modulus_and_rate_are_in_the_canonical_unit(
    changes: dict[str, Any], step: str, modulus: str | None, max_rate: str
) -> None:
    found = register(**changes)

    assert found.smallest_step == Decimal(step)
    assert found.modulus == (None if modulus is None else Decimal(modulus))
    assert found.canonical_max_rate == Decimal(max_rate)


def test_bills_rest_on_totals_and_tariff_registers_only() -> None:
    assert [kind for kind in Kind if kind.is_billing] == [Kind.TOTAL, Kind.TARIFF]
    document = changed(
        MODBUS,
        {
            f"register.{kind}": {
                **MODBUS["register"]["import_energy"],
                "kind": kind,
                "address": address,
            }
            for kind, address in (("partial", 74), ("gauge", 76), ("tariff", 78))
        },
    )
    meter_type = MeterType.model_validate(document)

    assert list(meter_type.registers) == ["import_energy", "partial", "gauge", "tariff"]
    assert list(meter_type.billing_registers) == ["import_energy", "tariff"]


@pytest.mark.parametrize("document", [MODBUS, MQTT, LORAWAN])
def test_a_type_goes_to_another_process_and_decodes_there(document: dict[str, Any]) -> None:
    [made] = parse_meter_types(deepcopy(document), "m.toml")

    sent = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes

    assert sent == made
    assert not list(prove(sent, "m.toml"))


def test_the_order_of_a_register_is_its_own_or_that_of_its_type() -> None:
    document = changed(
        MODBUS,
        {
            "modbus.order": "CDAB",
            IMPORT + "order": "ABCD",
            "register.other": {**MODBUS["register"]["import_energy"], "address": 74},
        },
    )
    meter_type = MeterType.model_validate(document)

    assert meter_type.order_of(meter_type.registers["import_energy"]) is WordOrder.ABCD
    assert meter_type.order_of(meter_type.registers["other"]) is WordOrder.CDAB


README = Path(meters.__file__).parent / "README.md"


@pytest.mark.parametrize(
    "model", [MeterType, Register, Check, Proof, Variant, ModbusAccess, MqttAccess, LorawanAccess]
)
def test_the_readme_names_every_key_that_a_file_may_state(model: type[BaseModel]) -> None:
    text = README.read_text("utf-8").partition("### What a file may state")[2]
    keys = {field.alias or name for name, field in model.model_fields.items()} - {"variant_of"}

    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == set()


ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.decimals(allow_nan=True, allow_infinity=True)
    | st.sampled_from(["", "0", "1e999999", "NaN", "float32", "/a", "ffff", "-1", "kWh", "水"])
    | st.just(16**5000)
)
PATHS = st.sampled_from(
    [
        *(IMPORT + key for key in Register.model_fields),
        "modbus",
        "modbus.function",
        "modbus.max_words",
        "modbus.forbidden",
        "modbus.serial",
        "modbus.identity",
        "check",
        "variant",
        "variant.v2",
        "variant.v2.modbus",
        "variant.v2.register",
        "variant.v2.without",
        "register",
        "register.import_energy",
        "register.",
        "proof",
        "proof.0",
        "proof.0.frame",
        "proof.0.words",
        "proof.0.bytes",
        "proof.0.variant",
        "proof.0.identity",
        "proof.0.at",
        "proof.0.expect",
        "proof.0.expect.import_energy",
        "id",
        "aliases",
        "nonsense",
    ]
)


@given(
    st.dictionaries(
        PATHS, ODD | st.lists(ODD, max_size=2) | st.dictionaries(st.text(max_size=3), ODD)
    )
)
@settings(max_examples=500, deadline=None)
def test_no_document_raises_anything_but_a_definition_error(changes: dict[str, Any]) -> None:
    document = deepcopy(MODBUS)
    for path, value in changes.items():
        try:
            document = changed(document, {path: value})
        except (TypeError, AttributeError, KeyError, IndexError, ValueError):
            continue  # an earlier change left no such table
    try:
        meter_type, *_ = parse_meter_types(document, "m.toml")
    except DefinitionError as error:
        messages = [str(problem) for problem in error.problems]
    else:
        messages = []
        assert meter_type.billing_registers
    assert all(message.startswith("m.toml: ") for message in messages)
