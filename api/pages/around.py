"""The readings around the ends of a use, as archives hold them, for whoever judges it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from meters.interval import Interval
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from meters.archive.protocol import Archive
    from meters.reading import Reading

AROUND = timedelta(days=3)
NEAREST = 4
"""How many readings are shown before and after each end."""


def ends(
    archive: Archive, meters: Iterable[str], register: str, at: Iterable[datetime]
) -> list[tuple[datetime, list[Reading]]]:
    """Return each instant with the readings of `register` nearest to it, in order."""
    series = [Series(meter, register) for meter in meters]
    return [(each, _around(archive, series, each)) for each in at]


def nearest(readings: Iterable[Reading], at: datetime) -> list[Reading]:
    """Return the readings nearest to `at` and not farther than `AROUND`, in order."""
    near = [each for each in readings if at - AROUND <= each.time < at + AROUND]
    ordered = sorted(near, key=lambda each: each.time)
    before = [each for each in ordered if each.time < at][-NEAREST:]
    return before + [each for each in ordered if each.time >= at][:NEAREST]


def _around(archive: Archive, series: Sequence[Series], at: datetime) -> list[Reading]:
    interval = Interval(at - AROUND, at + AROUND)
    return nearest((one for each in series for one in archive.readings(each, interval)), at)
