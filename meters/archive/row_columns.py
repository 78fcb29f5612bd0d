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

_SOUGHT_AT_ONCE = 400_000
"""Series × hours of one statement: bounded, for the sake of memory."""

_SEEK_COSTS = 3
"""To seek a series in an hour takes as long as to read so many others there."""

# Spans and ids become tables first: what is extracted from JSON would be so again for each reading.
# A column costs as much as the reading itself, so whether one is unconfirmed comes with its time.
_SQLITE = text(
    "WITH span(hour, first_s, last_s) AS MATERIALIZED ("
    "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')"
    " FROM json_each(:spans)),"
    " some(least, greatest) AS MATERIALIZED ("
    "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:ids))"
    " SELECT group_concat(r.series), group_concat(r.value),"
    " group_concat(2 * r.time + (r.reasons <> '' AND r.reasons LIKE :unconfirmed))"
    " FROM span CROSS JOIN some CROSS JOIN reading AS r"
    " WHERE r.hour = span.hour AND r.series BETWEEN some.least AND some.greatest"
    " AND r.time BETWEEN span.first_s AND span.last_s"
    " AND r.verdict = 0 AND r.value IS NOT NULL"
)
_POSTGRESQL = text(
    "SELECT string_agg(CAST(r.series AS text), ','), string_agg(CAST(r.value AS text), ','),"
    " string_agg("
    "CAST(2 * r.time + CASE WHEN r.reasons LIKE :unconfirmed THEN 1 ELSE 0 END AS text), ',')"
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
    connection: Connection, spans: Iterable[tuple[int, int]], ids: Sequence[int]
) -> Iterator[RowColumns]:
    """Yield the good rows of the series `ids` in spans of seconds (both ends in them).

    Rows of others may come too.
    """
    hours = [each for first_s, last_s in spans for each in _hours(first_s, last_s)]
    at_once = max(1, _SOUGHT_AT_ONCE // max(1, len(ids)))
    for start in range(0, len(hours) if len(ids) else 0, at_once):
        columns = _asked(connection, hours[start : start + at_once], ids)
        if columns:
            series, values, doubled = columns
            yield RowColumns(series, doubled >> 1, values, doubled & 1 != 0)


def _asked(
    connection: Connection, spans: list[tuple[int, int, int]], ids: Sequence[int]
) -> list[Int64s]:
    """Return the columns of the rows that were found, nothing where none was.

    They are series, values, and times doubled, plus one where nothing confirms the reading.
    """
    given = {"unconfirmed": f"%{Reason.UNCONFIRMED}%"}
    if connection.dialect.name == "postgresql":
        hours, firsts, lasts = map(_array, zip(*spans, strict=True))
        given |= {"hours": hours, "firsts": firsts, "lasts": lasts, "ids": _array(ids)}
        question = _POSTGRESQL
    else:
        given |= {"spans": json.dumps(spans), "ids": json.dumps(_ranges(ids))}
        question = _SQLITE
    texts = connection.execute(question, given).one()
    return [np.fromstring(each, np.int64, sep=",") for each in texts if each is not None]


def _ranges(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the least and greatest of ids that lie so near that to seek each would take longer."""
    every = np.sort(np.array(ids, np.int64))
    far = np.flatnonzero(np.diff(every) > _SEEK_COSTS + 1)
    least, greatest = every[np.append(0, far + 1)], every[np.append(far, -1)]
    return list(zip(least.tolist(), greatest.tolist(), strict=True))


def _array(numbers: Iterable[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


def _hours(first_s: int, last_s: int) -> Iterator[tuple[int, int, int]]:
    """Yield each hour that a span touches, with the span's first and last second."""
    for hour in range(first_s // HOUR_S, last_s // HOUR_S + 1):
        yield hour, first_s, last_s
