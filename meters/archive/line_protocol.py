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

from meters.archive.rows import UnstorableReadingError, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meters.reading import Reading, Series

MEASUREMENT = "reading"
FIRST_S, LAST_S = -9_223_372_036, 9_223_372_035
"""Times are kept in nanoseconds of 64 bits: the years 1677 to 2262."""

_ESCAPED = re.compile(r"([,= ])")
_UNTAGGABLE = re.compile(r"[\x00-\x1f\x7f\\]")


class Lines:
    """Turns readings into lines; remembers the beginnings of lines, which repeat."""

    def __init__(self) -> None:
        self._beginnings: dict[Series, str] = {}

    def of(self, readings: Sequence[Reading]) -> list[str]:
        """Return a line for each reading, in their order.

        Raises `UnstorableReadingError` for the first that no line can hold.
        """
        try:
            rows = encode(readings, self._beginnings)
        except KeyError:
            for reading in readings:
                if reading.series not in self._beginnings:
                    self._beginnings[reading.series] = _beginning(reading)
            rows = encode(readings, self._beginnings)
        lines = []
        for position, (_, beginning, time, value, verdict, reasons, raw) in enumerate(rows):
            if not FIRST_S <= time <= LAST_S:
                raise UnstorableReadingError(
                    readings[position], "InfluxDB holds the years 1678 to 2261 only"
                )
            number = "" if value is None else f"value={value}i,"
            why = f',reasons="{reasons}"' if reasons else ""
            text = raw
            if '"' in raw or "\\" in raw:
                text = raw.replace("\\", r"\\").replace('"', r"\"")
            lines.append(f'{beginning}{number}verdict={verdict}i,raw="{text}"{why} {time}')
        return lines


def _beginning(reading: Reading) -> str:
    series = reading.series
    for name in series:
        if not name or _UNTAGGABLE.search(name):
            raise UnstorableReadingError(
                reading, "InfluxDB takes no name with a backslash, a control character or nothing"
            )
    meter, register = (_ESCAPED.sub(r"\\\1", name) for name in series)
    return f"{MEASUREMENT},meter={meter},register={register} "
