"""The readings next to many instants, of many series, in columns.

What bands of use, windows of demand and daily use are made of: registers at the edges, as integers.
An archive offers what it finds near the edges, in blocks and in any order; the nearest are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from meters.archive.rows import EPOCH, SECOND
from meters.quantity import to_scaled
from meters.reading import Reason
from meters.register_at import value_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from meters.reading import Reading, Series

    Int64s = NDArray[np.int64]
    Flags = NDArray[np.bool_]

NEVER_S = np.iinfo(np.int64).min
"""The time of a reading that is not there, before an edge."""
NEVER_AGAIN_S = np.iinfo(np.int64).max
"""The time of a reading that is not there, after an edge."""


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The good readings of n series next to e instants: the last at or before, the first after.

    `instants_s`: int64[e], seconds since 1970, ascending. `before_s`, `after_s`: int64[n, e], when
    they were read, `NEVER_S` and `NEVER_AGAIN_S` where the window holds none. `before`, `after`:
    int64[n, e], what they showed, 10⁻⁴ of the canonical unit. `unconfirmed`: bool[n, e], whether
    one of them is good but unconfirmed: only the whole history of such a series tells what it is
    worth.
    """

    series: tuple[Series, ...]
    instants_s: Int64s
    before_s: Int64s = field(repr=False)
    before: Int64s = field(repr=False)
    after_s: Int64s = field(repr=False)
    after: Int64s = field(repr=False)
    unconfirmed: Flags = field(repr=False)

    def rows(self) -> dict[Series, int]:
        """Return the row of each series."""
        return {one: row for row, one in enumerate(self.series)}

    def at(self, instants_s: Int64s) -> Edges:
        """Return the same at some of the instants alone, which ascend.

        Raises `ValueError` for one that was not asked.
        """
        if not np.isin(instants_s, self.instants_s).all():
            raise ValueError("an instant was not asked of the archive")
        places = np.searchsorted(self.instants_s, instants_s)
        return Edges(
            self.series,
            self.instants_s[places],
            self.before_s[:, places],
            self.before[:, places],
            self.after_s[:, places],
            self.after[:, places],
            self.unconfirmed[:, places],
        )


def of_all(some: Sequence[Edges]) -> Edges:
    """Return the rows of all of `some`, which have the same instants."""
    if len(some) == 1:
        return some[0]
    return Edges(
        tuple(one for each in some for one in each.series),
        some[0].instants_s,
        np.concatenate([each.before_s for each in some]),
        np.concatenate([each.before for each in some]),
        np.concatenate([each.after_s for each in some]),
        np.concatenate([each.after for each in some]),
        np.concatenate([each.unconfirmed for each in some]),
    )


class Gathered:
    """What an archive has offered so far for the edges of `series` at `instants_s`."""

    def __init__(
        self, series: Collection[Series], instants_s: Collection[int], window_s: int
    ) -> None:
        self.series = tuple(sorted(series))
        self.instants_s = np.array(sorted(set(instants_s)), np.int64)
        self.window_s = window_s
        shape = (len(self.series), len(self.instants_s))
        self._before_s, self._after_s = np.full(shape, NEVER_S), np.full(shape, NEVER_AGAIN_S)
        self._before, self._after = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._unconfirmed = np.zeros(shape, np.bool_)

    def offer(
        self,
        owners: Int64s,
        starts: Int64s,
        times: Int64s,
        values: Int64s,
        unconfirmed: Flags | None = None,
    ) -> None:
        """Take in good readings in b blocks, each of one series and ascending in time.

        `owners`: int64[b], the row of the block's series; `starts`: int64[b + 1], where each block
        begins in `times` and `values`, and where the last one ends; `unconfirmed`: which readings
        nothing confirms yet, None where there are none.
        """
        if not len(times) or not len(self.instants_s):
            return
        breaks = [0, len(owners)]
        if len(np.unique(owners)) < len(owners):  # in a run each series comes once
            breaks[1:1] = (np.flatnonzero(np.diff(owners) <= 0) + 1).tolist()
        for first, after in pairwise(breaks):
            self._offer(owners[first:after], starts[first : after + 1], times, values, unconfirmed)

    def offer_reading(self, owner: int, reading: Reading) -> None:
        """Take in one good reading of the series in row `owner`."""
        self.offer(
            np.array([owner]),
            np.array([0, 1]),
            np.array([(reading.time - EPOCH) // SECOND]),
            np.array([to_scaled(value_of(reading))]),
            np.array([Reason.UNCONFIRMED in reading.reasons]),
        )

    def edges(self) -> Edges:
        """Return what is nearest of all that was offered."""
        return Edges(
            self.series,
            self.instants_s,
            self._before_s,
            self._before,
            self._after_s,
            self._after,
            self._unconfirmed,
        )

    def _offer(
        self,
        owners: Int64s,
        starts: Int64s,
        times: Int64s,
        values: Int64s,
        unconfirmed: Flags | None,
    ) -> None:
        own = times[starts[0] : starts[-1]]
        if not len(own):
            return
        earliest, latest = int(own.min()), int(own.max())
        first = np.searchsorted(self.instants_s, earliest - self.window_s)
        last = np.searchsorted(self.instants_s, latest + self.window_s, side="right")
        if first == last:
            return
        asked = slice(int(first), int(last))
        place = _following(starts, own, self.instants_s[asked], earliest, latest)
        where = (owners[:, np.newaxis], np.arange(asked.start, asked.stop)[np.newaxis, :])
        instants = self.instants_s[asked][np.newaxis, :]

        position = np.maximum(place - 1, starts[0])
        found, rival = times[position], self._before_s[where]
        better = (place > starts[:-1, np.newaxis]) & (found > rival)
        better &= instants - found <= self.window_s
        self._before_s[where] = np.where(better, found, rival)
        self._before[where] = np.where(better, values[position], self._before[where])
        if unconfirmed is not None:
            self._unconfirmed[where] |= better & unconfirmed[position]

        position = np.minimum(place, starts[-1] - 1)
        found, rival = times[position], self._after_s[where]
        better = (place < starts[1:, np.newaxis]) & (found < rival)
        better &= found - instants <= self.window_s
        self._after_s[where] = np.where(better, found, rival)
        self._after[where] = np.where(better, values[position], self._after[where])
        if unconfirmed is not None:
            self._unconfirmed[where] |= better & unconfirmed[position]


def _following(
    starts: Int64s, times: Int64s, instants: Int64s, earliest: int, latest: int
) -> Int64s:
    """Return int64[b, e]: the place of the first reading of each block after each instant.

    `times` are those of the blocks alone. Most meters are read at a steady pace, which tells the
    place; where it does not, blocks are laid one behind the other on one axis of time, so that a
    single search answers for all of them.
    """
    heads, ends = starts[:-1, np.newaxis] - starts[0], starts[1:, np.newaxis] - starts[0]
    first_s = times[heads]
    steps = ends - heads - 1
    pace_s = np.maximum((times[ends - 1] - first_s) // np.maximum(steps, 1), 1)
    found = heads + np.clip((instants - first_s) // pace_s + 1, 0, ends - heads)
    early = (found == heads) | (times[np.maximum(found - 1, 0)] <= instants)
    late = (found == ends) | (times[np.minimum(found, len(times) - 1)] > instants)
    if not (early & late).all():
        found = _sought(starts - starts[0], times, instants, earliest, latest)
    places: Int64s = found + starts[0]
    return places


def _sought(starts: Int64s, times: Int64s, instants: Int64s, earliest: int, latest: int) -> Int64s:
    span = latest - earliest + 2
    counts = np.diff(starts)
    blocks = np.arange(len(counts), dtype=np.int64)
    laid = np.repeat(blocks * span, counts) + (times - earliest + 1)
    sought = np.clip(instants - earliest + 1, 0, span - 1)
    wanted = (blocks * span)[:, np.newaxis] + sought[np.newaxis, :]
    found: Int64s = np.searchsorted(laid, wanted.ravel(), side="right")
    return found.reshape(wanted.shape)
