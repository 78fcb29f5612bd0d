"""What is true of every register that a meter type may state, from the meter's one counter.

The register's name and kind say what it is (`import_energy`, `export_energy`, `volume`,
`import_energy_t2`, `total_energy_l3`, `voltage`); a gauge is made up around what the unit suggests.
Values are integers of 10⁻⁴ of the register's canonical unit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meters.meter_type import Kind
from meters.quantity import PER_UNIT
from simulators.chance import between

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from meters.meter_type import MeterType, Register
    from simulators.load import Counter

_PHASES = 3
_POWER_UNITS = ("kW", "m3/h")
_REVERSED = re.compile(r"(export|reverse)")
_PART = re.compile(r"_([tl])([1-9])(_|$)")


class Truth:
    """The true values of one meter of `meter_type` at any time; `key` draws its gauges."""

    def __init__(self, meter_type: MeterType, counter: Counter, *key: int | str) -> None:
        self._counter = counter
        self._key = key
        bands = [_part(name, "t") for name in meter_type.registers]
        self._bands = max((number for number in bands if number), default=1)
        self._sources: dict[str, Callable[[datetime], int]] = {
            name: self._source(name, register) for name, register in meter_type.registers.items()
        }

    def value(self, name: str, time: datetime) -> int:
        """Return the value of the register `name` at `time`; `KeyError` if the type has none."""
        return self._sources[name](time)

    def _source(self, name: str, register: Register) -> Callable[[datetime], int]:
        if register.kind is Kind.GAUGE:
            return self._gauge(name, register)
        if _REVERSED.search(name):
            return lambda _: 0
        counter = self._counter
        for letter, parts in (("t", self._bands), ("l", _PHASES)):
            if number := _part(name, letter):
                # floors of (n + i) / parts for i = 0 … parts - 1 sum to n, and never fall
                return lambda time: (counter.at(time) + number - 1) // parts
        if register.kind is Kind.PARTIAL:
            return lambda time: counter.at(time) - counter.first
        return counter.at

    def _gauge(self, name: str, register: Register) -> Callable[[datetime], int]:
        phases = _PHASES if _part(name, "l") else 1
        rate = self._counter.hourly_rate
        match register.canonical_unit:
            case unit if unit in _POWER_UNITS:
                return lambda time: rate(time) // phases
            case "A":
                return lambda time: rate(time) * 1000 // (230 * phases)
            case "V":
                return lambda time: self._wander(name, time, 226 * PER_UNIT, 8 * PER_UNIT)
            case "Hz":
                return lambda time: self._wander(name, time, 50 * PER_UNIT, PER_UNIT // 20)
            case "degC":
                return lambda time: self._wander(name, time, 16 * PER_UNIT, 3 * PER_UNIT)
            case "1" if "factor" in name:
                return lambda time: self._wander(name, time, 96 * PER_UNIT // 100, PER_UNIT // 50)
            case _:
                return lambda _: 0

    def _wander(self, name: str, time: datetime, middle: int, width: int) -> int:
        """Return a value at most `width` from `middle` that changes every minute."""
        minute = time.replace(second=0, microsecond=0).isoformat()
        return between(middle - width, middle + width, *self._key, name, minute)


def _part(name: str, letter: str) -> int:
    """Return which tariff band (`t`) or phase (`l`) `name` means, 0 for none."""
    match = _PART.search(name)
    return int(match[2]) if match and match[1] == letter else 0
