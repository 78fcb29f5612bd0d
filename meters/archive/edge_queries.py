"""Questions about many instants at once: what rows and chunks hold next to them, in columns.

Rows are asked before chunks, as in `history`: a day that is closed meanwhile is seen twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from meters.archive import chunk_queries, queries
from meters.archive.rows import DAY_S, HOUR_S
from meters.archive.tables import READING
from meters.edges import NEVER_AGAIN_S, NEVER_S
from meters.reading import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from meters.archive.chunk import Chunks
    from meters.edges import Gathered, Int64s
    from meters.reading import Series

# Meters that report each quarter of an hour are all found at the first look.
_FIRST_LOOK_S = 900
_ROWS_AT_ONCE = 100_000


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
    narrow_s = min(_FIRST_LOOK_S, gathered.window_s)
    for begin_s, end_s in _spans(near, narrow_s):
        _offer_rows(connection, gathered, owners, max(begin_s, first_s), min(end_s, last_s))
    if narrow_s == gathered.window_s:
        return
    for at_s in near.tolist():
        missing = _missing(gathered, at_s, owners)
        for begin_s, end_s in (
            (at_s - gathered.window_s, at_s - narrow_s - 1),
            (at_s + narrow_s + 1, at_s + gathered.window_s),
        ):
            if missing:
                _offer_rows(
                    connection, gathered, missing, max(begin_s, first_s), min(end_s, last_s)
                )


def _missing(gathered: Gathered, at_s: int, owners: Mapping[int, int]) -> dict[int, int]:
    """Return the series of which a reading on one side of `at_s` was not found yet."""
    edges = gathered.edges()
    place = int(np.searchsorted(edges.instants_s, at_s))
    incomplete = (edges.before_s[:, place] == NEVER_S) | (edges.after_s[:, place] == NEVER_AGAIN_S)
    return {number: owner for number, owner in owners.items() if incomplete[owner]}


def _offer_rows(
    connection: Connection,
    gathered: Gathered,
    owners: Mapping[int, int],
    first_s: int,
    last_s: int,
) -> None:
    if first_s > last_s:
        return
    question = select(READING.c.series, READING.c.time, READING.c.value, READING.c.reasons).where(
        *queries.within(connection, first_s, last_s, owners),
        READING.c.verdict == int(Verdict.GOOD),
        READING.c.value.is_not(None),
    )
    for part in connection.execute(question).partitions(_ROWS_AT_ONCE):
        rows = [row for row in part if row[0] in owners]
        if not rows:
            continue
        series, seconds, held, reasons = zip(*rows, strict=True)
        own = np.array([owners[number] for number in series], np.int64)
        times = np.array(seconds, np.int64)
        order = np.lexsort((times, own))
        own = own[order]
        heads = np.flatnonzero(np.diff(own, prepend=-1))
        unconfirmed = np.array([Reason.UNCONFIRMED in each for each in reasons])
        gathered.offer(
            own[heads],
            np.append(heads, len(own)),
            times[order],
            np.array(held, np.int64)[order],
            unconfirmed[order],
        )


def _gather_chunks(connection: Connection, gathered: Gathered, owners: Mapping[int, int]) -> None:
    kept = chunk_queries.first_and_last_day(connection)
    if kept is None:
        return
    after = kept[0]
    for begin_s, end_s in _spans(gathered.instants_s, gathered.window_s):
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


def _spans(instants_s: Int64s, beside_s: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of seconds that lie beside the instants, those that meet as one."""
    seconds = instants_s.tolist()
    begin = 0
    for n in range(1, len(seconds) + 1):
        if n == len(seconds) or seconds[n] - seconds[n - 1] > 2 * beside_s + 1:
            yield seconds[begin] - beside_s, seconds[n - 1] + beside_s
            begin = n
