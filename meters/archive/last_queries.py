"""When series were read last: sought from the newest hour back, and told in columns.

Rows are asked before chunks, as in `history`: a day that is closed meanwhile is seen twice.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import text

from meters.archive import chunk_queries
from meters.archive.rows import DAY_S
from meters.edges import NEVER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, TextClause

    from meters.edges import Int64s

_WIDENING = 4
"""Most series were read in the newest hour; each look for the others takes so many more hours."""
NOBODY = -1
"""The id of a series that the archive does not know."""
_VERDICT_BITS = 2
"""A time and its verdict are asked for as one number: whichever is greatest is the newest."""


def _sought(newest: str) -> dict[str, TextClause]:
    """Return what asks for the greatest of `newest` of each series :ids, over the parts :parts.

    One seek a series and part, whatever else was read then. Each column comes as one text.
    """
    found = f"SELECT series, (SELECT max(({newest})) FROM part) AS newest FROM sought"  # noqa: S608  a query of ours
    lists = {
        "sqlite": "SELECT value FROM json_each(:{})",
        "postgresql": "SELECT CAST(value AS integer) FROM"
        " json_array_elements_text(CAST(:{} AS json)) AS listed(value)",
    }
    joined = {
        "sqlite": "group_concat(series), group_concat(newest)",
        "postgresql": "string_agg(CAST(series AS text), ','),"
        " string_agg(CAST(newest AS text), ',')",
    }
    return {
        dialect: text(
            f"WITH part(number) AS MATERIALIZED ({listed.format('parts')}),"  # noqa: S608  texts of ours
            f" sought(series) AS MATERIALIZED ({listed.format('ids')})"
            f" SELECT {joined[dialect]} FROM ({found}) AS found WHERE newest IS NOT NULL"
        )
        for dialect, listed in lists.items()
    }


_IN_HOURS = _sought(
    f"SELECT (time << {_VERDICT_BITS}) + verdict FROM reading"  # noqa: S608  a number of ours
    " WHERE hour = part.number AND reading.series = sought.series ORDER BY time DESC LIMIT 1"
)
_IN_DAYS = _sought("SELECT day FROM chunk WHERE day = part.number AND chunk.series = sought.series")


def last_read(connection: Connection, ids: Int64s) -> tuple[Int64s, Int64s]:
    """Return when each series of `ids` was read last, and the verdict: int64[n], int64[n].

    `NEVER_S` and 0 for one that never was.
    """
    sought = np.unique(ids[ids != NOBODY])
    newest = np.full(int(sought.max(initial=0)) + 2, NEVER_S)  # the last is nobody's
    for hours in _looks(_occupied(connection, "reading", "hour")):
        missing = sought[newest[sought] == NEVER_S]
        found, coded = _asked(connection, _IN_HOURS, missing, hours)
        newest[found] = coded
    days = _occupied(connection, "chunk", "day")
    if days:  # what is late lies in rows, beside a chunk that may hold something newer
        chunked_s = (days[0] + 1) * DAY_S
        _look_in_chunks(connection, days, sought, newest, chunked_s)
    coded = newest[ids]
    known = coded != NEVER_S
    times = np.where(known, coded >> _VERDICT_BITS, NEVER_S)
    return times, np.where(known, coded & ((1 << _VERDICT_BITS) - 1), 0)


def _look_in_chunks(
    connection: Connection, days: Sequence[int], sought: Int64s, newest: Int64s, end_s: int
) -> None:
    """Note in `newest` what chunks hold of those `sought` that no row after them tells of."""
    still = sought[newest[sought] < end_s << _VERDICT_BITS]
    in_day: dict[int, list[int]] = {}
    for some in _looks(days):
        found, newest_days = _asked(connection, _IN_DAYS, still, some)
        for number, day in zip(found.tolist(), newest_days.tolist(), strict=True):
            in_day.setdefault(day, []).append(number)
        still = np.setdiff1d(still, found)
    for day, numbers in in_day.items():
        for chunks in chunk_queries.of_days(connection, range(day, day + 1), numbers):
            last = chunks.starts[1:] - 1
            coded = (chunks.times[last] << _VERDICT_BITS) + chunks.verdicts[last]
            own = np.array(chunks.series)
            newest[own] = np.maximum(newest[own], coded)


def _occupied(connection: Connection, table: str, column: str) -> list[int]:
    """Return the hours or days that hold anything, the newest first: one seek each."""
    newest = f"SELECT max({column}) FROM {table}"  # noqa: S608  names of ours
    rows = connection.exec_driver_sql(
        f"WITH RECURSIVE occupied(part) AS ({newest} UNION ALL"  # noqa: S608  names of ours
        f" SELECT ({newest} WHERE {column} < occupied.part) FROM occupied"
        " WHERE occupied.part IS NOT NULL)"
        " SELECT part FROM occupied WHERE part IS NOT NULL"
    )
    return sorted((row[0] for row in rows), reverse=True)


def _looks(parts: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield hours or days to look at together: few at first, more where some are still missing."""
    begin, width = 0, 1
    while begin < len(parts):
        yield parts[begin : begin + width]
        begin, width = begin + width, width * _WIDENING


def _asked(
    connection: Connection, question: dict[str, TextClause], ids: Int64s, parts: Sequence[int]
) -> tuple[Int64s, Int64s]:
    """Return the series that `question` found something of, and what."""
    if len(ids):
        given = {"parts": json.dumps(list(parts)), "ids": json.dumps(ids.tolist())}
        found, newest = connection.execute(question[connection.dialect.name], given).one()
        if found is not None:
            return np.fromstring(found, np.int64, sep=","), np.fromstring(newest, np.int64, sep=",")
    nothing = np.zeros(0, np.int64)
    return nothing, nothing
