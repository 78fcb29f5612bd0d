"""What is asked of InfluxDB, in InfluxQL: the one query language that 1.x, 2.x and 3.x share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from meters.archive.line_protocol import FIRST_S, LAST_S, MEASUREMENT
from meters.archive.rows import EPOCH, SECOND, Row, decode
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from meters.reading import Reading

_FIELDS = '"value", "raw", "reasons"'
NAMED_MAX = 200
"""Up to so many meters are named in a question; for more, all are asked and some dropped."""
LATELY = "time >= now() - 2d"
"""The last two days, by the server's clock, and the future."""
_GAP_S = 3600
"""Readings further apart than this are asked for in questions of their own."""


class Span(NamedTuple):
    """The seconds `first_s <= time <= last_s` since 1970, cut to those that InfluxDB knows."""

    first_s: int
    last_s: int

    @classmethod
    def of(cls, first_s: int, last_s: int) -> Span:
        return cls(max(first_s, FIRST_S), min(last_s, LAST_S))

    @property
    def condition(self) -> str:
        return f"time >= '{_written(self.first_s)}' AND time <= '{_written(self.last_s)}'"

    def halves(self) -> tuple[Span, Span]:
        middle = (self.first_s + self.last_s) // 2
        return Span(self.first_s, middle), Span(middle + 1, self.last_s)


def of_series(series: Series, span: Span) -> str:
    """Ask for every reading of one series."""
    meter, register = _quoted(series.meter), _quoted(series.register)
    where = [f'"meter" = {meter}', f'"register" = {register}', span.condition]
    return _select(f'"verdict", {_FIELDS}', where)


def nearest(span: Span, meters: Collection[str], *, newest: bool) -> str:
    """Ask for the newest (or oldest) good reading of every series of `meters`, and maybe others."""
    pick = "last" if newest else "first"
    columns = f'{pick}("verdict") AS "verdict", {_FIELDS}'
    where = [span.condition, '"verdict" = 0', *_named(meters)]
    return _select(columns, where, by_series=True)


def newest(meters: Collection[str], *conditions: str, whole: bool) -> str:
    """Ask for the newest reading of every series of `meters`, and maybe of others.

    Not `whole`: only for its time and verdict, which InfluxDB finds with far less work.
    """
    fields = f", {_FIELDS}" if whole else ""
    where = [*conditions, *_named(meters)]
    return _select(f'last("verdict") AS "verdict"{fields}', where, by_series=True)


def clusters(identities: Iterable[tuple[Series, int]]) -> Iterator[list[tuple[Series, int]]]:
    """Yield what lies close together in time, oldest first."""
    group: list[tuple[Series, int]] = []
    for one in sorted(identities, key=lambda identity: identity[1]):
        if group and one[1] - group[-1][1] > _GAP_S:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def under_identities(identities: Iterable[tuple[Series, int]]) -> list[str]:
    """Ask for what is kept under (series, second), and maybe near it: few questions for many."""
    return [_around(group) for group in clusters(identities)]


def _around(group: list[tuple[Series, int]]) -> str:
    span = Span(group[0][1], group[-1][1])
    where = [span.condition, *_named({series.meter for series, _ in group})]
    return _select(f'"meter", "register", "verdict", {_FIELDS}', where)


def _select(columns: str, where: list[str], *, by_series: bool = False) -> str:
    parts = ["SELECT", columns, "FROM", MEASUREMENT]
    if where:
        parts += ["WHERE", " AND ".join(where)]
    if by_series:
        parts += ["GROUP BY", "meter, register"]
    return " ".join(parts)


def _named(meters: Collection[str]) -> list[str]:
    if not 0 < len(meters) <= NAMED_MAX:
        return []
    if len(meters) == 1:
        return [f'"meter" = {_quoted(*meters)}']
    names = "|".join(re.escape(meter).replace("/", r"\/") for meter in sorted(meters))
    return [f'"meter" =~ /^({names})$/']


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("'", r"\'").replace("\n", r"\n")
    return f"'{escaped}'"


def _written(second: int) -> str:
    return f"{EPOCH + second * SECOND:%Y-%m-%dT%H:%M:%SZ}"


# answers


class Table(NamedTuple):
    """One series of an answer: the tags that it was grouped by, and rows by column."""

    tags: Mapping[str, str]
    columns: list[str]
    rows: list[list[Any]]


def readings(tables: Iterable[Table], series: Series | None = None) -> Iterator[Reading]:
    """Yield the readings of `tables`: of `series`, or of those named in tags or in columns."""
    for table in tables:
        at = {name: position for position, name in enumerate(table.columns)}
        time, value, verdict, reasons, raw = (
            at[name] for name in ("time", "value", "verdict", "reasons", "raw")
        )
        fixed = series
        if fixed is None and "meter" not in at:
            fixed = Series(table.tags["meter"], table.tags["register"])
        for row in table.rows:
            own = fixed or Series(row[at["meter"]], row[at["register"]])
            kept = Row(0, 0, row[time], row[value], row[verdict], row[reasons] or "", row[raw])
            yield decode(kept, own)


def times_and_verdicts(tables: Iterable[Table]) -> Iterator[tuple[Series, int, int]]:
    """Yield when each series of `tables` was read last, and the verdict."""
    for table in tables:
        told = dict(zip(table.columns, table.rows[0], strict=True))
        series = Series(table.tags["meter"], table.tags["register"])
        yield series, told["time"], told["verdict"]
