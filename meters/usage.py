"""Usage: what was consumed at a metering point in an interval, with what stands behind it.

Usage is a difference of registers, never a sum of increments: for each installation the closing
register minus the opening one, a rollover resolved, times the multiplier (invariant I3). A register
that is missing, falls or grows faster than its meter can count blocks the usage; it never becomes
zero and is never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from meters.finding import (
    Exchanged,
    FallingRegister,
    Finding,
    ImplausibleGrowth,
    Interpolated,
    MissingRegister,
    NotInstalled,
    Overlapping,
    RolledOver,
)
from meters.growth import growth
from meters.interval import Interval
from meters.quantity import quantise
from meters.reading import Reading, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from meters.archive.protocol import Boundary
    from meters.installation import Installation
    from meters.meter_type import Register

TOLERANCE = timedelta(minutes=15)
"""How far from a boundary a reading may be and still stand for it as it is."""


class Source(StrEnum):
    """How a register at an instant is known."""

    READ = "read"
    INTERPOLATED = "interpolated"
    RECORDED = "recorded"
    """By a person, when a meter was installed or removed."""
    ISSUED = "issued"
    """It closed a bill that was issued, so it opens the next."""


@dataclass(frozen=True, slots=True)
class RegisterAt:
    """What a meter's register showed at an instant, and the readings that say so."""

    meter: str
    at: datetime
    value: Decimal
    source: Source
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """What one installation counted: (closing − opening, rollover resolved) × multiplier.

    `modulus` is where the counter wraps, None where its type does not say.
    """

    opening: RegisterAt
    closing: RegisterAt
    growth: Decimal
    modulus: Decimal | None
    multiplier: Decimal

    @property
    def quantity(self) -> Decimal:
        return self.growth * self.multiplier


@dataclass(frozen=True, slots=True)
class Usage:
    """What a point consumed in `interval`, in the register's canonical unit.

    `quantity` is None where a finding blocks it.
    """

    point: str
    register: str
    unit: str
    interval: Interval
    quantity: Decimal | None
    segments: tuple[Segment, ...]
    findings: tuple[Finding, ...]

    @property
    def closing(self) -> RegisterAt | None:
        """The register that opens the next period."""
        return self.segments[-1].closing if self.segments and self.quantity is not None else None


def measure(
    *,
    point: str,
    name: str,
    interval: Interval,
    installations: Sequence[Installation],
    registers: Mapping[str, Register],
    boundaries: Mapping[tuple[str, datetime], Boundary],
    issued: RegisterAt | None = None,
) -> Usage:
    """Return the usage of `point` in `interval` by its register `name`.

    `registers` gives each meter type's register of that name; `boundaries` the good readings of
    each meter next to the interval's ends, as the archive returns them; `issued` is the register
    that closed the last issued bill: while its meter stands, it opens this interval.
    """
    standing = sorted(
        ((part, each) for each in installations if (part := each.within(interval)) is not None),
        key=lambda pair: pair[0],
    )
    findings: list[Finding] = [
        *_not_installed(interval, [part for part, _ in standing]),
        *_overlapping(standing),
    ]
    segments: list[Segment] = []
    for index, (part, installation) in enumerate(standing):
        if index:
            removed = standing[index - 1][1].meter
            findings.append(Exchanged(part.start, removed, installation.meter))
        register = registers[installation.meter_type]
        opening = _opening(name, part, installation, register, boundaries=boundaries, issued=issued)
        closing = _closing(name, part, installation, register, boundaries)
        segment, said = _segment(opening, closing, installation, register)
        findings.extend(said)
        if segment is not None:
            segments.append(segment)
    blocked = any(finding.blocks for finding in findings)
    quantity = None if blocked else sum((each.quantity for each in segments), Decimal(0))
    unit = next(iter(registers.values())).canonical_unit
    return Usage(point, name, unit, interval, quantity, tuple(segments), tuple(findings))


def register_at(
    boundary: Boundary, *, meter: str, register: Register, tolerance: timedelta = TOLERANCE
) -> RegisterAt | MissingRegister:
    """Return what `meter` showed at the boundary.

    The reading nearest to it counts if it lies within `tolerance`, else the register is
    interpolated between the readings on both sides, in steps of the display. With one side
    only it is missing.
    """
    at, before, after = boundary.at, boundary.before, boundary.after
    near = [
        (abs(each.time - at), each.time, each)
        for each in (before, after)
        if each is not None and each.value is not None and abs(each.time - at) <= tolerance
    ]
    if near:
        reading = min(near, key=lambda entry: entry[:2])[2]
        return RegisterAt(meter, at, _value(reading), Source.READ, (reading,))
    if before is None or after is None:
        return MissingRegister(meter, at)
    low, high = _value(before), _value(after)
    grown = growth(register, low, high, after.time - before.time)
    if isinstance(grown, Reason):
        return MissingRegister(meter, at)
    second = timedelta(seconds=1)
    share = Decimal((at - before.time) // second) / Decimal((after.time - before.time) // second)
    value = low + quantise(grown * share, register.smallest_step)
    if register.modulus is not None and value >= register.modulus:
        value -= register.modulus
    return RegisterAt(meter, at, value, Source.INTERPOLATED, (before, after))


def _opening(
    name: str,
    part: Interval,
    installation: Installation,
    register: Register,
    *,
    boundaries: Mapping[tuple[str, datetime], Boundary],
    issued: RegisterAt | None,
) -> RegisterAt | MissingRegister:
    meter = installation.meter
    if installation.start == part.start:
        if name in installation.first:
            return RegisterAt(meter, part.start, installation.first[name], Source.RECORDED)
        return MissingRegister(meter, part.start)
    if issued is not None and issued.meter == meter and issued.at == part.start:
        return RegisterAt(meter, issued.at, issued.value, Source.ISSUED, issued.readings)
    return _at_boundary(meter, part.start, register, boundaries)


def _closing(
    name: str,
    part: Interval,
    installation: Installation,
    register: Register,
    boundaries: Mapping[tuple[str, datetime], Boundary],
) -> RegisterAt | MissingRegister:
    meter = installation.meter
    if installation.end == part.end:
        if name in installation.last:
            return RegisterAt(meter, part.end, installation.last[name], Source.RECORDED)
        return MissingRegister(meter, part.end)
    return _at_boundary(meter, part.end, register, boundaries)


def _at_boundary(
    meter: str,
    at: datetime,
    register: Register,
    boundaries: Mapping[tuple[str, datetime], Boundary],
) -> RegisterAt | MissingRegister:
    boundary = boundaries.get((meter, at))
    if boundary is None:
        return MissingRegister(meter, at)
    return register_at(boundary, meter=meter, register=register)


def _segment(
    opening: RegisterAt | MissingRegister,
    closing: RegisterAt | MissingRegister,
    installation: Installation,
    register: Register,
) -> tuple[Segment | None, list[Finding]]:
    missing: list[Finding] = [e for e in (opening, closing) if isinstance(e, MissingRegister)]
    if isinstance(opening, MissingRegister) or isinstance(closing, MissingRegister):
        return None, missing
    said: list[Finding] = [
        Interpolated(end.meter, end.at, end.readings[0].time, end.readings[1].time)
        for end in (opening, closing)
        if end.source is Source.INTERPOLATED
    ]
    elapsed = max(_shown_at(closing) - _shown_at(opening), timedelta(0))
    grown = growth(register, opening.value, closing.value, elapsed)
    if isinstance(grown, Reason):
        kind = ImplausibleGrowth if grown is Reason.RATE else FallingRegister
        return None, [*said, kind(installation.meter, opening.value, closing.value)]
    if closing.value < opening.value:
        said.append(RolledOver(installation.meter))
    return Segment(opening, closing, grown, register.modulus, installation.multiplier), said


def _shown_at(register: RegisterAt) -> datetime:
    """Return when the meter showed the value: a reading that stands for a boundary is beside it."""
    return register.readings[0].time if len(register.readings) == 1 else register.at


def _not_installed(interval: Interval, parts: Sequence[Interval]) -> list[NotInstalled]:
    gaps, start = [], interval.start
    for part in parts:
        if start < part.start:
            gaps.append(NotInstalled(Interval(start, part.start)))
        start = max(start, part.end)
    if start < interval.end:
        gaps.append(NotInstalled(Interval(start, interval.end)))
    return gaps


def _overlapping(standing: Sequence[tuple[Interval, Installation]]) -> list[Overlapping]:
    return [
        Overlapping(earlier.meter, later.meter, both)
        for (one, earlier), (other, later) in pairwise(standing)
        if (both := one.intersection(other)) is not None
    ]


def _value(reading: Reading) -> Decimal:
    if reading.value is None:
        raise ValueError(f"a good reading of {reading.series.meter} holds no value")
    return reading.value
