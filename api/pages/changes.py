"""How the bills of a run differ from those of the month before: per unit, outliers first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        each
        for part in run.communities
        if part.period == run.period and part.bills
        for each in _of_part(connection, part)
    ]
    found.sort(key=lambda each: (-abs(each.amount), each.community, each.unit))
    return ChangeList(found[:SHOWN], max(0, len(found) - SHOWN))


def _of_part(connection: Connection, part: CommunityRun) -> list[UnitChange]:
    by_unit: dict[str, list[Difference]] = defaultdict(list)
    for each in runs.differences(connection, part):
        by_unit[each.unit].append(each)
    unusual: dict[str, list[Anomaly]] = defaultdict(list)
    for anomaly in part.anomalies:
        unusual[anomaly.unit].append(anomaly)
    return [
        UnitChange(
            part.community,
            unit,
            sum(each.before or 0 for each in charges),
            sum(each.now or 0 for each in charges),
            sorted(charges, key=lambda each: (-abs(each.amount), each.charge))[:CHARGES_SHOWN],
            unusual[unit],
        )
        for unit, charges in by_unit.items()
    ]
