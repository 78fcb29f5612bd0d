"""Questions about many instants at once: what rows and chunks hold next to them, in columns.

Rows are asked before chunks, as in `history`: a day that is closed meanwhile is seen twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meters.archive import chunk_queries, queries
from meters.archive.row_columns import good_rows
from meters.archive.rows import DAY_S, HOUR_S
from meters.reading import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from meters.archive.chunk import Chunks
    from meters.edges import Gathered, Int64s
    from meters.reading import Series

# Meters that report each quarter of an hour are all found at the first look.
_FIRST_LOOK_S = 900
_WIDE_LOOKS_AT_ONCE = 16
"""Instants that are looked at together where something is missing, for any of its series."""
_NOBODY = -1


def gather(connection: Connection, gathered: Gathered, ids: Mapping[Series, int]) -> None:
    """Offer to `gathered` what is next to its instants; `ids` are those of the known series."""
    owners = {ids[one]: n for n, one in enumerate(gathered.series) if one in ids}
    if not owners or not len(gathered.instants_s):
        return
    _gather_rows(connection, gathered, owners)
    _gather_chunks(connection, gathered, owners)


def _gather_rows(connection: Connection, gathered: Gathered, owners: Mapping[int, int]) -> None:
    ends = queries.first_and_last_hour(connection)
    if ends is None:
        return
    first_s, last_s = ends[0] * HOUR_S, (ends[1] + 1) * HOUR_S - 1
    near = gathered.instants_s
    near = near[(near >= first_s - gathered.window_s) & (near <= last_s + gathered.window_s)]
    rows = _Rows(connection, gathered, owners, first_s, last_s)
    narrow_s = min(_FIRST_LOOK_S, gathered.window_s)
    looked = list(_spans(near, -narrow_s, narrow_s))
    rows.offer(list(owners), looked)
    if narrow_s < gathered.window_s:
        rows.look_wider(near, narrow_s, looked)


class _Rows:
    """The rows of an archive between two instants, offered for some of its series."""

    def __init__(
        self,
        connection: Connection,
        gathered: Gathered,
        owners: Mapping[int, int],
        first_s: int,
        last_s: int,
    ) -> None:
        self._connection = connection
        self._gathered = gathered
        self._first_s, self._last_s = first_s, last_s
        self._ids = np.array(list(owners), np.int64)
        self._owners = np.array(list(owners.values()), np.int64)
        self._owner_of = np.full(queries.greatest_series_id(connection) + 1, _NOBODY)
        self._owner_of[self._ids] = self._owners

    def offer(self, ids: Sequence[int], spans: Iterable[tuple[int, int]]) -> None:
        """Offer the rows of the series `ids` in spans of seconds, as far as there are rows."""
        within = [
            (max(begin_s, self._first_s), min(end_s, self._last_s))
            for begin_s, end_s in spans
            if begin_s <= self._last_s and end_s >= self._first_s
        ]
        for found in good_rows(self._connection, within, ids):
            own = self._owner_of[found.series]
            order = np.lexsort((found.times, own))
            order = order[np.searchsorted(own[order], 0) :]  # of nobody are those before
            own = own[order]
            if not len(own):
                continue
            heads = np.flatnonzero(np.diff(own, prepend=_NOBODY))
            self._gathered.offer(
                own[heads],
                np.append(heads, len(own)),
                found.times[order],
                found.values[order],
                found.unconfirmed[order] if found.unconfirmed.any() else None,
            )

    def look_wider(self, near: Int64s, narrow_s: int, looked: Sequence[tuple[int, int]]) -> None:
        """Offer what lies further than `narrow_s` from an instant, where nothing lies nearer.

        In the spans that were `looked` at, everything has been offered.
        """
        edges, window_s = self._gathered.edges(), self._gathered.window_s
        places = np.searchsorted(edges.instants_s, near)
        missing = edges.before_s[np.ix_(self._owners, places)] < near - narrow_s
        missing |= edges.after_s[np.ix_(self._owners, places)] > near + narrow_s
        for begin in range(0, len(near), _WIDE_LOOKS_AT_ONCE):
            some = missing[:, begin : begin + _WIDE_LOOKS_AT_ONCE]
            at = near[begin : begin + _WIDE_LOOKS_AT_ONCE][some.any(axis=0)]
            ids = self._ids[some.any(axis=1)].tolist()
            self.offer(ids, _outside(_spans(at, -window_s, window_s), looked))


def _gather_chunks(connection: Connection, gathered: Gathered, owners: Mapping[int, int]) -> None:
    kept = chunk_queries.first_and_last_day(connection)
    if kept is None:
        return
    after = kept[0]
    for begin_s, end_s in _spans(gathered.instants_s, -gathered.window_s, gathered.window_s):
        first, last = max(begin_s // DAY_S, after), min(end_s // DAY_S, kept[1])
        if first > last:
            continue
        after = last + 1  # two spans may share a day: it is unpacked once
        for chunks in chunk_queries.of_days(connection, range(first, last + 1), owners):
            _offer_chunks(gathered, owners, chunks)


def _offer_chunks(gathered: Gathered, owners: Mapping[int, int], chunks: Chunks) -> None:
    own = np.array([owners[number] for number in chunks.series], np.int64)
    # the archive's order of series need not be that of the rows of the answer
    times, values, starts = chunks.times, chunks.values, chunks.starts
    unconfirmed = chunks.having(Reason.UNCONFIRMED)
    if not chunks.good.all():
        counts = np.add.reduceat(chunks.good, starts[:-1], dtype=np.int64)
        times, values = times[chunks.good], values[chunks.good]
        unconfirmed = None if unconfirmed is None else unconfirmed[chunks.good]
        own, counts = own[counts > 0], counts[counts > 0]
        starts = np.concatenate([[0], np.cumsum(counts)])
    gathered.offer(own, starts, times, values, unconfirmed)


def _spans(instants_s: Int64s, first_s: int, last_s: int) -> Iterator[tuple[int, int]]:
    """Yield the spans from `first_s` to `last_s` beside the instants, those that meet as one."""
    seconds = instants_s.tolist()
    begin = 0
    for n in range(1, len(seconds) + 1):
        if n == len(seconds) or seconds[n] - seconds[n - 1] > last_s - first_s + 1:
            yield seconds[begin] + first_s, seconds[n - 1] + last_s
            begin = n


def _outside(
    spans: Iterable[tuple[int, int]], others: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield what of `spans` is in none of `others`; both ascend, and none meets its neighbour."""
    for first_s, last_s in spans:
        rest_s = first_s
        for begin_s, end_s in others:
            if end_s < rest_s:
                continue
            if begin_s > last_s:
                break
            if rest_s < begin_s:
                yield rest_s, begin_s - 1
            rest_s = end_s + 1
        if rest_s <= last_s:
            yield rest_s, last_s
