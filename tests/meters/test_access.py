"""How the meters of a type are reached: what may be stated, and what is filled in."""

from __future__ import annotations

from typing import Any

import pytest

from meters.access import LorawanAccess, ModbusAccess, MqttAccess, TimeFormat
from meters.definition import DefinitionError, validate
from meters.words import WordOrder, WordType


def modbus(**keys: Any) -> ModbusAccess:
    return validate(ModbusAccess, {"function": 4, **keys}, "m.toml")


def refused(model: type[Any], **keys: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        validate(model, keys, "m.toml")
    return str(caught.value)


def test_what_is_not_stated_asks_nothing_special_of_a_request() -> None:
    access = modbus()

    assert (access.max_words, access.max_gap, access.singly) == (125, 0, False)
    assert (access.forbidden, access.serial, access.identity) == ((), None, None)


def test_the_number_of_a_meter_is_read_as_its_registers_are() -> None:
    identity = modbus(order="CDAB", identity={"address": 33, "type": "uint32"}).identity

    assert identity is not None
    assert (identity.function, identity.order, identity.after) == (4, WordOrder.CDAB, 35)
    assert identity.type is WordType.UINT32


def test_the_number_of_a_meter_may_stand_behind_another_function_and_order() -> None:
    stated = {"address": 0xFC00, "type": "uint32", "function": 3, "order": "ABCD"}
    identity = modbus(order="CDAB", identity=stated).identity

    assert identity is not None
    assert (identity.function, identity.order) == (3, WordOrder.ABCD)


def test_a_text_reads_from_left_to_right_whatever_the_order_of_numbers() -> None:
    identity = modbus(order="CDAB", identity={"address": 1, "type": "text", "words": 4}).identity

    assert identity is not None
    assert (identity.order, identity.after) == (WordOrder.ABCD, 5)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"serial": "9600"}, "m.toml: serial: '9600' is no serial line; write baud rate"),
        ({"forbidden": [[9, 8]]}, "m.toml: forbidden[1]: [0x0009, 0x0008] ends before it begins"),
        ({"forbidden": [[0, 65536]]}, "m.toml: forbidden[1][2]: Input should be less than or"),
        ({"forbidden": [[0]]}, "m.toml: forbidden[1][2]: is missing"),
        ({"function": 5}, "m.toml: function: Input should be 3 or 4, got 5"),
        ({"identity": 7}, "m.toml: identity: Input should be a valid dictionary"),
        ({"identity": {"type": "uint32"}}, "m.toml: identity.address: is missing"),
        (
            {"identity": {"address": 1, "type": "float32"}},
            "m.toml: identity: float32 holds no meter number; use an integer, bcd or text",
        ),
        ({"identity": {"address": 1, "type": "uint24"}}, "uint24 holds no meter number"),
        ({"identity": {"address": 1, "type": "text"}}, "m.toml: identity: state words, its length"),
        (
            {"identity": {"address": 1, "type": "uint16", "words": 1}},
            "m.toml: identity: state words, its length, for type",
        ),
        (
            {"identity": {"address": 65535, "type": "uint32"}},
            "m.toml: identity: its words go beyond the last address, 65535",
        ),
    ],
)
def test_a_mistake_in_modbus_is_named_where_it_stands(keys: dict[str, Any], message: str) -> None:
    assert message in refused(ModbusAccess, **{"function": 4, **keys})


def test_a_time_is_iso_where_nothing_else_is_stated() -> None:
    assert validate(MqttAccess, {}, "m.toml").time_format is TimeFormat.ISO
    assert "time_format: Input should be 'iso', 'unix'" in refused(MqttAccess, time_format="epoch")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"port": 0}, "m.toml: port: Input should be greater than or equal to 1"),
        ({"port": 224}, "m.toml: port: Input should be less than or equal to 223"),
        ({"starts_with": "0g"}, "m.toml: starts_with: '0g' is not hexadecimal"),
        ({"starts_with": "0"}, "m.toml: starts_with: '0' is not a whole number of bytes"),
    ],
)
def test_a_mistake_in_lorawan_is_named_where_it_stands(keys: dict[str, Any], message: str) -> None:
    assert message in refused(LorawanAccess, **keys)


@pytest.mark.parametrize(
    ("keys", "port", "payload", "holds"),
    [
        ({}, 1, b"\x0a", True),
        ({}, None, b"", False),
        ({"port": 2}, 2, b"\x0a", True),
        ({"port": 2}, 3, b"\x0a", False),
        ({"starts_with": "0a 01"}, 9, b"\x0a\x01\x05", True),
        ({"starts_with": "0A01"}, 9, b"\x0a\x02\x05", False),
        ({"starts_with": "0a01"}, 9, b"\x0a", False),
    ],
)
def test_an_uplink_holds_readings_on_its_port_after_its_first_bytes(
    keys: dict[str, Any], port: int | None, payload: bytes, *, holds: bool
) -> None:
    assert LorawanAccess(**keys).holds_readings(port, payload) is holds
