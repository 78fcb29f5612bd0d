"""What a run has to measure: which registers of which points, in which parts, divided where."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from billing.calendar import CalendarError
from billing.problem import Problem
from billing.spans import in_force, rated_spans
from meters.interval import Interval
from meters.told import text_of, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from billing.registry import Point, Registry, TariffVersion, Unit
    from billing.spans import InForce, RatedSpan
    from meters.meter_type import MeterType, Register


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the period in which the use of a register is one usage.

    `edges`: the instants inside it at which a tariff's calendar divides it; `windows`: the minutes
    of each demand that is asked for.
    """

    interval: Interval
    edges: frozenset[datetime] = frozenset()
    windows: frozenset[int] = frozenset()


class Wanted(NamedTuple):
    """A register of a point, and the parts of the period that it is wanted in, which tile it.

    `registers`: by meter type; `joined`: those which a tariff asks for that is not cut where others
    are, each several parts long; `by_days`: where parts meet that may be divided by days; `vacant`:
    whether nobody is expected to use anything.
    """

    point: Point
    register: str
    registers: Mapping[str, Register]
    parts: tuple[Part, ...]
    joined: tuple[Part, ...] = ()
    by_days: frozenset[datetime] = frozenset()
    vacant: bool = False

    @property
    def every(self) -> tuple[Part, ...]:
        """The parts, and then those that join them."""
        return self.parts + self.joined

    @property
    def start(self) -> datetime:
        return self.parts[0].interval.start

    @property
    def end(self) -> datetime:
        return self.parts[-1].interval.end

    @property
    def whole(self) -> Interval:
        return Interval(self.start, self.end)


def wanted(
    registry: Registry, types: Mapping[str, MeterType]
) -> tuple[list[Wanted], list[Problem]]:
    """Return every register that a tariff or pool of `registry` asks for, and what it lacks."""
    asking = _Asking(registry)
    found: list[Wanted] = []
    problems: list[Problem] = []
    complete: set[tuple[str, tuple[str, ...]]] = set()
    for point in registry.points:
        kinds = tuple(each.meter_type for each in point.installations)
        for name in sorted(asking.registers(point)):
            if (name, kinds) not in complete:
                lacking = list(_lacking(point, name, types))
                problems += lacking
                if lacking:
                    continue
                complete.add((name, kinds))
            try:
                found.append(_wanted(asking, point, name, types))
            except CalendarError as error:
                problems.append(Problem("CalendarGap", point.code, text_of(error)))
    return found, problems


def _wanted(asking: _Asking, point: Point, name: str, types: Mapping[str, MeterType]) -> Wanted:
    registers = asking.read_as(name, tuple(each.meter_type for each in point.installations), types)
    if point.unit is None:
        parts, joined = asking.of_supply(point, name)
        begins = frozenset(each.interval.start for each in parts[1:])
        return Wanted(point, name, registers, parts, joined, by_days=begins)
    unit = asking.units[point.unit]
    parts, joined = asking.of_unit(unit, point.medium, name)
    return Wanted(
        point,
        name,
        registers,
        parts,
        joined,
        by_days=_by_days(unit, parts),
        vacant=all(span.vacant for span in unit.spans),
    )


def _by_days(unit: Unit, parts: Sequence[Part]) -> frozenset[datetime]:
    """Return where `parts` meet that may be divided by days where no register is known.

    Between two holders they may not: neither pays for the other by an estimate.
    """
    return frozenset(each.interval.start for each in parts[1:]) - _moves(unit)


def _moves(unit: Unit) -> frozenset[datetime]:
    """Return when `unit` changes hands inside the period."""
    return frozenset(
        later.interval.start
        for earlier, later in pairwise(unit.spans)
        if earlier.account != later.account
    )


_Parts: TypeAlias = tuple[tuple[Part, ...], tuple[Part, ...]]
"""The parts that tile a period, and those that join some of them."""


class _Asking:
    """What the tariffs and pools of a community ask for; each answer is found once."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.units = {unit.code: unit for unit in registry.units}
        self._read_by: dict[tuple[tuple[str, ...], str], frozenset[str]] = {}
        self._rated: dict[str, Sequence[RatedSpan]] = {}
        self._parts: dict[tuple[Interval, str, tuple[int, ...]], Part] = {}
        self._of_tariffs: dict[tuple[tuple[str, ...], str, str], _Parts] = {}
        self._read_as: dict[tuple[str, tuple[str, ...]], Mapping[str, Register]] = {}

    @cached_property
    def supplies(self) -> dict[tuple[str, str], list[InForce]]:
        """What rates shared meters, and when, by point code and register."""
        found: dict[tuple[str, str], list[InForce]] = defaultdict(list)
        for source in (each.pool.source for each in self.registry.pools):
            versions = self.registry.tariffs.get(source.tariff or "", ())
            rating = in_force(self.registry.period, versions)
            demands = {need.register for each in versions for need in each.tariff.needs.demand}
            for register in {*source.counted, *demands}:
                for code in source.points:
                    found[code, register].extend(rating)
        return found

    def of_supply(self, point: Point, register: str) -> _Parts:
        """Return the parts of the period of a shared meter: a version of its tariff each."""
        rating = self.supplies.get((point.code, register), ())
        return self._cut(register, [(each.interval, each.version) for each in rating])

    def of_unit(self, unit: Unit, medium: str, register: str) -> _Parts:
        """Return the parts of the period of a unit's meter.

        Where nothing changes of a unit, they are those of all units with its tariffs.
        """
        if len(unit.spans) != 1:
            moves = _moves(unit) if register in self._keys.get(medium, ()) else frozenset()
            return self._cut(register, self._rating(unit, medium, register), moves)
        key = unit.spans[0].tariffs, medium, register
        if key not in self._of_tariffs:
            self._of_tariffs[key] = self._cut(register, self._rating(unit, medium, register))
        return self._of_tariffs[key]

    def _rating(
        self, unit: Unit, medium: str, register: str
    ) -> list[tuple[Interval, TariffVersion]]:
        """Return which versions rate what `register` of a unit counts, and when."""
        return [
            (each.span.interval, each.version)
            for each in self.rated(unit)
            if each.version.tariff.medium == medium
            and register in each.version.tariff.needs.registers
        ]

    def _cut(
        self,
        register: str,
        rating: Sequence[tuple[Interval, TariffVersion]],
        moves: frozenset[datetime] = frozenset(),
    ) -> _Parts:
        """Return the parts of the period, cut where a rating begins or ends, and at `moves`.

        They tile it. What is rated over several of them is a part of its own that joins them.
        """
        asking: dict[Interval, list[TariffVersion]] = defaultdict(list)
        ends = {self.registry.period.interval.start, self.registry.period.interval.end, *moves}
        for interval, version in rating:
            asking[interval].append(version)
            ends |= {interval.start, interval.end}
        tiles = [Interval(start, end) for start, end in pairwise(sorted(ends))]
        joined = sorted(asking.keys() - set(tiles))
        return (
            tuple(self.part(each, register, asking.get(each, ())) for each in tiles),
            tuple(self.part(each, register, asking[each]) for each in joined),
        )

    def registers(self, point: Point) -> set[str]:
        """Return the registers that are read at a point."""
        found = set(self._by_pools.get(point.code, ()))
        if point.unit is not None:
            for span in self.units[point.unit].spans:
                found |= self._read(span.tariffs, point.medium)
        return found

    def rated(self, unit: Unit) -> Sequence[RatedSpan]:
        if unit.code not in self._rated:
            self._rated[unit.code] = rated_spans(self.registry, unit)
        return self._rated[unit.code]

    def read_as(
        self, register: str, kinds: tuple[str, ...], types: Mapping[str, MeterType]
    ) -> Mapping[str, Register]:
        """Return `register` as meters of these types have it, by type."""
        if (register, kinds) not in self._read_as:
            found = {kind: types[kind].registers[register] for kind in kinds}
            self._read_as[register, kinds] = found
        return self._read_as[register, kinds]

    def part(self, interval: Interval, register: str, versions: Sequence[TariffVersion]) -> Part:
        """Return `interval` with what `versions` ask of the use of `register` in it."""
        asking = [
            each
            for each in versions
            if register in each.tariff.needs.bands
            or any(demand.register == register for demand in each.tariff.needs.demand)
        ]
        if not asking:
            return Part(interval)
        key = interval, register, tuple(each.id for each in asking)
        if key not in self._parts:
            self._parts[key] = self._divided(interval, register, asking)
        return self._parts[key]

    def _divided(
        self, interval: Interval, register: str, versions: Sequence[TariffVersion]
    ) -> Part:
        zone = self.registry.period.zone
        edges: set[datetime] = set()
        windows: set[int] = set()
        for tariff in (each.tariff for each in versions):
            if register in tariff.needs.bands and tariff.calendar is not None:
                edges |= {run.start for run in tariff.calendar.runs(interval, zone)}
            windows |= {each.minutes for each in tariff.needs.demand if each.register == register}
        return Part(interval, frozenset(edges - {interval.start}), frozenset(windows))

    @cached_property
    def _keys(self) -> dict[str, set[str]]:
        """The registers of units that are keys of pools, by medium."""
        found: dict[str, set[str]] = defaultdict(set)
        for use in (use for each in self.registry.pools for use in each.pool.uses):
            found[use.medium].add(use.register_name)
        return found

    @cached_property
    def _by_pools(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for source in (each.pool.source for each in self.registry.pools):
            for code in (*source.points, *(source.subs or ())):
                found[code].update(source.counted)
        for code, register in self.supplies:
            found[code].add(register)
        return found

    def _read(self, tariffs: tuple[str, ...], medium: str) -> frozenset[str]:
        """Return the registers that are read at the point of a unit that `tariffs` bill."""
        if (tariffs, medium) not in self._read_by:
            found: set[str] = set()
            for name in tariffs:
                for version in self.registry.tariffs.get(name, ()):
                    if version.tariff.medium == medium:
                        found |= version.tariff.needs.registers
            found |= self._keys.get(medium, set())
            self._read_by[tariffs, medium] = frozenset(found)
        return self._read_by[tariffs, medium]


def _lacking(point: Point, name: str, types: Mapping[str, MeterType]) -> Iterator[Problem]:
    for each in point.installations:
        meter_type = types.get(each.meter_type)
        if meter_type is None:
            yield Problem(
                "UnknownMeterType",
                point.code,
                told(
                    "meter {meter} is of the unknown type '{type}'; add its file",
                    meter=each.meter,
                    type=each.meter_type,
                ),
            )
        elif name not in meter_type.billing_registers:
            yield Problem(
                "UnknownRegister",
                point.code,
                told(
                    "a tariff bills by '{register}', which {type} does not count",
                    register=name,
                    type=meter_type.name,
                ),
            )
    if not point.installations:
        yield Problem(
            "NotInstalled", point.code, told("no meter was ever installed; record the installation")
        )
