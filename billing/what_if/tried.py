"""A draft of a tariff tried on an issued month: what each unit would have been billed instead.

The draft rates what stands frozen behind the lines that count of the month, and nothing else: who
used how much on which days is what was billed. What the draft reads and no issued line did, such as
an attribute that is new in it, cannot be tried; such units are named.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from billing.formula.problem import FormulaBlockedError
from billing.money import OverflowInMoneyError, from_fen
from billing.rating.evidence import read_inputs
from billing.rating.rate import rate, total
from billing.rating.subjects import BandUse, Classes, Subjects, SubjectsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.rating.exact import Carried
    from billing.tariff import Tariff


class Holder(NamedTuple):
    """Who was billed: a unit's account."""

    unit: str
    account: str


@dataclass(frozen=True, slots=True)
class FrozenLine:
    """A line that counts: `amount` in fen, and the `inputs` that its evidence has."""

    holder: Holder
    amount: int
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What a holder was billed, and would have been, in fen."""

    holder: Holder
    before: int
    now: int

    @property
    def amount(self) -> int:
        return self.now - self.before


@dataclass(frozen=True, slots=True)
class NotTried:
    """A holder whom the draft cannot rate, and why."""

    holder: Holder
    why: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What a draft changes, by holder; those whom it cannot rate are in no sum."""

    changes: tuple[Change, ...]
    not_tried: tuple[NotTried, ...]

    @property
    def before(self) -> int:
        return sum(change.before for change in self.changes)

    @property
    def now(self) -> int:
        return sum(change.now for change in self.changes)

    @property
    def document(self) -> dict[str, Any]:
        """The trial for programs."""
        return {
            "before": str(from_fen(self.before)),
            "now": str(from_fen(self.now)),
            "change": str(from_fen(self.now - self.before)),
            "units": [
                {
                    **each.holder._asdict(),
                    "before": str(from_fen(each.before)),
                    "now": str(from_fen(each.now)),
                    "change": str(from_fen(each.amount)),
                }
                for each in self.changes
            ],
            "not_tried": [{**each.holder._asdict(), "why": each.why} for each in self.not_tried],
        }


def tried(draft: Tariff, lines: Sequence[FrozenLine]) -> Trial:
    """Return what `draft` would have billed on what is frozen behind `lines`, in their order.

    Of lines about the same days of a holder the last says what was used: it corrects the others.
    """
    before: dict[Holder, int] = defaultdict(int)
    spans: dict[Holder, dict[tuple[int, int], Mapping[str, Any]]] = defaultdict(dict)
    for line in lines:
        first, days, _ = line.inputs["days"]
        before[line.holder] += line.amount
        spans[line.holder][first, days] = line.inputs
    trying = _Trying(draft)
    for turn in range(max(map(len, spans.values()), default=0)):
        trying.rate_all(
            {
                holder: found[sorted(found)[turn]]
                for holder, found in sorted(spans.items())
                if turn < len(found)
            }
        )
    failed = trying.failed
    return Trial(
        tuple(
            Change(each, before[each], trying.billed[each])
            for each in sorted(before)
            if each not in failed
        ),
        tuple(NotTried(each, failed[each]) for each in sorted(failed)),
    )


@dataclass(slots=True)
class _Trying:
    """Rates spans one after the other; what a holder's earlier span came to goes into the next."""

    draft: Tariff
    billed: dict[Holder, int] = field(default_factory=lambda: defaultdict(int))
    carried: dict[Holder, dict[str, Carried]] = field(default_factory=dict)
    failed: dict[Holder, str] = field(default_factory=dict)

    def rate_all(self, given: Mapping[Holder, Mapping[str, Any]]) -> None:
        """Rate one span of each holder, those of one form together."""
        forms: dict[Any, list[tuple[Holder, Subjects]]] = defaultdict(list)
        for holder, inputs in given.items():
            subjects = self._subjects(holder, inputs)
            forms[_form(subjects)].append((holder, subjects))
        for rows in forms.values():
            try:
                self._rate(rows)
            except UNRATED:
                for row in rows:
                    self._rate_alone(row)

    def _subjects(self, holder: Holder, inputs: Mapping[str, Any]) -> Subjects:
        own = {key: value for key, value in inputs.items() if key != "carried"}
        assumed = {name: str(value) for name, value in (self.draft.assume or {}).items()}
        given = read_inputs({**own, "attributes": assumed | own.get("attributes", {})})
        earlier = self.carried.get(holder, {})
        return replace(given, carried={name: (each,) for name, each in earlier.items()})

    def _rate_alone(self, row: tuple[Holder, Subjects]) -> None:
        try:
            self._rate([row])
        except UNRATED as error:
            self.failed.setdefault(row[0], str(error))

    def _rate(self, rows: Sequence[tuple[Holder, Subjects]]) -> None:
        lines = rate(self.draft, _together([subjects for _, subjects in rows]))
        sums = total(lines).tolist()
        for at, (holder, _) in enumerate(rows):
            self.billed[holder] += sums[at]
            self.carried[holder] = {line.charge: line.carry(at) for line in lines}


UNRATED = (SubjectsError, FormulaBlockedError, OverflowInMoneyError)
"""What keeps a draft from rating what another tariff was rated with."""


def _form(subjects: Subjects) -> tuple[Any, ...]:
    """Return what subjects must have in common to be rated together."""
    return (
        subjects.period_days,
        *(frozenset(getattr(subjects, name)) for name in _BY_KEY),
        tuple((key, bands.names) for key, bands in sorted(subjects.bands.items())),
        subjects.classes is None,
    )


_BY_KEY = ("use", "before_year", "before_quarter", "demand", "peak_before", "attributes", "carried")


def _together(rows: Sequence[Subjects]) -> Subjects:
    """Return subjects of one form, each of one row, as one of many rows."""
    first = rows[0]

    def stacked(name: str) -> dict[Any, Any]:
        return {
            key: np.concatenate([getattr(row, name)[key] for row in rows])
            for key in getattr(first, name)
        }

    classes = [row.classes.names[0] for row in rows if row.classes is not None]
    return Subjects(
        count=len(rows),
        period_days=first.period_days,
        days=np.concatenate([row.days for row in rows]),
        days_before=np.concatenate([row.days_before for row in rows]),
        **{name: stacked(name) for name in _BY_KEY if name != "carried"},
        bands={
            key: BandUse(bands.names, np.concatenate([row.bands[key].quantity for row in rows]))
            for key, bands in first.bands.items()
        },
        classes=Classes.of(classes) if classes else None,
        carried={name: [row.carried[name][0] for row in rows] for name in first.carried},
    )
