"""How the bills of a run differ from those of the month before: per unit, outliers first."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from billing.store.views import runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from billing.anomalies import Anomaly
    from billing.comparison import Difference
    from billing.store.runs import CommunityRun, Run

SHOWN = 50
CHARGES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class UnitChange:
    """What a unit is billed now and was before, in fen, the charges that moved it, and why.

    `why` is what is unusual about the unit, where anything is.
    """

    community: str
    unit: str
    before: int
    now: int
    charges: Sequence[Difference]
    why: Sequence[Anomaly]

    @property
    def amount(self) -> int:
        return self.now - self.before


@dataclass(frozen=True, slots=True)
class ChangeList:
    """The units whose bills move most, and how many more move."""

    shown: Sequence[UnitChange]
    more: int


def of_run(connection: Connection, run: Run) -> ChangeList:
    """Return how an ordinary run's units differ from the month before, the largest first.

    A correction states differences only, so there is nothing to hold it against.
    """
    if run.kind != "ordinary":
        return ChangeList((), 0)
    found = [
        _Moved(part, unit, before, now)
        for part in run.communities
        if part.period == run.period and part.bills
        for unit, (before, now) in runs.totals(connection, part).items()
        if before != now
    ]
    most = heapq.nsmallest(
        SHOWN,
        found,
        key=lambda each: (-abs(each.now - each.before), each.part.community, each.unit),
    )
    return ChangeList(_told(connection, most), len(found) - len(most))


class _Moved(NamedTuple):
    """A unit whose bill moves, in fen."""

    part: CommunityRun
    unit: str
    before: int
    now: int


def _told(connection: Connection, moved: Sequence[_Moved]) -> list[UnitChange]:
    """Return what moved each unit, and what is unusual about it."""
    parts = {each.part.id: each.part for each in moved}
    charges: dict[tuple[int, str], list[Difference]] = defaultdict(list)
    unusual: dict[tuple[int, str], list[Anomaly]] = defaultdict(list)
    for part in parts.values():
        units = [each.unit for each in moved if each.part is part]
        for difference in runs.differences(connection, part, units):
            charges[part.id, difference.unit].append(difference)
        for anomaly in part.anomalies:
            unusual[part.id, anomaly.unit].append(anomaly)
    return [
        UnitChange(
            part.community,
            unit,
            before,
            now,
            heapq.nsmallest(
                CHARGES_SHOWN,
                charges[part.id, unit],
                key=lambda one: (-abs(one.amount), one.charge),
            ),
            unusual[part.id, unit],
        )
        for part, unit, before, now in moved
    ]
