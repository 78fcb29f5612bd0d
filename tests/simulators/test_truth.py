"""Registers of one meter agree with each other, as a sound meter's do."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.meter_type import MeterType
from meters.quantity import from_scaled
from simulators.counters import BandedCounter, StandingCounter
from simulators.display import Display
from simulators.truth import Truth, bands_of, recipes

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
VALUES = st.integers(0, 10**10)


class SteadyCounter:
    """A counter that stands, and a power that does not care."""

    first = 1_000

    def __init__(self, value: int, rate: int = 0) -> None:
        self._value = value
        self._rate = rate

    def at(self, _time: datetime) -> int:
        return self._value

    def hourly_rate(self, _time: datetime) -> int:
        return self._rate


def register(address: int, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "total",
        "unit": "kWh",
        "address": address,
        "type": "uint32",
        "scale": "0.01",
        "max_rate": "15",
        **changes,
    }


def gauge(address: int, unit: str, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "gauge",
        "unit": unit,
        "address": address,
        "type": "float32",
        "resolution": "0.0001",
        **changes,
    }


def meter_type(*checks: dict[str, Any], **registers: dict[str, Any]) -> MeterType:
    return MeterType.model_validate(
        {
            "kind": "meter-type",
            "id": "made-up",
            "name": "Made up",
            "manufacturer": "Nobody",
            "medium": "electricity",
            "modbus": {"function": 3},
            "register": registers,
            "check": checks,
            "proof": [
                {
                    "kind": "computed",
                    "source": "made up",
                    "words": "0000",
                    "expect": {min(registers): 0},
                }
            ],
        }
    )


def named(*names: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """Return a register for each name, at addresses of their own."""
    return {name: register(4 * place, **changes) for place, name in enumerate(names)}


def shown(described: MeterType, truth: Truth) -> dict[str, int]:
    return {
        name: Display(described, name).shown(truth.value(name, NOON))
        for name in described.registers
    }


@given(taken=VALUES, given_back=VALUES)
def test_the_total_is_what_was_taken_and_given_back(taken: int, given_back: int) -> None:
    described = meter_type(**named("total_energy", "import_energy", "export_energy", "net_energy"))
    truth = Truth(recipes(described), SteadyCounter(taken), 1, reverse=SteadyCounter(given_back))
    seen = shown(described, truth)
    assert seen["import_energy"] == taken - taken % 100
    assert seen["export_energy"] == given_back - given_back % 100
    assert seen["total_energy"] == seen["import_energy"] + seen["export_energy"]
    assert truth.value("net_energy", NOON) == seen["import_energy"] - seen["export_energy"]


@given(value=VALUES)
def test_phases_sum_to_the_whole_as_shown(value: int) -> None:
    names = ["import_energy", *(f"import_energy_l{n}" for n in (1, 2, 3))]
    described = meter_type(**named(*names))
    seen = shown(described, Truth(recipes(described), SteadyCounter(value), 1))
    assert sum(seen[name] for name in names[1:]) == seen["import_energy"]
    assert max(seen[name] for name in names[1:]) - min(seen[name] for name in names[1:]) <= 100


@given(bands=st.lists(VALUES, min_size=2, max_size=4))
def test_tariff_bands_sum_to_the_whole_as_shown(bands: list[int]) -> None:
    names = [f"import_energy_t{n}" for n in range(1, len(bands) + 1)]
    described = meter_type(**named("import_energy", *names))
    assert bands_of(described) == len(bands)
    counter = BandedCounter(StandingCounter(band) for band in bands)
    seen = shown(described, Truth(recipes(described), counter, 1))
    assert [seen[name] for name in names] == [band - band % 100 for band in bands]
    assert sum(seen[name] for name in names) == seen["import_energy"]


@given(value=VALUES)
def test_a_counter_that_knows_no_bands_is_shared_among_them(value: int) -> None:
    names = [f"total_energy_t{n}" for n in (1, 2, 3)]
    described = meter_type(**named("total_energy", *names))
    seen = shown(described, Truth(recipes(described), SteadyCounter(value), 1))
    assert sum(seen[name] for name in names) == seen["total_energy"]


@given(value=VALUES)
def test_a_check_of_names_that_say_nothing_holds_too(value: int) -> None:
    described = meter_type(
        {"total": "everything", "parts": ["left", "right"], "tolerance": "0"},
        **named("everything", "left", "right"),
    )
    seen = shown(described, Truth(recipes(described), SteadyCounter(value), 1))
    assert seen["everything"] == seen["left"] + seen["right"]
    assert seen["left"] == value - value % 100


def test_reactive_and_apparent_energy_follow_the_active_one() -> None:
    described = meter_type(import_energy=register(0), reactive_energy=register(4, unit="kvarh"))
    seen = shown(described, Truth(recipes(described), SteadyCounter(1_000_000), 1))
    assert seen == {"import_energy": 1_000_000, "reactive_energy": 300_000}


def test_a_value_at_the_set_date_stands_all_month() -> None:
    class Seconds(SteadyCounter):
        def at(self, time: datetime) -> int:
            return int(time.timestamp()) * 100

    described = meter_type(volume=register(0), target_volume=register(4))
    truth = Truth(recipes(described), Seconds(0), 1)
    month = datetime(2026, 10, 1, tzinfo=UTC)
    for time in (month, NOON, datetime(2026, 10, 31, 23, 59, tzinfo=UTC)):
        assert truth.value("target_volume", time) == truth.value("volume", month)


@given(rate=st.integers(0, 300_000))
def test_power_is_voltage_times_current_times_power_factor(rate: int) -> None:
    registers = {
        f"{name}_l{n}": gauge(10 * place + 2 * n, unit)
        for place, (name, unit) in enumerate(
            [("power", "kW"), ("voltage", "V"), ("current", "A"), ("power_factor", "1")], start=1
        )
        for n in (1, 2, 3)
    }
    described = meter_type(import_energy=register(0), power=gauge(2, "kW"), **registers)
    truth = Truth(recipes(described), SteadyCounter(0, rate), "m")
    value = {name: from_scaled(truth.value(name, NOON)) for name in described.registers}
    assert value["power"] == from_scaled(rate)
    assert sum(value[f"power_l{n}"] for n in (1, 2, 3)) == value["power"]
    for n in (1, 2, 3):
        volts, amperes, factor = (
            value[f"{name}_l{n}"] for name in ("voltage", "current", "power_factor")
        )
        assert abs(volts * amperes * factor / 1000 - value[f"power_l{n}"]) < Decimal("0.001")


def test_what_flows_back_makes_power_negative() -> None:
    described = meter_type(
        import_energy=register(0), power=gauge(2, "kW"), export_power=gauge(4, "kW")
    )
    reverse = SteadyCounter(0, rate=20_000)
    truth = Truth(recipes(described), SteadyCounter(0, rate=5_000), 1, reverse=reverse)
    assert truth.value("power", NOON) == -15_000
    assert truth.value("export_power", NOON) == 20_000


def test_nothing_is_exported_and_a_partial_counts_from_the_start() -> None:
    described = meter_type(
        import_energy=register(0), export_energy=register(2), trip=register(4, kind="partial")
    )
    truth = Truth(recipes(described), SteadyCounter(5_000), 1)
    assert truth.value("export_energy", NOON) == 0
    assert truth.value("trip", NOON) == 4_000


@pytest.mark.parametrize(
    ("name", "unit", "low", "high"),
    [
        ("voltage", "V", 218, 234),
        ("voltage_l3", "V", 218, 234),
        ("voltage_l1_l2", "V", 377, 406),
        ("battery_voltage", "V", Decimal("3.6"), Decimal("3.6")),
        ("power", "W", 3, 3),
        ("power_l1", "W", 1, 1),
        ("current", "A", 13, 15),
        ("frequency", "Hz", Decimal("49.95"), Decimal("50.05")),
        ("temperature", "degC", 13, 19),
        ("power_factor", "1", Decimal("0.94"), Decimal("0.98")),
        ("state", "1", 0, 0),
    ],
)
def test_gauges_are_plausible(name: str, unit: str, low: Decimal, high: Decimal) -> None:
    described = meter_type(**{"import_energy": register(0), name: gauge(4, unit, resolution="0.1")})
    truth = Truth(recipes(described), SteadyCounter(0, rate=30_000), "meter-1")  # 3 kW
    value = from_scaled(truth.value(name, NOON))
    assert low <= value <= high
    assert truth.value(name, NOON.replace(second=30)) == truth.value(name, NOON)
