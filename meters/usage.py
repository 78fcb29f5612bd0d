"""Usage: what was consumed at a metering point in an interval, with what stands behind it.

Usage is a difference of registers, never a sum of increments: for each installation the closing
register minus the opening one, a rollover resolved, times the multiplier (invariant I3). A register
that is missing, falls or grows faster than its meter can count blocks the usage; it never becomes
zero and is never guessed.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from meters.finding import (
    AmbiguousRollover,
    CoarseRegister,
    Estimated,
    Exchanged,
    FallingRegister,
    Finding,
    ImplausibleGrowth,
    Interpolated,
    MissingRegister,
    NegativeTrueUp,
    NotABillingRegister,
    NotInstalled,
    Overlapping,
    RatioChanged,
    Rescaled,
    RolledOver,
    TruedUp,
    Unconfirmed,
    VerificationExpired,
)
from meters.growth import growth
from meters.interval import Interval
from meters.reading import Reason
from meters.register_at import RegisterAt, Source, register_at, scales_at, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from meters.archive.protocol import Boundary
    from meters.demand import Peak
    from meters.history import History
    from meters.installation import Installation
    from meters.meter_type import Register
    from meters.stepwise import Steps

NO_TIME = timedelta(0)
COARSE_STEP = Decimal("0.1")
COARSE_PARTS = 20
"""Coarse is a register of which one step, of `COARSE_STEP` or more, is over 1/20 of the use."""


class Segment(NamedTuple):
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


class Usage(NamedTuple):
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
    steps: Steps | None = None
    """Its registers at edges inside the interval, where a tariff asks for its use in parts."""
    peaks: tuple[Peak, ...] = ()
    """Its highest averages, where a tariff asks for demand."""
    joined: bool = False
    """Whether other usages of its register count the same in parts; those tile the period."""

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
    boundaries: Mapping[tuple[str, datetime], Boundary | RegisterAt],
    issued: RegisterAt | None = None,
    histories: Mapping[str, History] | None = None,
) -> Usage:
    """Return the usage of `point` in `interval` by its register `name`.

    `registers` gives each meter type's register of that name; `boundaries` the good readings of
    each meter next to the interval's ends and to the changes of a ratio in it, as the archive
    returns them, or the register that a person or an estimate states in their place; `issued` is
    the register that closed the last issued bill: while its meter stands, it opens this interval.
    `histories` hold all that a meter showed in the interval: where they are given, they count
    instead of its boundaries, and settle what `is_unsettled` without them.
    """
    if len(installations) == 1 and histories is None:
        (alone,) = installations
        seen = _Seen(name, alone, registers[alone.meter_type], boundaries, None, issued)
        plain = _plain(point, interval, seen)
        if plain is not None:
            return plain
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
        seen = _Seen(
            name,
            installation,
            registers[installation.meter_type],
            boundaries,
            (histories or {}).get(installation.meter),
            issued,
        )
        counted, said = _counted(part, seen)
        segments.extend(counted)
        findings.extend(said)
    blocked = any(finding.blocks for finding in findings)
    quantity = None if blocked else sum((each.quantity for each in segments), Decimal(0))
    unit = next(iter(registers.values())).canonical_unit
    return Usage(point, name, unit, interval, quantity, tuple(segments), tuple(findings))


def opening(
    installation: Installation,
    interval: Interval,
    *,
    name: str,
    register: Register,
    boundaries: Mapping[tuple[str, datetime], Boundary | RegisterAt],
    issued: RegisterAt | None,
) -> RegisterAt | MissingRegister | Unconfirmed | None:
    """Return what a meter showed where its part of `interval` begins, as `measure` takes it.

    None for a meter that did not stand in it.
    """
    part = installation.within(interval)
    if part is None:
        return None
    return _Seen(name, installation, register, boundaries, None, issued).opening(part.start)


def is_unsettled(usage: Usage) -> bool:
    """Return whether the history of its meters can tell more of `usage` than its boundaries."""
    return bool(usage.findings) and any(
        isinstance(each, (RolledOver, AmbiguousRollover, Unconfirmed)) for each in usage.findings
    )


class _Seen(NamedTuple):
    """What is known of a meter where it stood: its register `name`, read and recorded."""

    name: str
    installation: Installation
    register: Register
    boundaries: Mapping[tuple[str, datetime], Boundary | RegisterAt]
    history: History | None
    issued: RegisterAt | None

    @property
    def meter(self) -> str:
        return self.installation.meter

    def opening(self, at: datetime) -> RegisterAt | MissingRegister | Unconfirmed:
        installed, issued = self.installation, self.issued
        if installed.start == at:
            return self._recorded(installed.first, at, installed.first_photo)
        if issued is not None and issued.meter == self.meter and issued.at == at:
            return issued._replace(source=Source.ISSUED, photo=None)
        return self.between(at)

    def closing(self, at: datetime) -> RegisterAt | MissingRegister | Unconfirmed:
        installed = self.installation
        if installed.end == at:
            return self._recorded(installed.last, at, installed.last_photo)
        return self.between(at)

    def between(self, at: datetime) -> RegisterAt | MissingRegister | Unconfirmed:
        """Return the register while the meter stands: stated, recorded with a ratio, or read."""
        boundary = self.boundaries.get((self.meter, at))
        if isinstance(boundary, RegisterAt):
            return boundary
        if self.installation.ratios:
            ratio = self.installation.changed_at(at)
            if ratio is not None and self.name in ratio.shown:
                return self._recorded(ratio.shown, at, ratio.photo)
        if self.history is not None:
            boundary = self.history.boundary(at)
        if boundary is None:
            return MissingRegister(self.meter, at)
        return register_at(boundary, meter=self.meter, register=self.register, history=self.history)

    def _recorded(
        self, registers: Mapping[str, Decimal], at: datetime, photo: str | None
    ) -> RegisterAt | MissingRegister:
        if self.name not in registers:
            return MissingRegister(self.meter, at)
        value = registers[self.name]
        return RegisterAt(self.meter, at, value, Source.RECORDED, photo=photo)


def _plain(point: str, interval: Interval, seen: _Seen) -> Usage | None:
    """Return the usage of a meter that stood alone, was read at both ends, and has nothing to say.

    So it is with most; None for all else, of which `_counted` tells what is to be said.
    """
    installation, register = seen.installation, seen.register
    start, end, verified = interval.start, interval.end, installation.verified_until
    if (
        installation.ratios
        or not installation.start < start
        or (installation.end is not None and installation.end <= end)
        or (verified is not None and verified < end)
        or not register.is_billing
    ):
        return None
    opening, closing = seen.opening(start), seen.closing(end)
    if not isinstance(opening, RegisterAt) or not isinstance(closing, RegisterAt):
        return None
    if opening.source not in _READ or closing.source not in _READ or opening.estimate is not None:
        return None
    segments, said = _segment(opening, closing, installation.multiplier, seen)
    if said:
        return None
    quantity = Decimal(0) + segments[0].quantity
    unit = register.canonical_unit
    return Usage(point, seen.name, unit, interval, quantity, tuple(segments), ())


_READ = (Source.READ, Source.ISSUED)


def _counted(part: Interval, seen: _Seen) -> tuple[list[Segment], list[Finding]]:
    """Return what one meter counted in its part of the interval, a segment for each multiplier."""
    installation, register = seen.installation, seen.register
    if not register.is_billing:
        return [], [
            NotABillingRegister(
                seen.meter, seen.name, "check-only" if register.check_only else register.kind
            )
        ]
    segments: list[Segment] = []
    said: list[Finding] = []
    pieces = list(installation.pieces(part))
    ends = [
        seen.opening(part.start),
        *(seen.between(piece.start) for piece, _ in pieces[1:]),
        seen.closing(part.end),
    ]
    said += [each for each in ends if not isinstance(each, RegisterAt)]
    said += _on_sources(ends)
    for index, (piece, multiplier) in enumerate(pieces):
        if index:
            said.append(RatioChanged(piece.start, seen.meter, pieces[index - 1][1], multiplier))
        opening, closing = ends[index], ends[index + 1]
        if isinstance(opening, RegisterAt) and isinstance(closing, RegisterAt):
            found, more = _segment(opening, closing, multiplier, seen)
            segments += found
            said += more
    if installation.verified_until is not None and installation.verified_until < part.end:
        said.append(VerificationExpired(seen.meter, installation.verified_until))
    return segments, said


def _on_sources(ends: Sequence[RegisterAt | Finding]) -> Iterator[Finding]:
    """Yield what is to be said of registers that were not simply read."""
    for end in ends:
        if not isinstance(end, RegisterAt):
            continue
        if end.source is Source.INTERPOLATED:
            before, after = end.readings
            yield Interpolated(end.meter, end.at, before.time, after.time)
        elif end.source is Source.ESTIMATED and end.estimate is not None:
            yield Estimated(end.meter, end.at, end.value, str(end.estimate.method))
        elif end.source is Source.ISSUED and end.estimate is not None:
            yield TruedUp(end.meter, end.value)


def _segment(
    opening: RegisterAt, closing: RegisterAt, multiplier: Decimal, seen: _Seen
) -> tuple[list[Segment], list[Finding]]:
    if _is_overestimated(opening, closing, seen.register):
        return [], [NegativeTrueUp(seen.meter, opening.value, closing.value)]
    grown = _grown(opening, closing, seen)
    if isinstance(grown, Reason):
        kind = _BLOCKING.get(grown, FallingRegister)
        return [], [kind(seen.meter, opening.value, closing.value)]
    said: list[Finding] = []
    if closing.value < opening.value:
        said.append(RolledOver(seen.meter))
    if len(scales_at(seen.register, opening, closing)) > 1:
        said.append(Rescaled(seen.meter, opening.value, closing.value))
    step = seen.register.smallest_step * multiplier
    if step >= COARSE_STEP and 0 < grown * multiplier < step * COARSE_PARTS:
        said.append(CoarseRegister(seen.meter, step, grown * multiplier))
    return [Segment(opening, closing, grown, seen.register.modulus, multiplier)], said


_BLOCKING: Mapping[Reason, Callable[[str, Decimal, Decimal], Finding]] = {
    Reason.RATE: ImplausibleGrowth,
    Reason.AMBIGUOUS: AmbiguousRollover,
    Reason.FALLING: FallingRegister,
}


def _is_overestimated(opening: RegisterAt, closing: RegisterAt, register: Register) -> bool:
    """Return whether the meter fell below an estimate: by less than half of a turn."""
    if opening.estimate is None:
        return False
    fallen = opening.value - closing.value
    return fallen > 0 and (register.modulus is None or 2 * fallen < register.modulus)


def _grown(opening: RegisterAt, closing: RegisterAt, seen: _Seen) -> Decimal | Reason:
    """Return what the counter grew by; where its history is known, step by step.

    One turn is what evidence can tell: (closing − opening) mod 10^digits.
    """
    register, history = seen.register, seen.history
    start, end = _shown_at(opening), _shown_at(closing)
    if history is None:
        return growth(register, opening.value, closing.value, max(end - start, NO_TIME))
    whole, value, time = Decimal(0), opening.value, start
    steps = [(value_of(each), each.time) for each in history.between(start, end)]
    if opening.estimate is not None and steps and steps[0][0] < value:
        whole, (value, time) = steps[0][0] - value, steps[0]  # less than was estimated: no fall
    for next_value, next_time in [*steps, (closing.value, end)]:
        step = growth(register, value, next_value, max(next_time - time, NO_TIME))
        if isinstance(step, Reason):
            return step
        whole, value, time = whole + step, next_value, next_time
    difference = closing.value - opening.value
    if difference < 0 and register.modulus is not None:
        difference += register.modulus
    return whole if whole == difference else Reason.AMBIGUOUS


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
