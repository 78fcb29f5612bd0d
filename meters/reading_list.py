"""A list of readings in a file: CSV with the columns `time` and `value`, as a person exports it."""

from __future__ import annotations

import csv
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from meters.interval import utc
from meters.quantity import INT64_MAX, PER_UNIT
from meters.reading import Observation, Reason, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

COLUMNS = ("time", "value")


class ReadingListError(ValueError):
    """A list of readings cannot be understood; the message says in which line, and what to do."""


def parse_readings(lines: Iterable[str], series: Series) -> list[Observation]:
    """Return the observations of `series` that the CSV `lines` list, in their order.

    `time` is ISO 8601 with a zone, `value` a decimal in the register's canonical unit; what is
    empty or NaN was read without a number. Raises `ReadingListError`.
    """
    rows = csv.reader(_without_mark(lines), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if sorted(header) != sorted(COLUMNS):
            found = ", ".join(header) or "nothing"
            raise ReadingListError(
                f"line 1: expected the columns {','.join(COLUMNS)}, got {found}; write them there"
            )
        found_in = {name: header.index(name) for name in COLUMNS}
        return [
            _observation(row, found_in, series, rows.line_num)
            for row in rows
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise ReadingListError(f"line {rows.line_num}: not CSV: {error}") from error


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    """Yield `lines` without the byte order mark that spreadsheets write."""
    for number, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if number == 0 else line


def _observation(
    row: list[str], found_in: Mapping[str, int], series: Series, line: int
) -> Observation:
    if len(row) != len(COLUMNS):
        raise ReadingListError(f"line {line}: expected {len(COLUMNS)} columns, got {len(row)}")
    text = row[found_in["value"]].strip()
    time = _time(row[found_in["time"]].strip(), line)
    value = _value(text, line)
    fault = Reason.NOT_A_NUMBER if value is None else None
    return Observation(series, time, value, text, fault)


def _time(text: str, line: int) -> datetime:
    try:
        return utc(datetime.fromisoformat(text)).replace(microsecond=0)
    except ValueError as error:
        reason = "it has no zone" if "no time zone" in str(error) else "it is no time"
        raise ReadingListError(
            f"line {line}: time {text!r:.60}: {reason}; write it as 2026-01-01T00:00:00+08:00"
        ) from error
    except OverflowError as error:
        raise ReadingListError(
            f"line {line}: time {text!r:.60} is beyond every calendar"
        ) from error


def _value(text: str, line: int) -> Decimal | None:
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ReadingListError(
            f"line {line}: value {text!r:.60} is no number; write it as 1234.5, with a point and "
            "without a unit"
        ) from error
    if not value.is_finite():
        return None
    exponent = value.as_tuple().exponent
    if value and (value.adjusted() > 18 or abs(value) * PER_UNIT > INT64_MAX):
        raise ReadingListError(f"line {line}: value {text:.60} is more than an archive can hold")
    if isinstance(exponent, int) and exponent < -60:
        raise ReadingListError(f"line {line}: value {text:.60} has too many decimals")
    return value
