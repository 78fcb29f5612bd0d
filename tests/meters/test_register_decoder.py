"""One register: from its bytes or JSON to a value in its canonical unit, or the fault."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.image import Image
from meters.meter_type import Register
from meters.reading import Reason
from meters.register_decoder import Decoded, JsonDecoder, WireDecoder, conversion
from meters.words import WordOrder, from_hex


def register(**keys: Any) -> Register:
    return Register.model_validate({"kind": "total", "unit": "kWh", "max_rate": 9, **keys})


def on_wire(**keys: Any) -> WireDecoder:
    made = register(**{"type": "uint32", **keys})
    assert made.type is not None
    return WireDecoder(made, made.type, made.order or WordOrder.ABCD)


def in_json(*sentinels: str, **keys: Any) -> JsonDecoder:
    stated = {"pointer": "/v", "resolution": "0.1", "sentinels": sentinels, **keys}
    return JsonDecoder("value", register(**stated))


# --- on the wire ---------------------------------------------------------------------------------


def test_a_register_reads_its_words_among_others() -> None:
    decoder = on_wire(address=10, scale="0.01")
    image = Image([(9, from_hex("ffff 0001 0000 ffff"))])

    assert decoder.in_image(image) == Decoded(Decimal("655.36"), "0001 0000")
    assert on_wire(address=9, type="uint16").in_image(image) == Decoded(Decimal(65535), "ffff")


@pytest.mark.parametrize("missing", [10, 11])
def test_a_register_that_is_not_whole_is_not_read(missing: int) -> None:
    image = Image.of(dict.fromkeys({9, 10, 11, 12} - {missing}, 0))

    assert on_wire(address=10).in_image(image) is None


@pytest.mark.parametrize(
    ("keys", "raw", "value"),
    [
        ({"byte": 1, "type": "uint24"}, "01 e240", "123456"),
        ({"byte": 1, "type": "uint24", "order": "DCBA"}, "01 e240", "4252161"),
        ({"byte": 1, "type": "uint32", "order": "CDAB"}, "01e2 4000", "1073742306"),
        ({"byte": 2, "type": "int8", "scale": "0.1"}, "e2", "-3"),
        ({"byte": 3, "type": "bcd16"}, "4000", "4000"),
    ],
)
def test_a_register_reads_its_bytes_in_a_payload(
    keys: dict[str, Any], raw: str, value: str
) -> None:
    decoder = on_wire(**keys)

    assert decoder.in_payload(bytes.fromhex("0a01e2400007")) == Decoded(Decimal(value), raw)
    assert decoder.in_payload(bytes.fromhex("0a")) is None


@pytest.mark.parametrize(
    ("keys", "raw", "fault"),
    [
        ({"type": "bcd32"}, "0000 000a", Reason.NOT_A_NUMBER),
        ({"type": "bcd16", "sentinels": ["FFFF"]}, "ffff", Reason.SENTINEL),
        ({"type": "uint24", "sentinels": ["ffffff"]}, "ff ffff", Reason.SENTINEL),
        ({"type": "float32", "resolution": 1}, "7f80 0000", Reason.NOT_A_NUMBER),
        ({"type": "float32", "resolution": 1}, "7f7f ffff", Reason.OUT_OF_RANGE),
    ],
)
def test_bytes_that_hold_no_value_say_why(keys: dict[str, Any], raw: str, fault: Reason) -> None:
    assert on_wire(byte=0, **keys).decode(bytes.fromhex(raw)) == Decoded(None, raw, fault)


@pytest.mark.parametrize("size", [0, 3, 5])
def test_another_number_of_bytes_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes, where the register has 4"):
        on_wire(address=0).decode(bytes(size))


# --- in JSON -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "decoded"),
    [
        (7, Decoded(Decimal(7), "7")),
        (Decimal("7.25"), Decoded(Decimal("7.2"), "7.25")),
        (Decimal("NaN"), Decoded(None, "NaN", Reason.NOT_A_NUMBER)),
        (Decimal("-Infinity"), Decoded(None, "-Infinity", Reason.NOT_A_NUMBER)),
        (10**30, Decoded(None, str(10**30), Reason.OUT_OF_RANGE)),
        (Decimal("1e999999999"), Decoded(None, "1E+999999999", Reason.OUT_OF_RANGE)),
    ],
)
def test_a_number_in_json_is_a_value_or_says_why_not(found: object, decoded: Decoded) -> None:
    assert in_json().decode(found) == decoded


@pytest.mark.parametrize(
    ("found", "decoded"),
    [
        ("7.25", Decoded(Decimal("7.2"), "7.25")),
        (7, Decoded(Decimal(7), "7")),
        ("NaN", Decoded(None, "NaN", Reason.NOT_A_NUMBER)),
        ("-1", Decoded(None, '"-1"', Reason.SENTINEL)),
        ("7,25", None),
        ("7.25 kWh", None),
        ("", None),
        (None, None),
    ],
)
def test_json_may_write_its_numbers_as_text_where_the_type_says_so(
    found: object, decoded: Decoded | None
) -> None:
    assert in_json('"-1"', quoted=True).decode(found) == decoded


@pytest.mark.parametrize("found", [None, True, "7", [7], {"v": 7}])
def test_what_is_no_number_in_json_is_left_to_the_caller(found: object) -> None:
    assert in_json("-1").decode(found) is None


@pytest.mark.parametrize(
    ("sentinel", "found", "raw"),
    [
        ("-1", -1, "-1"),
        ("-1", Decimal("-1.0"), "-1.0"),
        ("4294967295", 4294967295, "4294967295"),
        ("null", None, "null"),
        ("false", False, "false"),
        ("N/A", "N/A", '"N/A"'),
        ("水", "水", '"\\u6c34"'),
    ],
)
def test_a_json_value_may_mean_that_there_is_none(sentinel: str, found: object, raw: str) -> None:
    assert in_json(sentinel, "x").decode(found) == Decoded(None, raw, Reason.SENTINEL)


@pytest.mark.parametrize(("sentinel", "found"), [("1", True), ("true", 1), ("1", "1"), ("0", None)])
def test_values_of_another_kind_are_not_the_sentinel(sentinel: str, found: object) -> None:
    decoded = in_json(sentinel).decode(found)

    assert decoded is None or decoded.fault is None


# --- to the canonical unit -----------------------------------------------------------------------


@given(
    st.decimals(-(10**9), 10**9, places=6),
    st.sampled_from(["0.0001", "0.01", "1", "0.5", "0.25", "10", "1000", "3"]),
    st.sampled_from(["1", "0.1", "-2", "0.0333"]),
    st.sampled_from(["0", "-40", "0.5"]),
)
def test_a_value_is_rounded_once_to_the_display(
    number: Decimal, resolution: str, scale: str, offset: str
) -> None:
    convert = conversion(
        register(pointer="/v", resolution=resolution, scale=scale, offset=offset, unit="kWh")
    )
    stated = Fraction(number) * Fraction(scale) + Fraction(offset)
    step = Fraction(resolution)

    assert Fraction(convert(number) or 0) == round(stated / step) * step


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("922337203685477.5807", True),
        ("922337203685477.5808", False),
        ("-922337203685477.5807", True),
        ("-922337203685477.5808", False),
        ("1e999999", False),
        ("1e-999999", True),
    ],
)
def test_a_value_fits_the_archive_or_is_none(number: str, *, fits: bool) -> None:
    convert = conversion(register(pointer="/v", resolution="0.0001"))

    assert (convert(Decimal(number)) is not None) is fits
