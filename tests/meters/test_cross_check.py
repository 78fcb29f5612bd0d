"""Cross-checks: what a meter counts must add up, and only what was read is added."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from meters.cross_check import violated
from meters.definition import DefinitionError, validate
from meters.meter_type import MeterType

COUNTER = {"kind": "total", "type": "uint32", "max_rate": 9}


def meter_type(*checks: dict[str, Any]) -> MeterType:
    """Return a type with `total`, `imported` and `exported` in Wh, and a `power`."""
    names = ("total", "imported", "exported")
    registers: dict[str, Any] = {
        name: {**COUNTER, "unit": "Wh", "address": 2 * place} for place, name in enumerate(names)
    }
    registers["power"] = {"kind": "gauge", "unit": "W", "address": 9, "type": "int16"}
    return validate(
        MeterType,
        {
            "kind": "meter-type",
            "id": "a",
            "name": "A",
            "manufacturer": "A",
            "medium": "electricity",
            "modbus": {"function": 3},
            "register": registers,
            "check": list(checks),
        },
        "m.toml",
    )


SUM = {"total": "total", "parts": ["imported", "exported"], "tolerance": "0.02"}


def values(**numbers: str) -> dict[str, Decimal]:
    return {name: Decimal(number) for name, number in numbers.items()}


@pytest.mark.parametrize("total", ["12.48", "12.50", "12.52"])
def test_what_adds_up_within_the_tolerance_is_sound(total: str) -> None:
    found = violated(meter_type(SUM), values(total=total, imported="12.0", exported="0.5"))

    assert found == ()


@pytest.mark.parametrize("total", ["12.479", "12.521", "0", "-12.5"])
def test_what_does_not_add_up_names_the_check(total: str) -> None:
    made = meter_type(SUM)

    assert violated(made, values(total=total, imported="12", exported="0.5")) == made.check


def test_a_check_of_which_a_register_was_not_read_says_nothing() -> None:
    assert violated(meter_type(SUM), values(total="12.5", imported="1")) == ()
    assert violated(meter_type(), values(total="12.5", imported="1", exported="1")) == ()


def test_each_check_is_said_by_itself() -> None:
    made = meter_type(SUM, {"total": "total", "parts": ["imported"], "tolerance": 0})

    assert violated(made, values(total="3", imported="2", exported="1")) == made.check[1:]
    assert violated(made, values(total="3", imported="1", exported="1")) == made.check


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({**SUM, "total": "sum"}, "m.toml: a check names the unknown register 'sum'"),
        ({**SUM, "parts": ["imported", "l1"]}, "m.toml: a check names the unknown register 'l1'"),
        ({**SUM, "parts": ["total"]}, "m.toml: the check of 'total' names a register twice"),
        ({**SUM, "parts": ["imported", "imported"]}, "the check of 'total' names a register twice"),
        ({**SUM, "parts": ["power"]}, "m.toml: the check of 'total' adds up different units"),
        ({**SUM, "parts": []}, "m.toml: check[1].parts: Tuple should have at least 1 item"),
        ({**SUM, "tolerance": "-1"}, "m.toml: check[1].tolerance: Input should be greater than"),
        ({"total": "total", "parts": ["imported"]}, "m.toml: check[1].tolerance: is missing"),
    ],
)
def test_a_check_that_cannot_be_meant_is_refused(check: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        meter_type(check)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("total", "imported", "sound"),
    [
        ("0.005", "999.5", True),  # the total wrapped at 1,000 kWh; its parts did not yet
        ("999.97", "999.5", False),
        ("500", "999.5", False),
        ("0.05", "999.5", False),
    ],
)
def test_a_total_that_wrapped_before_its_parts_still_adds_up(
    total: str, imported: str, *, sound: bool
) -> None:
    made = meter_type(SUM)
    counter = made.registers["total"].model_copy(update={"digits": 6})  # watt-hours
    wrapping = made.model_copy(update={"register_": {**made.registers, "total": counter}})

    found = violated(wrapping, values(total=total, imported=imported, exported="0.51"))

    assert (found == ()) == sound
