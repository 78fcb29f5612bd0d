"""Readings as the rows that SQL archives keep: scaled integers, epoch seconds, short texts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from meters.interval import utc
from meters.quantity import from_scaled, to_scaled_column
from meters.reading import Reading, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meters.reading import Series

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR_S = 3600
DAY_S = 86400

_GOOD = Verdict.GOOD  # looked up once: on an enumeration it is slow
_VERDICTS = {int(verdict): verdict for verdict in Verdict}


class UnstorableReadingError(ValueError):
    """A reading that no archive can hold as it is; `reading` is the one that was refused."""

    def __init__(self, reading: Reading, why: str) -> None:
        meter, register = reading.series
        super().__init__(
            f"the reading of {meter} {register} at {reading.time.isoformat()} is refused: {why}"
        )
        self.reading = reading
        self.why = why


class Row(NamedTuple):
    """A reading as stored: `hour` and `time` in hours and seconds since 1970, value in 10⁻⁴."""

    hour: int
    series: int
    time: int
    value: int | None
    verdict: int
    reasons: str
    raw: str

    @property
    def identity(self) -> tuple[int, int]:
        return self.series, self.time


def encode(readings: Sequence[Reading], ids: Mapping[Series, Any]) -> list[tuple[Any, ...]]:
    """Return a row (as `Row`, but bare: it is the hot path) for each reading, in their order.

    Raises `UnstorableReadingError` for a time that is not whole seconds of UTC and for a value
    that is no multiple of 10⁻⁴ or exceeds 64 bits; `KeyError` for a series that `ids` lacks.
    """
    times, values = columns(readings)
    return [
        (
            time // HOUR_S,
            ids[reading.series],
            time,
            value,
            0 if reading.verdict is _GOOD else int(reading.verdict),
            ",".join(reading.reasons) if reading.reasons else "",
            reading.raw,
        )
        for reading, time, value in zip(readings, times, values, strict=True)
    ]


def columns(readings: Sequence[Reading]) -> tuple[list[int], list[int | None]]:
    """Return the times in seconds since 1970 and the values in 10⁻⁴; raises as `encode` does."""
    moments = [reading.time for reading in readings]
    try:
        since = [moment - EPOCH for moment in moments]
        values = to_scaled_column([reading.value for reading in readings])
    except (TypeError, ValueError):
        since, values = [], []
    zones = {moment.tzinfo for moment in moments}
    if not since or zones != {UTC} or {s.microseconds for s in since} != {0}:
        for reading in readings:
            _check(reading)
    return [s.days * DAY_S + s.seconds for s in since], values


def _check(reading: Reading) -> None:
    """Raise `UnstorableReadingError` where `reading` cannot be held."""
    if reading.time.utcoffset() != timedelta(0):
        raise UnstorableReadingError(reading, "its time is not in UTC; convert it first")
    if reading.time.microsecond:
        raise UnstorableReadingError(reading, "its time has a fraction of a second; drop it first")
    try:
        to_scaled_column([reading.value])
    except ValueError as error:
        raise UnstorableReadingError(reading, str(error)) from error


def decode(row: Row, series: Series) -> Reading:
    """Return the reading that `row` holds."""
    _, _, time, value, verdict, reasons, raw = row
    return Reading(
        series,
        _moment(time),
        None if value is None else from_scaled(value),
        raw,
        _VERDICTS[verdict],
        tuple(map(Reason, reasons.split(","))) if reasons else (),
    )


@lru_cache(maxsize=4096)
def _moment(time: int) -> datetime:
    """Return an instant; meters are read at the same ones."""
    return EPOCH + timedelta(seconds=time)


def floor_seconds(moment: datetime) -> int:
    """Return the last whole second at or before `moment`, since 1970."""
    return (utc(moment) - EPOCH) // SECOND


def ceil_seconds(moment: datetime) -> int:
    """Return the first whole second at or after `moment`, since 1970."""
    return -((EPOCH - utc(moment)) // SECOND)


def day_number(day: date) -> int:
    """Return `day`, one of UTC, as days since 1970."""
    return (day - EPOCH.date()).days
