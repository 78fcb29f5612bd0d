"""What simulated meters send decodes to what they show, for any form of register."""

from __future__ import annotations

from datetime import UTC, datetime
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
from simulators.truth import Truth, recipes

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)


class SteadyCounter:
    """A counter that stands."""

    first = 1_000

    def __init__(self, value: int, rate: int = 0) -> None:
        self._value = value
        self._rate = rate

    def at(self, _time: datetime) -> int:
        return self._value

    def hourly_rate(self, _time: datetime) -> int:
        return self._rate


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


@given(value=st.integers(0, 10**12))
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


@given(value=st.integers(1_000, 10**12))
def test_bands_and_phases_sum_to_the_counter(value: int) -> None:
    forms = {
        name: total(type="uint32", address=2 * place)
        for place, name in enumerate(
            ["import_energy", *(f"import_energy_t{n}" for n in (1, 2, 3, 4))]
        )
    }
    phases = {
        f"total_energy_l{n}": total(kind="partial", type="uint32", address=20 + 2 * n)
        for n in (1, 2, 3)
    }
    truth = Truth(recipes(meter_type(**forms, **phases)), SteadyCounter(value), 1)
    assert truth.value("import_energy", NOON) == value
    assert sum(truth.value(f"import_energy_t{n}", NOON) for n in (1, 2, 3, 4)) == value
    assert sum(truth.value(f"total_energy_l{n}", NOON) for n in (1, 2, 3)) == value


def test_nothing_is_exported_and_a_partial_counts_from_the_start() -> None:
    described = meter_type(
        import_energy=total(type="uint32"),
        export_energy=total(type="uint32", address=2),
        trip=total(kind="partial", type="uint32", address=4),
    )
    truth = Truth(recipes(described), SteadyCounter(5_000), 1)
    assert truth.value("export_energy", NOON) == 0
    assert truth.value("trip", NOON) == 4_000


@pytest.mark.parametrize(
    ("name", "unit", "low", "high"),
    [
        ("voltage", "V", 218, 234),
        ("voltage_l3", "V", 218, 234),
        ("power", "W", 3, 3),
        ("power_l1", "W", 1, 1),
        ("current", "A", 13, 14),
        ("frequency", "Hz", Decimal("49.95"), Decimal("50.05")),
        ("temperature", "degC", 13, 19),
        ("power_factor", "1", Decimal("0.94"), Decimal("0.98")),
        ("state", "1", 0, 0),
    ],
)
def test_gauges_are_plausible(name: str, unit: str, low: Decimal, high: Decimal) -> None:
    gauge = {"kind": "gauge", "unit": unit, "address": 4, "type": "float32", "resolution": "0.1"}
    described = meter_type(**{"import_energy": total(type="uint32"), name: gauge})
    truth = Truth(recipes(described), SteadyCounter(0, rate=30_000), "meter-1")  # 3 kW
    value = from_scaled(truth.value(name, NOON))
    assert low <= value <= high
    assert truth.value(name, NOON.replace(second=30)) == truth.value(name, NOON)
