"""What a reviewer should look at in a run, each with the line that it is about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from api import staff_terms
from api.formats import Formats
from billing.anomalies import AnomalyKind
from billing.money import to_fen
from billing.store.views import billed_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from api.language import Language
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

    @property
    def case(self) -> Mapping[str, str]:
        """The point and register whose readings it rests on, as the review's page takes them."""
        if self.line is None or self.line.register is None:
            return {}
        point, _, register = self.line.register.rpartition(" ")
        return {
            "community": self.community,
            "period": self.period,
            "point": point,
            "register": register,
        }


@dataclass(frozen=True, slots=True)
class AnomalyList:
    """The first `SHOWN` anomalies of a run, of one kind or of all, and how many each kind has."""

    kind: AnomalyKind | None
    counts: Mapping[AnomalyKind, int]
    shown: Sequence[Shown]

    @property
    def more(self) -> int:
        """How many are not shown."""
        chosen = sum(self.counts.values()) if self.kind is None else self.counts[self.kind]
        return chosen - len(self.shown)


def of_run(connection: Connection, run: Run, kind: AnomalyKind | None) -> AnomalyList:
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
    return AnomalyList(kind, {each: counts[each] for each in AnomalyKind}, shown)


def sentence(anomaly: Anomaly, language: Language, *, unit: str = "", currency: str = "CNY") -> str:
    """Return what is unusual in one sentence, as billing says it where no sentence is known.

    `unit`: of the register, where it is known.
    """
    about = "use" if anomaly.of_use else "money"
    text = staff_terms.ANOMALY_SENTENCES.get(f"{anomaly.kind} {about}")
    if text is None or not (anomaly.found or anomaly.usual):
        return anomaly.text
    words = Formats(language)

    def shown(value: str) -> str:
        if not value:
            return ""
        if anomaly.of_use:
            return words.measure(Decimal(value), unit)
        return words.money(to_fen(Decimal(value)), currency)

    return language(text).format(found=shown(anomaly.found), usual=shown(anomaly.usual))
