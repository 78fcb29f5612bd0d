"""What a reviewer should look at in a computed month: what differs from what was usual.

Nothing of it keeps a bill from being issued; what does is a problem of the run.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.evidence import quantity_text
from billing.money import from_fen
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from billing.comparison import Amounts
    from billing.run import Computed

HIGH_FACTOR = 3
"""A use is high that is more than so many times the median of the earlier months."""
GUESSED = ("Interpolated", "Estimated", "Substituted")
"""The findings that say of a use that it was not read."""


class AnomalyKind(StrEnum):
    """Why something should be looked at."""

    ZERO = "zero"
    HIGH = "high"
    ESTIMATED = "estimated"
    MISSING = "missing"
    NEW = "new"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True, order=True)
class Anomaly:
    """Something unusual. `subject`: the charge, or the point and register, that it is about.

    `found` and `usual`: what it is and what it was before, a use in the register's unit or money,
    empty where there is none.
    """

    unit: str
    kind: AnomalyKind
    subject: str
    text: str
    found: str = ""
    usual: str = ""

    @property
    def of_use(self) -> bool:
        """Whether it is about a register, and not about money."""
        return " " in self.subject


def anomalies(
    computed: Computed,
    before: Amounts,
    now: Amounts,
    *,
    held: Collection[str] = (),
) -> tuple[Anomaly, ...]:
    """Return what is unusual in `computed`, by unit.

    `before` is what the month before billed, empty where there was none; `now` what this one does.
    A use is held against those of the twelve months before that are issued.
    """
    return tuple(
        sorted(
            {
                *_unusual_use(computed, held),
                *_unusual_bills(computed),
                *_waiting(computed),
                *_come_and_gone(before, now, held),
            }
        )
    )


def _unusual_use(computed: Computed, held: Collection[str]) -> Iterator[Anomaly]:
    points = {point.code: point for point in computed.registry.points}
    used: dict[tuple[str, str], int] = defaultdict(int)
    guessed: dict[tuple[str, str], set[str]] = defaultdict(set)
    for usage in computed.usages.values():
        if usage.quantity is None or usage.joined:
            continue
        key = (usage.point, usage.register)
        used[key] += to_scaled(usage.quantity)
        if usage.findings:
            names = {type(each).__name__ for each in usage.findings}
            guessed[key] |= names.intersection(GUESSED)
    for (code, register), quantity in used.items():
        point = points[code]
        if point.unit is None or point.unit in held:
            continue
        subject = f"{code} {register}"
        for name in sorted(guessed.get((code, register), ())):
            text = f"its use of {quantity_text(quantity)} was not read: {name.lower()}"
            yield Anomaly(point.unit, AnomalyKind.ESTIMATED, subject, text, quantity_text(quantity))
        issued = computed.registry.issued.get((point.id, register))
        months = {} if issued is None else {**issued.last_year, **issued.by_month}
        yield from _against(point.unit, subject, quantity, sorted(months.values()))


def _against(unit: str, subject: str, quantity: int, usual: Sequence[int]) -> Iterator[Anomaly]:
    """Hold a use against those of earlier months, in order of size."""
    if quantity < 0:
        text = f"its use is {quantity_text(quantity)}"
        yield Anomaly(unit, AnomalyKind.NEGATIVE, subject, text, quantity_text(quantity))
    if not usual:
        return
    twice = usual[(len(usual) - 1) // 2] + usual[len(usual) // 2]  # the median, times two
    median = quantity_text(twice // 2)
    if quantity == 0 and twice > 0:
        text = f"it used nothing; the median is {median}"
        yield Anomaly(unit, AnomalyKind.ZERO, subject, text, quantity_text(quantity), median)
    elif 2 * quantity > HIGH_FACTOR * twice > 0:
        text = f"it used {quantity_text(quantity)}; the median is {median}"
        yield Anomaly(unit, AnomalyKind.HIGH, subject, text, quantity_text(quantity), median)


def _unusual_bills(computed: Computed) -> Iterator[Anomaly]:
    for bill in computed.bills:
        unit = bill.unit.code
        if bill.total == 0:
            yield Anomaly(unit, AnomalyKind.ZERO, bill.number, "the bill is of 0.00", "0.00")
        if bill.total < 0:
            text = f"the bill is of {from_fen(bill.total)}"
            yield Anomaly(unit, AnomalyKind.NEGATIVE, bill.number, text, str(from_fen(bill.total)))
        for line in bill.lines:
            if line.amount < 0:
                text = f"the line is of {from_fen(line.amount)}"
                amount = str(from_fen(line.amount))
                yield Anomaly(unit, AnomalyKind.NEGATIVE, line.charge, text, amount)


def _waiting(computed: Computed) -> Iterator[Anomaly]:
    for each in computed.waiting:
        text = f"{each.what}; the pool waits, and is shared by the correction that bills the unit"
        yield Anomaly(each.unit, AnomalyKind.MISSING, each.pool, text)


def _come_and_gone(before: Amounts, now: Amounts, held: Collection[str]) -> Iterator[Anomaly]:
    if not before:
        return
    for unit, charge in before.keys() - now.keys():
        if unit in held:
            continue
        amount = str(from_fen(before[unit, charge]))
        text = f"was billed {amount} in the month before, and is not now"
        yield Anomaly(unit, AnomalyKind.MISSING, charge, text, usual=amount)
    for unit, charge in now.keys() - before.keys():
        amount = str(from_fen(now[unit, charge]))
        text = f"is billed {amount}, and was not in the month before"
        yield Anomaly(unit, AnomalyKind.NEW, charge, text, amount)
