"""What a reviewer should look at in a run, each with the line that it is about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.anomalies import Kind
from billing.store.views import billed_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from billing.anomalies import Anomaly
    from billing.store.runs import Run
    from billing.store.views.billed_lines import BilledLine

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """An anomaly of a community. `line` is None where it is about no single line of a bill."""

    community: str
    period: str
    anomaly: Anomaly
    bill: str | None
    line: BilledLine | None


@dataclass(frozen=True, slots=True)
class AnomalyList:
    """The first `SHOWN` anomalies of a run, of one kind or of all, and how many each kind has."""

    kind: Kind | None
    counts: Mapping[Kind, int]
    shown: Sequence[Shown]

    @property
    def more(self) -> int:
        """How many are not shown."""
        chosen = sum(self.counts.values()) if self.kind is None else self.counts[self.kind]
        return chosen - len(self.shown)


def of_run(connection: Connection, run: Run, kind: Kind | None) -> AnomalyList:
    """Return the anomalies of `run`, with the lines and bills that they lead to."""
    found = [(part, each) for part in run.communities for each in part.anomalies]
    counts = Counter(each.kind for _part, each in found)
    chosen = [(part, each) for part, each in found if kind in (None, each.kind)][:SHOWN]
    lines = {
        part.id: billed_lines.of_units(
            connection, part.id, {each.unit for other, each in chosen if other.id == part.id}
        )
        for part, _each in chosen
    }
    bills = {(part, line.unit): line.bill for part, all_ in lines.items() for line in all_}
    shown = [
        Shown(
            part.community,
            part.period,
            each,
            bills.get((part.id, each.unit)),
            billed_lines.line_of(each, lines[part.id]),
        )
        for part, each in chosen
    ]
    return AnomalyList(kind, {each: counts[each] for each in Kind}, shown)
