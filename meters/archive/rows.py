"""Readings as the rows that SQL archives keep: scaled integers, epoch seconds, short texts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from meters.interval import utc
from meters.quantity import from_scaled, to_scaled
from meters.reading import Reading, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


def encode(readings: Iterable[Reading], ids: Mapping[Series, Any]) -> list[tuple[Any, ...]]:
    """Return a row (as `Row`, but bare: it is the hot path) for each reading, in their order.

    Raises `UnstorableReadingError` for a time that is not whole seconds of UTC and for a value
    that is no multiple of 10⁻⁴ or exceeds 64 bits; `KeyError` for a series that `ids` lacks.
    """
    rows: list[tuple[Any, ...]] = []
    for reading in readings:
        time = _whole_seconds(reading)
        value, verdict = reading.value, reading.verdict
        try:
            scaled = None if value is None else to_scaled(value)
        except (ValueError, ArithmeticError) as error:
            raise UnstorableReadingError(reading, str(error)) from error
        rows.append(
            (
                time // HOUR_S,
                ids[reading.series],
                time,
                scaled,
                0 if verdict is _GOOD else int(verdict),
                ",".join(reading.reasons) if reading.reasons else "",
                reading.raw,
            )
        )
    return rows


def decode(row: Row, series: Series) -> Reading:
    """Return the reading that `row` holds."""
    return Reading(
        series=series,
        time=EPOCH + timedelta(seconds=row.time),
        value=None if row.value is None else from_scaled(row.value),
        raw=row.raw,
        verdict=_VERDICTS[row.verdict],
        reasons=tuple(map(Reason, row.reasons.split(","))) if row.reasons else (),
    )


def floor_seconds(moment: datetime) -> int:
    """Return the last whole second at or before `moment`, since 1970."""
    return (utc(moment) - EPOCH) // SECOND


def ceil_seconds(moment: datetime) -> int:
    """Return the first whole second at or after `moment`, since 1970."""
    return -((EPOCH - utc(moment)) // SECOND)


def day_number(day: date) -> int:
    """Return `day`, one of UTC, as days since 1970."""
    return (day - EPOCH.date()).days


def _whole_seconds(reading: Reading) -> int:
    moment = reading.time
    if moment.tzinfo is not UTC and moment.utcoffset() != timedelta(0):
        raise UnstorableReadingError(reading, "its time is not in UTC; convert it first")
    since = moment - EPOCH
    if since.microseconds:
        raise UnstorableReadingError(reading, "its time has a fraction of a second; drop it first")
    return since.days * DAY_S + since.seconds
