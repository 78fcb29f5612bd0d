"""What a run asks of the archive: boundaries of all meters at once, all that one meter showed."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from meters.archive.protocol import BOUNDARY_WINDOW
from meters.history import History
from meters.interval import Interval
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from billing.usage.wanted import Wanted
    from meters.archive.protocol import Archive, Boundary
    from meters.edges import Edges
    from meters.installation import Installation

CONFIRMED_WITHIN = timedelta(days=3)
"""How long after the period the reading may come that confirms one at its end."""


class Asked:
    """The archive, asked for the registers that are `wanted`."""

    def __init__(self, archive: Archive, wanted: Sequence[Wanted]) -> None:
        self._archive = archive
        self._boundaries = _boundaries(wanted, archive)
        self._histories: dict[tuple[Series, Interval], History] = {}

    def boundaries(self, each: Wanted) -> dict[tuple[str, datetime], Boundary]:
        """Return the readings next to the ends of the parts and to changes of a ratio, by meter."""
        return self._boundaries[each.point.code, each.register]

    def near(self, meter: str, register: str, at: datetime, window: timedelta) -> Boundary:
        """Return the good readings of one meter next to `at`, at most `window` away."""
        series = Series(meter, register)
        return self._archive.boundaries([series], at, window=window)[series]

    def histories(self, each: Wanted, interval: Interval) -> dict[str, History]:
        """Return all that the meters of a point showed in `interval` and beside it."""
        return {
            installation.meter: self.history(each, installation, interval)
            for installation in each.point.installations
            if installation.within(interval) is not None
        }

    def history(self, each: Wanted, installation: Installation, interval: Interval) -> History:
        """Return all that one meter showed in `interval` and beside it."""
        series = Series(installation.meter, each.register)
        if (series, interval) not in self._histories:
            beside = Interval(interval.start - BOUNDARY_WINDOW, interval.end + CONFIRMED_WITHIN)
            self._histories[series, interval] = History(
                each.registers[installation.meter_type], self._archive.readings(series, beside)
            )
        return self._histories[series, interval]

    def edges(
        self,
        series: Collection[Series],
        instants: Collection[datetime],
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Edges:
        """Return what `series` showed next to `instants`, in one question."""
        return self._archive.edges(series, instants, window=window)


def _boundaries(
    wanted: Sequence[Wanted], archive: Archive
) -> dict[tuple[str, str], dict[tuple[str, datetime], Boundary]]:
    """Ask the archive once for each instant that counts, for all meters that stood then."""
    series: dict[datetime, dict[Series, list[tuple[str, str]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for each in wanted:
        key = each.point.code, each.register
        ends = {part.interval.start for part in each.parts} | {each.end}
        for one in each.point.installations:
            asked = Series(one.meter, each.register)
            instants = ends
            if one.ratios:
                whole = each.whole
                instants = ends | {ratio.since for ratio in one.ratios if ratio.since in whole}
            for instant in instants:
                if one.start <= instant and (one.end is None or instant <= one.end):
                    series[instant][asked].append(key)
    found: dict[tuple[str, str], dict[tuple[str, datetime], Boundary]] = {
        (each.point.code, each.register): {} for each in wanted
    }
    for instant in sorted(series):
        for asked, boundary in archive.boundaries(series[instant].keys(), instant).items():
            for key in series[instant][asked]:
                found[key][asked.meter, instant] = boundary
    return found
