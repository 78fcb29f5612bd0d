"""What is true of every register that a meter type may state, from the counters behind the meter.

The register's name, kind and unit say what it is (`import_energy`, `export_energy`, `total_energy`,
`volume`, `import_energy_t2`, `total_energy_l3`, `power`, `voltage_l1`). Registers agree with each
other as a sound meter's do: the total is what was taken and given back, phases and tariff bands sum
up to their whole, power is what moves the counter, and power is voltage times current times power
factor. Values are integers of 10⁻⁴ of the register's canonical unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from meters.meter_type import Kind
from meters.quantity import PER_UNIT
from simulators.chance import between
from simulators.counters import BandedCounter, StandingCounter, restarted
from simulators.display import step_of
from simulators.load import ANCHOR

if TYPE_CHECKING:
    from meters.meter_type import Check, MeterType, Register
    from simulators.load import Counter

_PHASES = 3
_PERCENT = {"kvarh": 30}
"""How much reactive energy goes with 100 of active energy."""
_POWER = frozenset({"kW", "m3/h"})
_REVERSED = re.compile(r"export|reverse|return")
_BOTH_WAYS = re.compile(r"(^|_)(total|sum)(_|$)")
_NET = re.compile(r"(^|_)net(_|$)")
_AT_DATE = re.compile(r"target|set_date|due_date")
_BETWEEN_PHASES = re.compile(r"l[1-3]_?l[1-3]")
_PART = re.compile(r"_([tl])([1-9])(_|$)")

Recipe = Callable[["Truth", datetime], int]
"""How the value of one register follows from what stands behind a meter."""


class Truth:
    """The true values of one meter at any time; `key` draws its gauges."""

    __slots__ = ("_key", "_recipes", "counter", "reverse")

    def __init__(
        self,
        recipes: dict[str, Recipe],
        counter: Counter,
        *key: int | str,
        reverse: Counter | None = None,
    ) -> None:
        self._recipes = recipes
        self._key = key
        self.counter = counter
        self.reverse = StandingCounter() if reverse is None else reverse

    def value(self, name: str, time: datetime) -> int:
        """Return the value of the register `name` at `time`; `KeyError` if the type has none."""
        return self._recipes[name](self, time)

    def restarted(self, since: datetime, first: int) -> Truth:
        """Return what is true once the counters began anew at `since`, with `first` and 0."""
        return Truth(
            self._recipes,
            restarted(self.counter, since, first),
            *self._key,
            reverse=restarted(self.reverse, since, 0),
        )

    def band(self, number: int, of: int, time: datetime) -> int:
        """Return what the band `number` (1 to `of`) has counted."""
        if isinstance(self.counter, BandedCounter) and len(self.counter.bands) == of:
            return self.counter.bands[number - 1].at(time)
        return _share(self.counter.at(time), number, of)

    def wander(self, name: str, time: datetime, middle: int, width: int) -> int:
        """Return a value at most `width` from `middle` that changes every minute."""
        minute = time.replace(second=0, microsecond=0).isoformat()
        return between(middle - width, middle + width, *self._key, name, minute)


class Part(NamedTuple):
    """What a register is a part of, as its name says: 0 stands for all phases, all bands."""

    unit: str
    way: str
    """`in`, `out`, `both` or `net`."""
    phase: int
    band: int


def part_of(name: str, register: Register) -> Part:
    """Return what the register `name` counts a part of."""
    way = "out" if _REVERSED.search(name) else "in"
    if way == "in" and register.kind is not Kind.GAUGE:
        way = "both" if _BOTH_WAYS.search(name) else "net" if _NET.search(name) else "in"
    found = {letter: int(number) for letter, number, _ in _PART.findall(name)}
    return Part(register.canonical_unit, way, found.get("l", 0), found.get("t", 0))


def recipes(meter_type: MeterType) -> dict[str, Recipe]:
    """Return how each register of `meter_type` follows from what stands behind a meter."""
    return _Cookbook(meter_type).recipes


def bands_of(meter_type: MeterType) -> int:
    """Return how many tariff bands a meter of `meter_type` counts: 1 where it knows none."""
    parts = (part_of(name, register) for name, register in meter_type.registers.items())
    return max((part.band for part in parts), default=0) or 1


class _Cookbook:
    def __init__(self, meter_type: MeterType) -> None:
        self._names = {
            part_of(name, register): name for name, register in meter_type.registers.items()
        }
        self._steps = {name: step_of(register) for name, register in meter_type.registers.items()}
        self._bands = bands_of(meter_type)
        self.recipes = {
            name: self._recipe(name, register) for name, register in meter_type.registers.items()
        }
        for check in meter_type.check:
            if not self._holds_by_nature(check, meter_type):
                self.recipes[check.total] = self._sum(check)

    def _holds_by_nature(self, check: Check, meter_type: MeterType) -> bool:
        """Return whether the recipes make `check` hold already."""
        registers = meter_type.registers
        total = part_of(check.total, registers[check.total])
        parts = {part_of(name, registers[name]) for name in check.parts}
        phases = {total._replace(phase=number) for number in range(1, _PHASES + 1)}
        bands = {total._replace(band=number) for number in range(1, self._bands + 1)}
        ways = {total._replace(way=way) for way in ("in", "out")}
        both = total.way == "both" and parts == ways
        return (
            both
            or (total.phase == 0 and parts == phases)
            or (total.band == 0 and self._bands > 1 and parts == bands)
        )

    def _sum(self, check: Check) -> Recipe:
        parts = [(name, self._steps[name]) for name in check.parts]
        return lambda truth, time: sum(
            _floor(self.recipes[name](truth, time), step) for name, step in parts
        )

    def _recipe(self, name: str, register: Register) -> Recipe:
        part = part_of(name, register)
        if register.kind is Kind.GAUGE:
            return self._gauge(name, part)
        if _AT_DATE.search(name):
            whole = self._whole(part)
            return lambda truth, time: whole(truth, _month_began(time))
        if part.phase:
            return self._phase(part, self._whole(part._replace(phase=0)), self._steps[name])
        if register.kind is Kind.PARTIAL and not part.band:
            percent = _PERCENT.get(part.unit, 100)
            return lambda truth, time: (
                (truth.counter.at(time) - truth.counter.first) * percent // 100
            )
        return self._whole(part)

    def _phase(self, part: Part, whole: Recipe, step: int) -> Recipe:
        """Return a third of `whole`, in steps of the display: shown phases sum to the shown sum."""
        of = self._step(part._replace(phase=0), default=step)
        return lambda truth, time: (
            _share(_floor(whole(truth, time), of) // step, part.phase, _PHASES) * step
        )

    def _whole(self, part: Part) -> Recipe:
        """Return the recipe of all phases of `part`."""
        percent = _PERCENT.get(part.unit, 100)
        match part.way:
            case "both" | "net":
                sign = 1 if part.way == "both" else -1
                taken, given = part._replace(way="in"), part._replace(way="out")
                into, out = self._whole(taken), self._whole(given)
                step_in, step_out = self._step(taken), self._step(given)
                return lambda truth, time: (
                    _floor(into(truth, time), step_in) + sign * _floor(out(truth, time), step_out)
                )
            case "out" if part.band:
                return lambda truth, time: _share(
                    truth.reverse.at(time) * percent // 100, part.band, self._bands
                )
            case "out":
                return lambda truth, time: truth.reverse.at(time) * percent // 100
            case _ if part.band:
                return lambda truth, time: truth.band(part.band, self._bands, time) * percent // 100
        bands = self._counted_in_bands(part)
        if not bands:
            return lambda truth, time: truth.counter.at(time) * percent // 100
        return lambda truth, time: sum(
            _floor(truth.band(number, self._bands, time) * percent // 100, step)
            for number, step in bands
        )

    def _counted_in_bands(self, part: Part) -> list[tuple[int, int]]:
        """Return band and step of each band register whose sum `part` is."""
        found = []
        for number in range(1, self._bands + 1):
            of = part._replace(band=number)
            name = self._names.get(of) or self._names.get(of._replace(way="both"))
            if name is not None:
                found.append((number, self._steps[name]))
        return found if len(found) == self._bands > 1 else []

    def _step(self, part: Part, default: int = 1) -> int:
        """Return the step of the register that shows `part`, `default` where none does."""
        return self._steps.get(self._names.get(part, ""), default)

    def _gauge(self, name: str, part: Part) -> Recipe:
        match part.unit:
            case unit if unit in _POWER:
                whole = self._power(part)
                return self._phase(part, whole, self._steps[name]) if part.phase else whole
            case "A":
                return self._current(part)
            case "V":
                return self._voltage(name)
            case "Hz":
                middle, width = 50 * PER_UNIT, PER_UNIT // 20
            case "degC":
                middle, width = 16 * PER_UNIT, 3 * PER_UNIT
            case "1" if "factor" in name:
                middle, width = 96 * PER_UNIT // 100, PER_UNIT // 50
            case _:
                return lambda _truth, _time: 0
        return lambda truth, time: truth.wander(name, time, middle, width)

    @staticmethod
    def _power(part: Part) -> Recipe:
        if part.way == "out":
            return lambda truth, time: truth.reverse.hourly_rate(time)
        return lambda truth, time: truth.counter.hourly_rate(time) - truth.reverse.hourly_rate(time)

    @staticmethod
    def _voltage(name: str) -> Recipe:
        if "battery" in name:
            return lambda _truth, _time: 36 * PER_UNIT // 10
        # between two phases there is √3 of what is between one and neutral
        per_mille = 1732 if _BETWEEN_PHASES.search(name) else 1000
        return lambda truth, time: (
            truth.wander(name, time, 226 * PER_UNIT, 8 * PER_UNIT) * per_mille // 1000
        )

    def _current(self, part: Part) -> Recipe:
        """Return active power through voltage and power factor, of one phase of three, or of one.

        A current without a phase in its name is that of a meter with one phase.
        """
        phases = _PHASES if part.phase else 1
        power = self._power(part._replace(unit="kW"))
        volts = self._gauge_of("V", part)
        factor = self._gauge_of("1", part)

        def amperes(truth: Truth, time: datetime) -> int:
            watts = abs(power(truth, time)) * 1000 // phases
            by = 226 * PER_UNIT if volts is None else volts(truth, time)
            cosine = PER_UNIT if factor is None else factor(truth, time)
            return watts * PER_UNIT * PER_UNIT // (by * cosine)

        return amperes

    def _gauge_of(self, unit: str, part: Part) -> Recipe | None:
        """Return voltage or power factor of the phase of `part`, None where no register shows it.

        The sum of the phases stands in for a phase that has none of its own.
        """
        for phase in (part.phase, 0):
            name = self._names.get(Part(unit, "in", phase, 0), "")
            if unit == "V" and name and not _BETWEEN_PHASES.search(name):
                return self._voltage(name)
            if unit == "1" and "factor" in name:
                return lambda truth, time: truth.wander(
                    name, time, 96 * PER_UNIT // 100, PER_UNIT // 50
                )
        return None


def _share(value: int, number: int, of: int) -> int:
    """Return the part `number` of `of` of `value`: they sum to it, and none falls as it grows."""
    return (value + number - 1) // of


def _floor(value: int, step: int) -> int:
    return value - value % step


def _month_began(time: datetime) -> datetime:
    return max(time.replace(day=1, hour=0, minute=0, second=0, microsecond=0), ANCHOR)
