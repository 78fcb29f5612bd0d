"""Readings as lines of InfluxDB's line protocol.

    reading,meter=sdm120-1,register=import_energy value=109092800i,verdict=0i,raw="462a 7521" 1790…

One measurement holds all, since an archive knows registers and not media: the register's name
tells them apart. Tags are what identifies a series and nothing else: a tag more, and a reading that
is sent again would be a second one. The value is an integer of 10⁻⁴ of the register's unit, absent
where the meter showed none; the verdict is always there. The time is in whole seconds.
https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meters.archive.rows import UnstorableReadingError, columns
from meters.reading import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meters.reading import Reading, Series

MEASUREMENT = "reading"
FIRST_S, LAST_S = -9_223_372_036, 9_223_372_035
"""Times are kept in nanoseconds of 64 bits: the years 1677 to 2262."""

_ESCAPED = re.compile(r"([,= ])")
_ESCAPED_IN_TEXT = frozenset('"\\')
_ALL_GOOD = frozenset({Verdict.GOOD})
_UNTAGGABLE = re.compile(r"[\x00-\x1f\x7f\\]")


class Lines:
    """Turns readings into lines; remembers the beginnings of lines, which repeat."""

    def __init__(self) -> None:
        self._beginnings: dict[Series, str] = {}

    def of(self, readings: Sequence[Reading]) -> tuple[list[str], list[int]]:
        """Return a line for each reading, and its time in seconds, in their order.

        Raises `UnstorableReadingError` for the first that no line can hold.
        """
        times, values = columns(readings)
        if times and not FIRST_S <= min(times) <= max(times) <= LAST_S:
            _refuse_beyond(readings, times)
        if not readings:
            return [], []
        series, _, _, raws, verdicts, reasons = zip(*readings, strict=True)
        beginnings = self._beginnings
        if not beginnings.keys() >= set(series):
            beginnings |= {r.series: _beginning(r) for r in readings if r.series not in beginnings}
        starts = map(beginnings.__getitem__, series)
        plain = _ALL_GOOD.issuperset(verdicts) and not any(reasons) and None not in values
        if plain and _ESCAPED_IN_TEXT.isdisjoint("".join(raws)):
            lines = [
                f'{start}value={value}i,verdict=0i,raw="{raw}" {time}'
                for start, value, raw, time in zip(starts, values, raws, times, strict=True)
            ]
        else:
            lines = [
                f"{start}{_fields(reading, value)} {time}"
                for start, reading, value, time in zip(starts, readings, values, times, strict=True)
            ]
        return lines, times


def _fields(reading: Reading, value: int | None) -> str:
    number = "" if value is None else f"value={value}i,"
    why = f',reasons="{",".join(reading.reasons)}"' if reading.reasons else ""
    raw = reading.raw.replace("\\", r"\\").replace('"', r"\"")
    return f'{number}verdict={int(reading.verdict)}i,raw="{raw}"{why}'


def _refuse_beyond(readings: Sequence[Reading], times: list[int]) -> None:
    for reading, time in zip(readings, times, strict=True):
        if not FIRST_S <= time <= LAST_S:
            raise UnstorableReadingError(reading, "InfluxDB holds the years 1678 to 2261 only")


def _beginning(reading: Reading) -> str:
    series = reading.series
    for name in series:
        if not name or _UNTAGGABLE.search(name):
            raise UnstorableReadingError(
                reading, "InfluxDB takes no name with a backslash, a control character or nothing"
            )
    meter, register = (_ESCAPED.sub(r"\\\1", name) for name in series)
    return f"{MEASUREMENT},meter={meter},register={register} "
