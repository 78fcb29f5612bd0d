"""Use in parts, of many usages at once: for those of which nothing has to be said.

Most meters stood alone, were read at every edge and contradict nothing; all of theirs are one
matrix. `stepwise` divides the others one by one, and tells what is the matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meters.quantity import to_scaled, to_scaled_column
from meters.register_at import TOLERANCE
from meters.stepwise import MISSING, READ, Shown, Steps, most_between, nearest, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meters.edges import Edges, Flags, Int64s
    from meters.meter_type import Register
    from meters.usage import Usage


def step_plain(
    usages: Sequence[Usage],
    edges_s: Int64s,
    edges: Edges,
    rows: Int64s,
    registers: Sequence[Register],
) -> list[Steps | None]:
    """Return what `step` does for many usages of one interval at once, where all of it is plain.

    `rows`: int64[n], the row in `edges` of each; `edges` may hold more instants. Plain is a single
    segment with a whole multiplier and nothing estimated, of which every edge is known and nothing
    contradicts; None stands for all else, and `step` tells what is the matter.
    """
    seen = _differences(usages, edges, rows, registers, edges_s)
    interval = usages[0].interval
    at_s = np.concatenate([[seconds_of(interval.start)], edges_s, [seconds_of(interval.end)]])
    plain = seen.plain & (seen.sources != MISSING).all(axis=1)
    plain &= (seen.grown >= 0).all(axis=1) & seen.is_whole
    for register, places in _alike(registers):
        plain[places] &= (seen.grown[places] <= most_between(register, at_s)).all(axis=1)
    quantities = seen.grown * seen.multiplier
    return [
        Steps(edges_s, quantities[n], (Shown(at_s, seen.shows[n], seen.sources[n]),))
        if fit
        else None
        for n, fit in enumerate(plain.tolist())
    ]


def by_day_plain(
    usages: Sequence[Usage], edges: Edges, rows: Int64s, registers: Sequence[Register]
) -> tuple[Int64s, Flags, Flags]:
    """Return what `by_day` does for many usages of one interval at once, where all of it is plain.

    `edges`: the midnights inside the interval; `rows`: int64[n], the row in `edges` of each usage.
    Returns int64[n, e + 1], 10⁻⁴, and bool[n, e + 1], the use of each day and whether it is known;
    bool[n], whether the usage is plain, as in `step_plain`, and none of its days contradicts it: of
    another the days mean nothing.
    """
    seen = _differences(usages, edges, rows, registers, edges.instants_s)
    sure = seen.sources != MISSING
    known = sure[:, :-1] & sure[:, 1:]
    plain = seen.plain & ((seen.grown >= 0) | ~known).all(axis=1)
    plain &= seen.is_whole | ~known.all(axis=1)
    return seen.grown * seen.multiplier, known, plain


class _Differences(NamedTuple):
    """What many usages of one interval counted from edge to edge, their ends included.

    `shows`, `sources`: int64[n, e + 2], the registers and how each is known; `grown`: int64[n,
    e + 1], a rollover resolved; `multiplier`: int64[n, 1]; `plain`: bool[n], of others all of it
    means nothing; `is_whole`: bool[n], whether what was counted sums to the growth of the usage.
    """

    shows: Int64s
    sources: Int64s
    grown: Int64s
    multiplier: Int64s
    plain: Flags
    is_whole: Flags


def _differences(
    usages: Sequence[Usage],
    edges: Edges,
    rows: Int64s,
    registers: Sequence[Register],
    edges_s: Int64s,
) -> _Differences:
    asked = np.searchsorted(edges.instants_s, edges_s)
    values, sources = nearest(edges, rows, asked, registers, TOLERANCE)
    unconfirmed = np.any(edges.unconfirmed, axis=1, keepdims=True)[rows, 0]
    plain = np.array([_is_plain(usage) for usage in usages], np.bool_) & ~unconfirmed
    opening, closing, growth, modulus, multiplier = _ends_of(usages, plain)
    shows = np.column_stack([opening, values, closing])
    grown = np.diff(shows, axis=1)
    grown += np.where(grown < 0, modulus[:, np.newaxis], 0)
    read = np.full((len(usages), 1), READ)
    is_whole = grown.sum(axis=1) == growth
    sources = np.hstack([read, sources, read])
    return _Differences(shows, sources, grown, multiplier[:, np.newaxis], plain, is_whole)


def _alike(registers: Sequence[Register]) -> Iterator[tuple[Register, Int64s]]:
    """Yield each of `registers` once, with its places."""
    numbers = np.array([id(register) for register in registers])
    for place in np.unique(numbers, return_index=True)[1].tolist():
        yield registers[place], np.flatnonzero(numbers == numbers[place])


def _ends_of(usages: Sequence[Usage], plain: Flags) -> Int64s:
    """Return int64[5, n], opening, closing, growth and modulus of the plain ones and multiplier."""
    ends = np.zeros((5, len(usages)), np.int64)
    segments = [usages[n].segments[0] for n in np.flatnonzero(plain).tolist()]
    moduli = {each.modulus for each in segments}
    scaled = {each: 0 if each is None else to_scaled(each) for each in moduli}
    columns = [
        to_scaled_column(each.opening.value for each in segments),
        to_scaled_column(each.closing.value for each in segments),
        to_scaled_column(each.growth for each in segments),
        [scaled[each.modulus] for each in segments],
        [int(each.multiplier) for each in segments],
    ]
    ends[:, plain] = np.array(columns, np.int64)
    return ends


def _is_plain(usage: Usage) -> bool:
    if len(usage.segments) != 1:
        return False
    (segment,) = usage.segments
    estimated = segment.opening.estimate or segment.closing.estimate
    return estimated is None and segment.multiplier == int(segment.multiplier)
