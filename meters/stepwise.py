"""Use in parts: registers at edges inside an interval, and what was counted between them.

The parts of a usage are differences of its cumulative register, from its opening over the edges to
its closing, so they sum to it exactly. An edge at which the meter was not read is interpolated
between readings nearby; one that nobody knows is missing, and blocks what rests on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from meters.archive.rows import EPOCH, SECOND
from meters.edges import NEVER_AGAIN_S, NEVER_S
from meters.finding import Finding
from meters.growth import GRACE_S, HOUR_S
from meters.quantity import to_scaled
from meters.register_at import TOLERANCE, RegisterAt, Source, register_at
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from meters.edges import Edges, Int64s
    from meters.history import History
    from meters.meter_type import Register
    from meters.usage import Segment, Usage

MISSING, READ, INTERPOLATED, BRIDGED = range(4)
"""How a register at an edge is known. Bridged: in proportion to time, over any gap."""
OVER_INT64 = 2**62


class Shown(NamedTuple):
    """What one meter showed at edges, ascending in time; all int64[e].

    `at_s`: seconds since 1970; `values`: 10⁻⁴ of its unit; `sources`: how each is known.
    """

    at_s: Int64s
    values: Int64s
    sources: Int64s


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A usage in parts: between `edges_s` (int64[e], inside its interval), and up to its ends.

    `quantities`: int64[e + 1], 10⁻⁴ of its unit, which sum to the usage. `pieces`: the registers
    that they are differences of: of each segment the edges in it, its opening and its closing.
    """

    edges_s: Int64s
    quantities: Int64s = field(repr=False)
    pieces: tuple[Shown, ...] = field(repr=False)

    def between(self, edges_s: Int64s) -> Int64s:
        """Return int64[len(edges_s) + 1], the parts between some of the edges, in order.

        Raises `ValueError` for an instant that is no edge.
        """
        parts: Int64s = np.add.reduceat(self.quantities, starts_of_parts(self.edges_s, edges_s))
        return parts


def starts_of_parts(all_s: Int64s, edges_s: Int64s) -> Int64s:
    """Return where, of the parts between `all_s`, those between some of these edges begin.

    Raises `ValueError` for an instant that is no edge.
    """
    places = np.searchsorted(all_s, edges_s)
    if len(edges_s) and not np.array_equal(all_s[np.minimum(places, len(all_s) - 1)], edges_s):
        raise ValueError("a use can be divided at its edges only")
    return np.concatenate([[0], places + 1])


@dataclass(frozen=True, slots=True)
class MissingEdges(Finding):
    """Nothing says what `meter` showed at `count` instants at which its use is divided."""

    blocks: ClassVar[bool] = True
    meter: str
    count: int
    first: datetime

    def __str__(self) -> str:
        return told(
            "meter {meter} was not read near {count} instants at which its use is "
            "divided, the first at {first}; have its use divided by time, or wait "
            "for readings that are still to come",
            meter=self.meter,
            count=self.count,
            first=self.first,
        )


@dataclass(frozen=True, slots=True)
class ContradictingEdges(Finding):
    """The registers between the ends of a use do not lead from its opening to its closing."""

    blocks: ClassVar[bool] = True
    meter: str
    at: datetime

    def __str__(self) -> str:
        return told(
            "meter {meter} counts back or too fast at {at}, inside of what its "
            "registers at both ends say; check its readings",
            meter=self.meter,
            at=self.at,
        )


def shown(edges: Edges, row: int, register: Register, *, tolerance: timedelta = TOLERANCE) -> Shown:
    """Return what the series in `row` of `edges` showed at each instant.

    As at any boundary: the nearest reading within `tolerance`, else between those on both sides.
    """
    every = np.arange(len(edges.instants_s))
    values, sources = nearest(edges, np.array([row]), every, [register], tolerance)
    return Shown(edges.instants_s, values[0], sources[0])


def nearest(
    edges: Edges, rows: Int64s, asked: Int64s, registers: Sequence[Register], tolerance: timedelta
) -> tuple[Int64s, Int64s]:
    """Return int64[n, a] twice: what the series in `rows` showed at `asked` edges, how known."""
    at_s, cells = edges.instants_s[asked], np.ix_(rows, asked)
    before_s, after_s = edges.before_s[cells], edges.after_s[cells]
    before, after = edges.before[cells], edges.after[cells]
    since = np.where(before_s == NEVER_S, OVER_INT64, at_s - before_s)
    until = np.where(after_s == NEVER_AGAIN_S, OVER_INT64, after_s - at_s)
    values = np.where(since <= until, before, after)
    sources = np.where(np.minimum(since, until) <= tolerance // SECOND, READ, MISSING)
    both = (np.maximum(since, until) < OVER_INT64) & (after >= before)
    between = (sources == MISSING) & both
    if between.any():
        units = [to_scaled(each.smallest_step) for each in registers]
        unit = np.broadcast_to(np.array(units)[:, np.newaxis], values.shape)[between]
        since, until = since[between], until[between]
        grown = _share((after - before)[between], since, since + until, unit)
        values[between] = before[between] + grown
        sources[between] = INTERPOLATED
    return values, sources


def shown_in_history(
    history: History,
    instants_s: Int64s,
    *,
    meter: str,
    register: Register,
    tolerance: timedelta = TOLERANCE,
) -> Shown:
    """Return the same from all that a meter showed, without what later readings disprove."""
    values, sources = np.zeros(len(instants_s), np.int64), np.zeros(len(instants_s), np.int64)
    for place, at_s in enumerate(instants_s.tolist()):
        boundary = history.boundary(EPOCH + timedelta(seconds=at_s))
        found = register_at(
            boundary, meter=meter, register=register, tolerance=tolerance, history=history
        )
        if isinstance(found, RegisterAt):
            values[place] = to_scaled(found.value)
            sources[place] = READ if found.source is Source.READ else INTERPOLATED
    return Shown(instants_s, values, sources)


def step(
    usage: Usage,
    edges_s: Int64s,
    shown_by: Sequence[Shown],
    registers: Sequence[Register],
    *,
    bridge: bool = False,
) -> Steps | MissingEdges | ContradictingEdges:
    """Return `usage` divided at `edges_s`, or what keeps it from being divided.

    `shown_by` and `registers`: what the meter of each segment showed, at these edges or more, and
    its register. With `bridge`, what is missing is interpolated over any gap, in proportion to
    time. Where the opening is an estimate that lies above what the meter showed then, the first
    parts are zero: what they used was billed by the estimate.
    """
    quantities = np.zeros(len(edges_s) + 1, np.int64)
    pieces = []
    for segment, seen, register in zip(usage.segments, shown_by, registers, strict=True):
        piece = _piece(segment, edges_s, seen)
        meter = segment.opening.meter
        missing = np.flatnonzero(piece.sources == MISSING)
        if len(missing) and not bridge:
            return MissingEdges(meter, len(missing), _moment(piece.at_s[missing[0]]))
        if len(missing):
            piece = _bridged(piece, segment, register)
        grown = _grown(piece, segment)
        wrong = _first_wrong(piece, grown, segment, register)
        if wrong is not None:
            return ContradictingEdges(meter, _moment(piece.at_s[wrong]))
        first = int(np.searchsorted(edges_s, piece.at_s[0], side="right"))
        quantities[first : first + len(grown)] += _multiplied(grown, segment.multiplier)
        pieces.append(piece)
    return Steps(edges_s, quantities, tuple(pieces))


def by_day(usage: Usage, midnights_s: Int64s, shown_by: Sequence[Shown]) -> list[int | None]:
    """Return the use of each part between midnights inside the interval, 10⁻⁴; None if not known.

    Nothing is held against the counter here: a day on which it ran back or too fast shows what it
    shows, for somebody to look at.
    """
    if usage.quantity is None:
        return [None] * (len(midnights_s) + 1)
    uses = np.zeros(len(midnights_s) + 1, np.int64)
    known = np.ones(len(uses), np.bool_)
    for segment, seen in zip(usage.segments, shown_by, strict=True):
        piece = _piece(segment, midnights_s, seen)
        estimated = [segment.opening.estimate is not None, segment.closing.estimate is not None]
        sure = piece.sources != MISSING
        sure[[0, -1]] &= ~np.array(estimated)
        grown = _grown(piece, segment)
        first = int(np.searchsorted(midnights_s, piece.at_s[0], side="right"))
        days = slice(first, first + len(grown))
        uses[days] += _multiplied(grown, segment.multiplier)
        known[days] &= sure[:-1] & sure[1:]
    return [use if sure else None for use, sure in zip(uses.tolist(), known.tolist(), strict=True)]


def _piece(segment: Segment, edges_s: Int64s, seen: Shown) -> Shown:
    """Return the edges inside `segment` between its own registers."""
    opening, closing = segment.opening, segment.closing
    ends = np.array([seconds_of(opening.at), seconds_of(closing.at)])
    first, after = np.searchsorted(edges_s, ends[0], "right"), np.searchsorted(edges_s, ends[1])
    inside = edges_s[first:after]
    places = np.searchsorted(seen.at_s, inside)
    values, sources = seen.values[places], seen.sources[places]
    if opening.estimate is not None:
        values = np.maximum(values, to_scaled(opening.value))
    return Shown(
        np.concatenate([ends[:1], inside, ends[1:]]),
        np.concatenate([[to_scaled(opening.value)], values, [to_scaled(closing.value)]]),
        np.concatenate([[READ], sources, [READ]]),
    )


def _bridged(piece: Shown, segment: Segment, register: Register) -> Shown:
    """Return `piece` with what is missing interpolated between what is known around it."""
    known = np.flatnonzero(piece.sources != MISSING)
    values, sources = piece.values.copy(), piece.sources.copy()
    modulus = 0 if segment.modulus is None else to_scaled(segment.modulus)
    unit = to_scaled(register.smallest_step)
    for low, high in zip(known[:-1].tolist(), known[1:].tolist(), strict=True):
        gap = slice(low + 1, high)
        grown = int(values[high] - values[low])
        grown += modulus if grown < 0 else 0
        since = piece.at_s[gap] - piece.at_s[low]
        between = _share(
            np.full(len(since), grown), since, piece.at_s[high] - piece.at_s[low], unit
        )
        values[gap] = values[low] + between
        if modulus:
            values[gap] %= modulus
        sources[gap] = BRIDGED
    return Shown(piece.at_s, values, sources)


def _grown(piece: Shown, segment: Segment) -> Int64s:
    grown: Int64s = np.diff(piece.values)
    if segment.modulus is not None:
        grown[grown < 0] += to_scaled(segment.modulus)
    return grown


def _first_wrong(piece: Shown, grown: Int64s, segment: Segment, register: Register) -> int | None:
    """Return the place of the first edge that the counter cannot have shown, None if none."""
    wrong = grown < 0
    if len(grown) > 1:
        too_fast = grown > most_between(register, piece.at_s)
        too_fast[0] &= segment.opening.estimate is None
        too_fast[-1] &= segment.closing.estimate is None
        wrong |= too_fast
    if wrong.any():
        return int(np.flatnonzero(wrong)[0]) + 1
    return None if grown.sum() == to_scaled(segment.growth) else len(grown)


def most_between(register: Register, at_s: Int64s) -> Int64s:
    """Return the most that the counter can grow by from each instant to the next, 10⁻⁴.

    Between edges that stand for readings some minutes beside them, it may seem faster than it is;
    so the time is taken with the tolerance added.
    """
    seconds = np.diff(at_s)
    rate = register.canonical_max_rate
    if rate is None:
        return np.full(len(seconds), OVER_INT64)
    seconds = seconds + 2 * (TOLERANCE // SECOND) + GRACE_S
    most: Int64s = to_scaled(rate) * seconds // HOUR_S + to_scaled(register.largest_step)
    return most


def _multiplied(grown: Int64s, multiplier: Decimal) -> Int64s:
    """Return the growth times the multiplier, exact; what is finer than 10⁻⁴ stays with the sum.

    Rounded are the sums up to each edge, so that the parts still sum to the whole.
    """
    over, under = multiplier.as_integer_ratio()
    if under == 1:
        return grown * over
    whole: Int64s = np.cumsum(grown) * over // under
    return np.diff(whole, prepend=0)


def _share(grown: Int64s, part: Int64s, whole: Int64s, unit: Int64s | int) -> Int64s:
    """Return `grown` × part ÷ whole to the nearest multiple of `unit`, the even one of two."""
    divisor = whole * unit
    steps, rest = np.divmod(grown * part, divisor)
    up = (2 * rest > divisor) | ((2 * rest == divisor) & (steps % 2 == 1))
    nearest: Int64s = (steps + up) * unit
    return nearest


def seconds_of(moment: datetime) -> int:
    return (moment - EPOCH) // SECOND


def _moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=int(seconds))
