"""What simulated meters send decodes to what they show, for any form of register."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.decoding import decode_register
from meters.meter_type import MeterType
from meters.quantity import from_scaled, to_scaled
from meters.reading import Reason
from simulators.display import Display


def meter_type(**registers: dict[str, Any]) -> MeterType:
    return MeterType.model_validate(
        {
            "kind": "meter-type",
            "id": "made-up",
            "name": "Made up",
            "manufacturer": "Nobody",
            "medium": "electricity",
            "modbus": {"function": 3, "order": "CDAB"},
            "register": registers,
        }
    )


def total(**changes: Any) -> dict[str, Any]:
    return {"kind": "total", "unit": "kWh", "address": 0, "max_rate": "15", **changes}


FORMS = [
    total(type="uint32", scale="0.01"),
    total(type="uint32", unit="Wh"),
    total(type="int32", scale="0.1", order="DCBA"),
    total(type="uint64", unit="Wh", scale="0.1"),
    total(type="float64", unit="MWh", resolution="0.001"),
    total(type="float32", resolution="0.01", digits=6),
    total(type="uint32", scale="0.01", offset="-5"),
]


@pytest.mark.parametrize("form", FORMS)
@given(value=st.integers(0, 10**9))
def test_words_decode_to_what_the_display_shows(form: dict[str, Any], value: int) -> None:
    described = meter_type(import_energy=form)
    display = Display(described, "import_energy")
    decoded = decode_register(described, "import_energy", display.words(value))
    assert decoded.value == from_scaled(display.shown(value))


@given(value=st.integers(0, 10**11))
def test_a_display_shows_whole_steps_and_never_more_than_was_counted(value: int) -> None:
    display = Display(meter_type(import_energy=total(type="uint32", scale="0.01")), "import_energy")
    assert 0 <= value - display.shown(value) < 100
    assert display.shown(value) % 100 == 0


def test_a_counter_wraps_after_its_last_digit() -> None:
    described = meter_type(import_energy=total(type="float32", resolution="0.1", digits=5))
    display = Display(described, "import_energy")
    assert display.shown(to_scaled(Decimal("9999.9"))) == to_scaled(Decimal("9999.9"))
    assert display.shown(to_scaled(Decimal("10000.0"))) == 0
    assert display.shown(to_scaled(Decimal("10001.37"))) == to_scaled(Decimal("1.3"))


def test_an_integer_register_wraps_where_it_is_full() -> None:
    display = Display(meter_type(import_energy=total(type="uint16", scale="0.1")), "import_energy")
    assert display.words(to_scaled(Decimal("6553.5"))) == (0xFFFF,)
    assert display.words(to_scaled(Decimal("6553.6"))) == (0,)


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        (total(type="float32", resolution="0.01"), Reason.NOT_A_NUMBER),
        (total(type="uint32", sentinels=["ffff ffff"]), Reason.SENTINEL),
    ],
)
def test_sentinel_words_hold_no_value(form: dict[str, Any], fault: Reason) -> None:
    described = meter_type(import_energy=form)
    words = Display(described, "import_energy").sentinel_words()
    assert decode_register(described, "import_energy", words).fault is fault


def test_an_integer_without_a_sentinel_of_its_own_sends_all_ones() -> None:
    display = Display(meter_type(import_energy=total(type="uint32")), "import_energy")
    assert display.sentinel_words() == (0xFFFF, 0xFFFF)
