"""Good rows near instants, in columns: the database writes each column as one text.

Row by row, a driver takes longer to hand numbers over than the database to find them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import text

from meters.archive.rows import HOUR_S
from meters.reading import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from meters.edges import Flags, Int64s

_SOUGHT_AT_ONCE = 100_000
"""Series × hours of one statement: bounded, for the sake of memory."""

_SEEK_COSTS = 3
"""To seek a series in an hour takes as long as to read so many others there."""

# Spans become a table first: what is extracted from JSON would be so again for each reading.
_SQLITE = (
    "WITH span(hour, first_s, last_s) AS MATERIALIZED ("
    "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')"
    " FROM json_each(:spans))"
    " SELECT group_concat(r.series), group_concat(r.time), group_concat(r.value),"
    " group_concat(r.reasons <> '' AND r.reasons LIKE :unconfirmed)"
    " FROM span CROSS JOIN reading AS r"
    " WHERE r.hour = span.hour AND r.time BETWEEN span.first_s AND span.last_s"
    " AND r.verdict = 0 AND r.value IS NOT NULL"
)
_SQLITE_OF_ALL = text(_SQLITE)
_SQLITE_OF_SOME = text(
    _SQLITE + " AND r.series IN (SELECT value FROM json_each(:ids))"  # noqa: S608  constants both
)
_POSTGRESQL = text(
    "SELECT string_agg(CAST(r.series AS text), ','), string_agg(CAST(r.time AS text), ','),"
    " string_agg(CAST(r.value AS text), ','),"
    " string_agg(CASE WHEN r.reasons LIKE :unconfirmed THEN '1' ELSE '0' END, ',')"
    " FROM unnest(CAST(:hours AS integer[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]))"
    " AS span(hour, first_s, last_s) JOIN reading AS r"
    " ON r.hour = span.hour AND r.time BETWEEN span.first_s AND span.last_s"
    " WHERE r.series = ANY(CAST(:ids AS integer[]))"
    " AND r.verdict = 0 AND r.value IS NOT NULL"
)


class RowColumns(NamedTuple):
    """Good readings, in any order.

    `series`: int64[n], ids; `times`: seconds since 1970; `values`: 10⁻⁴; `unconfirmed`: bool[n].
    """

    series: Int64s
    times: Int64s
    values: Int64s
    unconfirmed: Flags


def good_rows(
    connection: Connection, spans: Iterable[tuple[int, int]], ids: Sequence[int], *, known: int
) -> Iterator[RowColumns]:
    """Yield the good rows of the series `ids` in spans of seconds (both ends in them).

    `known`: how many series the archive has; where most of them are asked for, others may come too.
    """
    hours = [each for first_s, last_s in spans for each in _hours(first_s, last_s)]
    at_once = max(1, _SOUGHT_AT_ONCE // max(1, len(ids)))
    for start in range(0, len(hours) if len(ids) else 0, at_once):
        columns = _asked(connection, hours[start : start + at_once], ids, known)
        if columns:
            series, times, values, flags = columns
            yield RowColumns(series, times, values, flags != 0)


def _asked(
    connection: Connection,
    spans: list[tuple[int, int, int]],
    ids: Sequence[int],
    known: int,
) -> list[Int64s]:
    """Return the columns of the rows that were found, nothing where none was."""
    given = {"unconfirmed": f"%{Reason.UNCONFIRMED}%"}
    if connection.dialect.name == "postgresql":
        hours, firsts, lasts = map(_array, zip(*spans, strict=True))
        given |= {"hours": hours, "firsts": firsts, "lasts": lasts, "ids": _array(ids)}
        question = _POSTGRESQL
    elif _SEEK_COSTS * len(ids) > known:
        given["spans"] = json.dumps(spans)
        question = _SQLITE_OF_ALL
    else:
        given |= {"spans": json.dumps(spans), "ids": json.dumps(list(ids))}
        question = _SQLITE_OF_SOME
    texts = connection.execute(question, given).one()
    return [np.fromstring(each, np.int64, sep=",") for each in texts if each is not None]


def _array(numbers: Iterable[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


def _hours(first_s: int, last_s: int) -> Iterator[tuple[int, int, int]]:
    """Yield each hour that a span touches, with the span's first and last second."""
    for hour in range(first_s // HOUR_S, last_s // HOUR_S + 1):
        yield hour, first_s, last_s
