"""How the bills of a run differ from those of the month before: per unit, outliers first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.store.views import changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from billing.anomalies import Anomaly
    from billing.comparison import Difference
    from billing.store.runs import Run

SHOWN = 50
CHARGES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class UnitChange:
    """What the charges of a unit that differ cost now and before, in fen, the largest, and why.

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
    """The units whose bills move most after the first `skipped`, and how many more move."""

    shown: Sequence[UnitChange]
    skipped: int
    more: int

    @property
    def until(self) -> int:
        """How many units are skipped to see those that move less."""
        return self.skipped + len(self.shown)


def of_run(connection: Connection, run: Run, skipped: int) -> ChangeList:
    """Return how an ordinary run's units differ from the month before, the largest first.

    A correction states differences only, so there is nothing to hold it against.
    """
    if run.kind != "ordinary":
        return ChangeList((), skipped, 0)
    parts = {
        part.community_id: part
        for part in run.communities
        if part.period == run.period and part.bills
    }
    moved = changes.moves(connection, [*parts.values()], limit=SHOWN, skipped=skipped)
    unusual: dict[tuple[int, str], list[Anomaly]] = defaultdict(list)
    for part in parts.values():
        for anomaly in part.anomalies:
            unusual[part.community_id, anomaly.unit].append(anomaly)
    shown = [
        UnitChange(
            parts[each.community_id].community,
            each.code,
            sum(one.before or 0 for one in each.charges),
            sum(one.now or 0 for one in each.charges),
            each.charges[:CHARGES_SHOWN],
            unusual[each.community_id, each.code],
        )
        for each in moved.units
    ]
    return ChangeList(shown, skipped, max(0, moved.count - skipped - len(shown)))
