"""A register's history, seen with hindsight: what came later settles what nothing confirmed.

The judge calls a reading after a jump good but unconfirmed, and cannot take that back. A later
reading that is good without reserve confirms it, one that restarts the counter disproves it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from meters.archive.protocol import BOUNDARY_WINDOW, Boundary
from meters.growth import growth, is_steep
from meters.reading import Reading, Reason, Verdict
from meters.register_at import value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from meters.meter_type import Register


class History:
    """The good readings of one register, without those that later ones disprove."""

    def __init__(
        self, register: Register, readings: Iterable[Reading], *, trusting: bool = False
    ) -> None:
        """Hold the good ones of `readings`; `trusting` takes what nothing settles as confirmed."""
        good = [r for r in readings if r.verdict is Verdict.GOOD and r.value is not None]
        good.sort(key=lambda reading: reading.time)
        disproved, unsettled = _settle(register, good)
        self.standing: Sequence[Reading] = [r for r in good if r.time not in disproved]
        self.disproved: Sequence[Reading] = [r for r in good if r.time in disproved]
        self._times = [reading.time for reading in self.standing]
        self._settled = {r.time: r for r in self.standing if trusting or r.time not in unsettled}

    def confirms(self, reading: Reading) -> bool:
        """Return whether `reading` stands, and a later one settles that it does."""
        return self._settled.get(reading.time) == reading

    def boundary(self, at: datetime) -> Boundary:
        """Return the readings that stand next to `at`, as an archive returns good ones."""
        index = bisect_right(self._times, at)
        before = self.standing[index - 1] if index else None
        after = self.standing[index] if index < len(self.standing) else None
        if before is not None and at - before.time > BOUNDARY_WINDOW:
            before = None
        if after is not None and after.time - at > BOUNDARY_WINDOW:
            after = None
        return Boundary(at, before, after)

    def between(self, start: datetime, end: datetime) -> Sequence[Reading]:
        """Return the readings that stand and for which `start < time <= end`."""
        return self.standing[bisect_right(self._times, start) : bisect_right(self._times, end)]


def _settle(
    register: Register, good: Sequence[Reading]
) -> tuple[frozenset[datetime], frozenset[datetime]]:
    """Return the times of the readings that are disproved, and of those that nothing settles."""
    disproved: set[datetime] = set()
    unsettled: set[datetime] = set()
    run: list[datetime] = []
    before: Reading | None = None
    for reading in good:
        if Reason.RESTARTED in reading.reasons:
            disproved.update(run)
            run = []
        elif Reason.UNCONFIRMED not in reading.reasons:
            run = []
        elif before is None or _begins(register, before, reading, after_first=good[0].time in run):
            unsettled.update(run)  # another jump, before anything confirmed the last one
            run = [reading.time]
        else:
            run.append(reading.time)
        before = reading
    return frozenset(disproved), frozenset(unsettled.union(run))


def _begins(register: Register, before: Reading, reading: Reading, *, after_first: bool) -> bool:
    """Return whether an unconfirmed `reading` begins anew, as the judge counts it."""
    if Reason.ROLLOVER in reading.reasons or Reason.UNCONFIRMED not in before.reasons:
        return True
    elapsed = reading.time - before.time
    grown = growth(register, value_of(before), value_of(reading), elapsed)
    return isinstance(grown, Reason) or (after_first and is_steep(register, grown, elapsed))
