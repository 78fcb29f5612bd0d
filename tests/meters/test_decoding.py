"""Words and payloads → values: exact, in canonical units, and never anything but a PayloadError."""

from __future__ import annotations

import base64
import json
import random
import struct
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.catalog import shipped
from meters.decoding import (
    Telegram,
    decode_identity,
    decode_image,
    decode_payload,
    decode_register,
    observations,
)
from meters.meter_type import MeterType
from meters.payload import PayloadError
from meters.quantity import to_scaled
from meters.reading import Reason, Series
from meters.register_decoder import Decoded
from meters.words import WordOrder, WordType, encode, from_hex

TIME = "2020-03-29T09:07:22Z"


def modbus_type(order: str = "ABCD", /, **register: Any) -> MeterType:
    """Return a type with one counter `value`, as validated but not yet proven."""
    counter = {"kind": "total", "unit": "kWh", "address": 10, "type": "float32", "max_rate": 100}
    return MeterType.model_validate(
        {
            "kind": "meter-type",
            "id": "a",
            "name": "A",
            "manufacturer": "A",
            "medium": "electricity",
            "modbus": {"function": 4, "order": order},
            "register": {"value": {**counter, **register}},
        }
    )


def mqtt_type(**changes: Any) -> MeterType:
    """Return a type with a counter `volume` and a gauge `flow`, as validated but not proven."""
    document: dict[str, Any] = {
        "kind": "meter-type",
        "id": "a",
        "name": "A",
        "manufacturer": "A",
        "medium": "water",
        "mqtt": {"identity": "/id", "time": "/at"},
        "register": {
            "volume": {
                "kind": "total",
                "unit": "m3",
                "pointer": "/total",
                "resolution": "0.001",
                "max_rate": 10,
            },
            "flow": {"kind": "gauge", "unit": "L/h", "pointer": "/flow", "resolution": 1},
        },
    }
    return MeterType.model_validate({**document, **changes})


WATER = mqtt_type()


def payload(total: str, more: str = "") -> bytes:
    return f'{{"id": "7", "at": "{TIME}", "total": {total}{more}}}'.encode()


def value_of(meter_type: MeterType, words: str) -> Decimal | Reason | None:
    decoded = decode_register(meter_type, "value", from_hex(words))
    assert decoded.raw == words
    return decoded.fault if decoded.value is None else decoded.value


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["462a 7521", "462a 7522"])
def test_two_neighbouring_floats_show_the_same_display(words: str) -> None:
    assert value_of(modbus_type(resolution="0.01"), words) == Decimal("10909.28")


@pytest.mark.parametrize(
    ("register", "order", "words", "value"),
    [
        ({"type": "uint64", "scale": "0.01"}, "ABCD", "0000 0000 0001 e240", "1234.56"),
        ({"type": "int64", "unit": "Wh"}, "ABCD", "0000 0000 00bc 614e", "12345.678"),
        ({"type": "int32", "scale": "0.1"}, "CDAB", "e240 0001", "12345.6"),
        ({"type": "int32", "scale": "0.1"}, "CDAB", "ffff ffff", "-0.1"),
        ({"type": "uint32", "unit": "L"}, "CDAB", "614e 00bc", "12345.678"),
        ({"unit": "m3", "resolution": "0.001"}, "DCBA", "1e85 0b3f", "0.545"),
        (
            {"type": "float64", "unit": "Wh", "resolution": "10"},
            "ABCD",
            "4163 12d0 1f9a dd37",
            "10000",
        ),
        ({"type": "uint16", "unit": "MWh", "scale": "0.1"}, "ABCD", "000c", "1200"),
        (
            {"type": "uint16", "unit": "degC", "scale": "0.1", "offset": -40},
            "ABCD",
            "0200",
            "11.2",
        ),
        ({"type": "uint16", "unit": "V", "scale": "0.01"}, "BADC", "e059", "230.08"),
    ],
)
def test_scale_offset_and_unit_are_applied_exactly(
    register: dict[str, Any], order: str, words: str, value: str
) -> None:
    assert value_of(modbus_type(order, **register), words) == Decimal(value)


@given(
    st.sampled_from(["uint16", "int16", "uint32", "int32", "uint64", "int64"]),
    st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]),
    st.sampled_from(["0.0001", "0.001", "0.01", "0.1", "1", "10", "-1"]),
    st.integers(-1000, 1000),
    st.binary(min_size=8, max_size=8),
)
def test_an_integer_register_is_raw_times_scale_plus_offset(
    word_type: str, order: str, scale: str, offset: int, raw: bytes
) -> None:
    meter_type = modbus_type(order, type=word_type, scale=scale, offset=offset)
    size = 2 * WordType(word_type).words
    number = int.from_bytes(raw[:size], "big", signed=word_type.startswith("i"))
    words = encode(Decimal(number), WordType(word_type), WordOrder(order))
    exact = Fraction(scale) * number + offset

    decoded = decode_register(meter_type, "value", words)

    if abs(exact) * 10_000 < 2**63:
        assert decoded.value is not None
        assert Fraction(decoded.value) == exact
        assert to_scaled(decoded.value) == exact * 10_000
    else:
        assert decoded == Decoded(None, decoded.raw, Reason.OUT_OF_RANGE)


@given(
    st.floats(0, 10**7, width=32),
    st.sampled_from([("kWh", "0.01"), ("kWh", "0.1"), ("Wh", "1"), ("MWh", "0.001"), ("L", "0.1")]),
)
def test_a_float_register_is_rounded_once_to_the_display_and_fits_the_archive(
    number: float, shown: tuple[str, str]
) -> None:
    unit, resolution = shown
    factor = Fraction({"kWh": "1", "Wh": "0.001", "MWh": "1000", "L": "0.001"}[unit])
    step = Fraction(resolution)
    words = struct.unpack(">2H", struct.pack(">f", number))

    decoded = decode_register(modbus_type(unit=unit, resolution=resolution), "value", words)

    assert decoded.value is not None
    assert Fraction(decoded.value) == round(Fraction(number) / step) * step * factor
    to_scaled(decoded.value)


@pytest.mark.parametrize(
    ("register", "words", "fault"),
    [
        ({"type": "uint32", "sentinels": ["ffff ffff"]}, "ffff ffff", "sentinel"),
        ({"type": "int32", "sentinels": ["FFFFFFFF", "8000 0000"]}, "8000 0000", "sentinel"),
        ({"type": "uint64", "sentinels": ["ffffffffffffffff"]}, "ffff ffff ffff ffff", "sentinel"),
        ({"resolution": "0.01", "sentinels": ["7fc0 0000"]}, "7fc0 0000", "sentinel"),
        ({"resolution": "0.01"}, "7fc0 0000", "not-a-number"),
        ({"resolution": "0.01"}, "ff80 0000", "not-a-number"),
        ({"resolution": "0.01"}, "7f7f ffff", "out-of-range"),
        ({"resolution": "0.01", "scale": "1000000"}, "7f7f ffff", "out-of-range"),
        ({"type": "float64", "resolution": "1"}, "7fef ffff ffff ffff", "out-of-range"),
        ({"type": "uint64"}, "ffff ffff ffff ffff", "out-of-range"),
    ],
)
def test_what_is_no_value_says_why_and_keeps_its_words(
    register: dict[str, Any], words: str, fault: str
) -> None:
    assert value_of(modbus_type(**register), words) == Reason(fault)


@pytest.mark.parametrize(
    "word", ["7ffe", "8000", "0000"], ids=["one below", "its bits turned", "zero"]
)
def test_only_the_pattern_itself_is_a_sentinel(word: str) -> None:
    meter_type = modbus_type(type="int16", sentinels=["7fff"])

    assert value_of(meter_type, "7fff") is Reason.SENTINEL
    assert isinstance(value_of(meter_type, word), Decimal)


def test_sentinels_are_compared_as_they_stand_on_the_wire() -> None:
    meter_type = modbus_type("CDAB", type="uint32", sentinels=["0000 ffff"])

    assert value_of(meter_type, "0000 ffff") is Reason.SENTINEL
    assert value_of(meter_type, "ffff 0000") == 0xFFFF


def test_a_register_may_have_an_order_of_its_own() -> None:
    assert value_of(modbus_type("ABCD", type="uint32", order="CDAB"), "0001 0000") == 1


def test_an_image_gives_the_registers_that_it_holds_whole() -> None:
    meter_type = shipped()["eastron-sdm120"]
    image = {0x48: 0x462A, 0x49: 0x7521, 0x4A: 0x462A, 0x0: 0x4367}

    assert set(decode_image(meter_type, image)) == {"import_energy"}
    assert decode_image(meter_type, image)["import_energy"].value == Decimal("10909.28")
    assert decode_image(meter_type, image, names=["export_energy"]) == {}
    assert decode_image(meter_type, {}) == {}


def test_a_register_of_a_payload_is_not_on_modbus() -> None:
    with pytest.raises(ValueError, match="register 'volume' of a is not on Modbus"):
        decode_register(WATER, "volume", [0, 0])


def identity_type(order: str = "ABCD", /, **identity: Any) -> MeterType:
    made = modbus_type(order, type="uint32")
    document = made.model_dump(by_alias=True, mode="json", exclude_none=True)
    document["modbus"]["identity"] = {"address": 100, **identity}
    return MeterType.model_validate(document)


@pytest.mark.parametrize(
    ("identity", "words", "number"),
    [
        ({"type": "uint32"}, "00bc 614e", "12345678"),
        ({"type": "uint32", "order": "CDAB"}, "614e 00bc", "12345678"),
        ({"type": "bcd48"}, "0000 1234 5678", "000012345678"),
        ({"type": "uint64"}, "0000 0000 0000 0000", "0"),
        ({"type": "text", "words": 4}, "5844 3130 3030 0000", "XD1000"),
        ({"type": "text", "words": 4}, "5844 3130 2020 2020", "XD10"),
        ({"type": "text", "words": 3}, "5844 3130 ffff", "XD10"),
        ({"type": "text", "words": 2, "order": "BADC"}, "4458 3031", "XD10"),
        # what is no number is nobody's, and never what was not read
        ({"type": "uint32"}, "ffff ffff", "ffff ffff"),
        ({"type": "bcd32"}, "0000 00a0", "0000 00a0"),
        ({"type": "text", "words": 2}, "0000 0000", "0000 0000"),
        ({"type": "text", "words": 2}, "ffff ffff", "ffff ffff"),
        ({"type": "text", "words": 2}, "0158 3031", "0158 3031"),
        ({"type": "text", "words": 2}, "58e9 3031", "58e9 3031"),
    ],
)
def test_the_number_of_a_meter_is_what_its_plate_says(
    identity: dict[str, Any], words: str, number: str
) -> None:
    assert decode_identity(identity_type(**identity), from_hex(words)) == number


@pytest.mark.parametrize("identity", [{"type": "uint32"}, {"type": "text", "words": 2}])
def test_a_number_of_another_length_is_refused(identity: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 words, where the meter's number has 2"):
        decode_identity(identity_type(**identity), [1])


def test_a_type_without_identity_register_states_no_number() -> None:
    assert decode_identity(modbus_type(type="uint32"), [1, 2]) is None
    assert decode_identity(WATER, [1, 2]) is None


# --- payloads ------------------------------------------------------------------------------------


def test_a_payload_gives_who_when_and_what() -> None:
    telegram = decode_payload(WATER, payload("6.408", ', "flow": 12'))

    assert telegram.identity == "7"
    assert telegram.time == datetime(2020, 3, 29, 9, 7, 22, tzinfo=UTC)
    assert telegram.registers == {
        "volume": Decoded(Decimal("6.408"), "6.408"),
        "flow": Decoded(Decimal("0.012"), "12"),
    }


@pytest.mark.parametrize(
    ("total", "value"),
    [
        ("0", "0"),
        ("6.4084", "6.408"),
        ("6.4085", "6.408"),  # the even one of two steps
        ("6.4095", "6.410"),
        ("12345678.901", "12345678.901"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("1e-400", "0"),
        ("1e-999999999", "0"),
        ("0.1000000000000000055511151231257827", "0.1"),
    ],
)
def test_numbers_of_a_payload_are_read_as_decimals_and_rounded_to_the_display(
    total: str, value: str
) -> None:
    assert decode_payload(WATER, payload(total)).registers["volume"].value == Decimal(value)


@pytest.mark.parametrize(
    "total",
    ["1e400", "-1e400", "1e999999", "-1e999999", "1e40", "1e41", "922337203685478", "9" * 4300],
)
def test_a_number_that_no_archive_holds_is_out_of_range(total: str) -> None:
    decoded = decode_payload(WATER, payload(total)).registers["volume"]

    assert decoded.value is None
    assert decoded.fault is Reason.OUT_OF_RANGE


@given(st.decimals(0, 10**9, places=3))
def test_what_a_meter_displays_arrives_unchanged(shown: Decimal) -> None:
    assert decode_payload(WATER, payload(str(shown))).registers["volume"].value == shown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON: Expecting value at character 0"),
        (payload("6.408")[:-1], "not JSON: .* at character"),
        (payload("6.408")[:20], "not JSON: .* at character"),
        (payload("6.408") + b"}", "not JSON: Extra data at character"),
        (b"\xff\xfe{", "not UTF-8 at byte 0"),
        (b'{"id": "\xe6\xb0"}', "not UTF-8 at byte 8"),
        ("\ufeff{}".encode(), "not JSON"),
        (b"[]", "/id is not in the payload; it holds the meter's number"),
        (b"12", "/id is not in the payload"),
        (b"{}", "/id is not in the payload"),
        (b'{"id": null}', "/id must be the meter's number, got None"),
        (b'{"id": true}', "/id must be the meter's number, got True"),
        (b'{"id": 1.5}', "/id must be the meter's number, got Decimal"),
        (b'{"id": "\\ud800"}', "/id holds half a character"),
        (b'{"id": 7}', "/at is not in the payload"),
        (payload("null"), "/total must be a number, got None"),
        (payload("true"), "/total must be a number, got True"),
        (payload("false"), "/total must be a number, got False"),
        (payload('"6.408"'), "/total must be a number, got '6.408'"),
        (payload("[6.408]"), r"/total must be a number, got \["),
        (payload("{}"), "/total must be a number, got {}"),
        (payload("1", ', "total": 2'), "'total' stands twice in one object; which one counts?"),
        (payload("1", ', "x": [{"y": 1, "y": 1}]'), "'y' stands twice"),
        (payload("9" * 5000), "holds a number that is too long"),
        (payload("1e9999999999999999999"), "holds a number that is too long"),
        (payload("1e-9999999999999999999"), "holds a number that is too long"),
        (payload("[" * 100_000), "JSON nested too deeply"),
        (payload("[" * 500 + "]" * 500), "/total must be a number"),
    ],
    ids=range(28),
)
def test_what_cannot_be_understood_says_what_and_where(content: bytes, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        decode_payload(WATER, content)


def test_a_missing_counter_is_an_error_that_names_the_register() -> None:
    content = json.dumps({"id": "7", "at": TIME, "flow": 3}).encode()

    with pytest.raises(
        PayloadError, match="/total is not in the payload; it holds the register 'volume'"
    ):
        decode_payload(WATER, content)


@pytest.mark.parametrize(
    ("flow", "raw"),
    [
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ('"DRY"', '"DRY"'),
        ("true", "true"),
        ("[1]", "[...]"),
    ],
)
def test_a_gauge_that_shows_no_number_does_not_cost_the_counter_beside_it(
    flow: str, raw: str
) -> None:
    registers = decode_payload(WATER, payload("6.408", f', "flow": {flow}')).registers

    assert registers["volume"].value == Decimal("6.408")
    assert registers["flow"] == Decoded(None, raw, Reason.NOT_A_NUMBER)


@pytest.mark.parametrize("total", ["NaN", "Infinity"])
def test_a_counter_that_is_not_a_number_costs_itself_alone(total: str) -> None:
    registers = decode_payload(WATER, payload(total, ', "flow": 3')).registers

    assert registers["volume"] == Decoded(None, total, Reason.NOT_A_NUMBER)
    assert registers["flow"].value == Decimal("0.003")


@pytest.mark.parametrize("more", ["", ', "flow": null'])
def test_a_gauge_without_a_value_does_not_cost_the_counter_beside_it(more: str) -> None:
    registers = decode_payload(WATER, payload("6.408", more)).registers

    assert set(registers) == {"volume"}
    assert registers["volume"].value == Decimal("6.408")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2020-03-29T09:07:22", "/at has no time zone: '2020-03-29T09:07:22'"),
        ("2020-03-29", "/at has no time zone"),
        ("29.03.2020 09:07", "/at must be an ISO 8601 time, got '29.03.2020 09:07'"),
        ("", "/at must be an ISO 8601 time"),
        ("2020-02-30T00:00:00Z", "/at must be an ISO 8601 time"),
        ("2020-03-29T09:07:60Z", "/at must be an ISO 8601 time"),
        ("0001-01-01T00:00:00+14:00", "/at is beyond every calendar"),
        ("9999-12-31T23:59:59-12:00", "/at is beyond every calendar"),
    ],
)
def test_a_time_that_cannot_be_placed_is_refused(text: str, message: str) -> None:
    content = json.dumps({"id": "7", "at": text, "total": 1}).encode()

    with pytest.raises(PayloadError, match=message):
        decode_payload(WATER, content)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-03-29T09:07:22Z", datetime(2020, 3, 29, 9, 7, 22, tzinfo=UTC)),
        ("2020-03-29T17:07:22+08:00", datetime(2020, 3, 29, 9, 7, 22, tzinfo=UTC)),
        ("2020-03-29 09:07:22.5Z", datetime(2020, 3, 29, 9, 7, 22, 500_000, tzinfo=UTC)),
        # what a clock that was never set says is told apart where "now" is known
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_time_of_a_payload_is_the_devices_in_utc(text: str, moment: datetime) -> None:
    content = json.dumps({"id": "7", "at": text, "total": 1}).encode()

    assert decode_payload(WATER, content).time == moment


def test_a_type_without_identity_and_time_asks_for_neither() -> None:
    telegram = decode_payload(mqtt_type(mqtt={}), b'{"total": 1.5}')

    assert (telegram.identity, telegram.time) == (None, None)
    assert telegram.registers["volume"].value == Decimal("1.5")


def test_a_modbus_type_has_no_payloads() -> None:
    with pytest.raises(ValueError, match="a does not report over MQTT"):
        decode_payload(modbus_type(type="uint32"), b"{}")


def test_two_thousand_damaged_payloads_are_understood_or_refused() -> None:
    chance = random.Random(20260329)  # noqa: S311 # repeatable noise, no secret
    sound = payload("6.408", ', "flow": 12, "more": [1, {"a": null}]')
    pieces = [b'"', b"{", b"}", b"[", b":", b"1e999", b"null", b"\\u", b"\xff", b"NaN", b"-", b"0"]
    understood = 0
    for _ in range(2_000):
        damaged = bytearray(sound)
        for _ in range(chance.randint(0, 4)):
            place = chance.randrange(len(damaged) + 1)
            if chance.random() < 0.5:
                damaged[place : place + chance.randint(0, 3)] = chance.choice(pieces)
            else:
                damaged[place : place + 1] = bytes([chance.randrange(256)])
        try:
            telegram = decode_payload(WATER, bytes(damaged))
        except PayloadError:
            continue
        understood += 1
        value = telegram.registers["volume"].value
        if value is not None:
            to_scaled(value)
    assert 0 < understood < 2_000


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_payload_error(content: bytes) -> None:
    with pytest.raises(PayloadError):
        decode_payload(WATER, content)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**50), 10**50)
    | st.floats(allow_nan=True)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional={"id": JSON, "at": JSON, "total": JSON, "flow": JSON}))
def test_no_document_raises_anything_but_a_payload_error(document: dict[str, Any]) -> None:
    try:
        telegram = decode_payload(WATER, json.dumps(document).encode())
    except PayloadError:
        return
    assert str(document["id"]) == telegram.identity


# --- topics --------------------------------------------------------------------------------------


def topic_type() -> MeterType:
    """Return a type whose registers come under topics of their own, and one with its siblings."""
    counter = {"kind": "total", "unit": "kWh", "resolution": "0.01", "max_rate": 9}
    gauge = {"kind": "gauge", "unit": "W", "resolution": 1}
    return mqtt_type(
        mqtt={"time": "/at", "time_format": "unix"},
        register={
            "energy": {**counter, "topic": "meter/energy"},
            "power": {**gauge, "topic": "meter/power", "sentinels": ["unknown"]},
            "import": {**counter, "topic": "SENSOR", "pointer": "/import"},
            "export": {**counter, "topic": "SENSOR", "pointer": "/export"},
        },
    )


def test_each_topic_brings_its_own_registers() -> None:
    made = topic_type()
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    assert made.topics == {"meter/energy", "meter/power", "SENSOR"}
    assert decode_payload(made, b"217.405", subtopic="meter/energy") == Telegram(
        None, None, {"energy": Decoded(Decimal("217.40"), "217.405")}
    )
    assert decode_payload(made, b" 12 ", subtopic="meter/power").registers == {
        "power": Decoded(Decimal("0.012"), "12")
    }
    assert decode_payload(
        made, b'{"at": 1772366400, "import": 1, "export": 2.5}', subtopic="SENSOR"
    ) == Telegram(
        None, moment, {"import": Decoded(Decimal(1), "1"), "export": Decoded(Decimal("2.5"), "2.5")}
    )


@pytest.mark.parametrize(
    ("subtopic", "content"),
    [("", b"{"), ("$state", b"ready"), ("meter/energy/$unit", b"kWh"), ("meter/energy", b"")],
)
def test_a_topic_that_brings_nothing_has_no_readings(subtopic: str, content: bytes) -> None:
    assert decode_payload(topic_type(), content, subtopic=subtopic) == Telegram(None, None, {})


def test_a_plain_value_may_be_none_as_well() -> None:
    made = topic_type()
    unknown = decode_payload(made, b"unknown", subtopic="meter/power").registers["power"]
    nan = decode_payload(made, b"nan", subtopic="meter/energy").registers["energy"]

    assert (unknown.value, unknown.fault) == (None, Reason.SENTINEL)
    assert (nan.value, nan.fault) == (None, Reason.NOT_A_NUMBER)


@pytest.mark.parametrize(
    ("subtopic", "content", "message"),
    [
        ("meter/energy", b"12 kWh", "the payload must be a number, got '12 kWh'"),
        ("meter/energy", b"\xff", "not UTF-8 at byte 0"),
        ("SENSOR", b"12", "/at is not in the payload; it holds the time of the reading"),
        ("SENSOR", b'{"at": 1, "import": 1}', "/export is not in the payload; it holds the"),
    ],
)
def test_a_topic_that_does_not_bring_its_registers_says_so(
    subtopic: str, content: bytes, message: str
) -> None:
    with pytest.raises(PayloadError, match=message):
        decode_payload(topic_type(), content, subtopic=subtopic)


# --- uplinks -------------------------------------------------------------------------------------


def lorawan_type(**changes: Any) -> MeterType:
    """Return a type with a counter in the binary payload and a temperature in the object."""
    document: dict[str, Any] = {
        "kind": "meter-type",
        "id": "a",
        "name": "A",
        "manufacturer": "A",
        "medium": "water",
        "lorawan": {"port": 2},
        "register": {
            "volume": {
                "kind": "total",
                "unit": "L",
                "byte": 1,
                "type": "uint32",
                "order": "DCBA",
                "sentinels": ["ffffffff"],
                "max_rate": 9000,
            },
            "temperature": {
                "kind": "gauge",
                "unit": "degC",
                "pointer": "/temperature",
                "resolution": "0.1",
            },
        },
    }
    return MeterType.model_validate({**document, **changes})


def uplink(**changes: Any) -> bytes:
    """Return an uplink of 123,456 litres in ChirpStack's envelope."""
    document = {
        "time": TIME,
        "deviceInfo": {"devEui": "24E124136B3C0815"},
        "fCnt": 17,
        "fPort": 2,
        "data": base64.b64encode(bytes.fromhex("0140e20100ff")).decode(),
        "object": {"temperature": 11.5},
        **changes,
    }
    return json.dumps({key: each for key, each in document.items() if each is not None}).encode()


def data(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


def test_an_uplink_gives_who_when_what_and_its_count() -> None:
    assert decode_payload(lorawan_type(), uplink()) == Telegram(
        "24e124136b3c0815",
        datetime(2020, 3, 29, 9, 7, 22, tzinfo=UTC),
        {
            "volume": Decoded(Decimal("123.456"), "40e2 0100"),
            "temperature": Decoded(Decimal("11.5"), "11.5"),
        },
        17,
    )


@pytest.mark.parametrize(
    "changes", [{"fPort": 3}, {"fPort": None, "data": None, "object": None}, {"fPort": 0}]
)
def test_an_uplink_of_another_kind_has_no_readings_but_tells_who_is_there(
    changes: dict[str, Any],
) -> None:
    telegram = decode_payload(lorawan_type(), uplink(**changes))

    assert telegram.registers == {}
    assert (telegram.identity, telegram.sequence) == ("24e124136b3c0815", 17)


@pytest.mark.parametrize(("first", "names"), [("01", {"volume", "temperature"}), ("02", set())])
def test_the_first_bytes_tell_readings_from_other_uplinks(first: str, names: set[str]) -> None:
    made = lorawan_type(lorawan={"starts_with": "01"})

    assert set(decode_payload(made, uplink(data=data(f"{first}40e20100"))).registers) == names


def test_all_bits_set_in_a_binary_payload_are_the_sentinel_that_the_type_states() -> None:
    registers = decode_payload(lorawan_type(), uplink(data=data("01ffffffff"))).registers

    assert registers["volume"] == Decoded(None, "ffff ffff", Reason.SENTINEL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": data("0140e2")}, "payload has 3 bytes, too few for the register 'volume'"),
        ({"data": None}, "payload has 0 bytes, too few for the register 'volume'"),
        ({"object": None}, "the uplink has no decoded object; give the network server a codec"),
        ({"data": "!"}, "/data must be base64"),
    ],
)
def test_an_uplink_that_holds_no_counter_says_why(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        decode_payload(lorawan_type(), uplink(**changes))


def test_a_gauge_that_is_not_in_an_uplink_does_not_cost_the_counter() -> None:
    assert set(decode_payload(lorawan_type(), uplink(object={})).registers) == {"volume"}


# --- observations --------------------------------------------------------------------------------


def test_observations_are_made_at_whole_seconds_and_keep_faults() -> None:
    time = datetime(2026, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC)
    decoded = {
        "import_energy": Decoded(Decimal("1.5"), "3fc0 0000"),
        "power": Decoded(None, "7fc0 0000", Reason.NOT_A_NUMBER),
    }

    first, second = observations("m-1", time, decoded)

    assert first.series == Series("m-1", "import_energy")
    assert first.time == second.time == datetime(2026, 1, 1, tzinfo=UTC)
    assert (first.value, first.raw, first.fault) == (Decimal("1.5"), "3fc0 0000", None)
    assert (second.value, second.fault) == (None, Reason.NOT_A_NUMBER)
