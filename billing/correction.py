"""What an issued month gets when it is computed anew: reversals, new lines, and whose they are.

An issued bill never changes (I5). A month that is computed again, with what is known today, is held
against the lines that count of it: those of its issued bills that nothing has reversed. A line that
comes out again as it was stays. Every other one is reversed, by a line that takes back exactly its
quantity, its amount and the tax that it stated, and refers to it; what is owed in its place is a
new line that refers to it too. So what counts of a month afterwards is what a world would have
billed that knew from the start.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from billing.canonical import evidence_json, read_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from billing.bill import Bill, Line
    from billing.registry import Account, Unit

    Evidence: TypeAlias = Mapping[str, Any]

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledLine:
    """A line of an issued bill that counts. `quantity`: 10⁻⁴ of `unit_of`; `amount`: fen.

    What it rests on goes by ids: its reversal rests on the same. `evidence`: as canonical JSON.
    """

    bill_id: int
    number: str
    position: int
    unit: str
    account: Account
    charge: str
    revenue: str
    quantity: int
    unit_of: str
    amount: int
    tariff_version_id: int | None
    usage_id: int | None
    statement_id: int | None
    share: int | None
    evidence: str


@dataclass(frozen=True, slots=True)
class NewLine:
    """What is owed in place of `of`, or where nothing was billed before."""

    line: Line
    of: BilledLine | None


@dataclass(frozen=True, slots=True)
class Correction:
    """What one account owes differently for a unit and an issued month."""

    period: str
    unit: Unit
    account: Account
    reversed: tuple[BilledLine, ...]
    new: tuple[NewLine, ...]

    @property
    def total(self) -> int:
        """What it owes more, in fen; less below zero."""
        return sum(each.line.amount for each in self.new) - sum(
            each.amount for each in self.reversed
        )


def taking_back(evidence: Evidence, *, bill: str, line: int) -> Evidence:
    """Return the evidence of the line that takes back a line of `evidence`, which is of a bill.

    It states the tax that was stated with its sign reversed, so that sums of tax come out right.
    """
    tax = evidence.get("tax")
    reference = {"reverses": {"bill": bill, "line": line}}
    if tax is None:
        return reference
    return {**reference, "tax": {**tax, "amount": str(-Decimal(tax["amount"]))}}


def _tax_stated(evidence: str) -> str:
    """Return the tax that a line states, as canonical JSON; an empty text for none."""
    if '"tax":' not in evidence:
        return ""
    tax = read_json(evidence).get("tax")
    return "" if tax is None else evidence_json(tax)


class _Said(NamedTuple):
    """What a line says to the one who pays: two that say the same are the same."""

    unit: str
    account: int
    charge: str
    revenue: str
    quantity: int
    unit_of: str
    amount: int
    tax: str


def corrections(
    period: str,
    units: Sequence[Unit],
    counting: Iterable[BilledLine],
    bills: Iterable[Bill],
    *,
    held: Collection[str] = (),
) -> tuple[Correction, ...]:
    """Return how the lines that count of `period` differ from `bills`, which it would have today.

    One for each unit and account that it changes anything for, in the order of `units`; nothing of
    a unit that is `held` changes.
    """
    before = [(_said_then(each), each) for each in counting if each.unit not in held]
    now = [
        (_said_now(bill, line), _Owed(bill.unit, bill.account, line))
        for bill in bills
        for line in bill.lines
        if bill.unit.code not in held
    ]
    stays = Counter(said for said, _ in before) & Counter(said for said, _ in now)
    gone, come = _beyond(before, stays), _beyond(now, stays)
    replaced = _replaced(gone, come)
    by_debtor: dict[tuple[str, int], tuple[Account, list[BilledLine], list[NewLine]]] = {}
    for each in gone:
        by_debtor.setdefault(_debtor(each.unit, each.account), (each.account, [], []))[1].append(
            each
        )
    for owed, of in zip(come, replaced, strict=True):
        debtor = by_debtor.setdefault(_debtor(owed.unit.code, owed.account), (owed.account, [], []))
        debtor[2].append(NewLine(owed.line, of))
    known = {unit.code: (place, unit) for place, unit in enumerate(units)}
    return tuple(
        Correction(period, known[code][1], account, tuple(reversed_), tuple(new))
        for (code, _), (account, reversed_, new) in sorted(
            by_debtor.items(), key=lambda entry: (known[entry[0][0]][0], entry[1][0].code)
        )
    )


class _Owed(NamedTuple):
    unit: Unit
    account: Account
    line: Line


def _said_then(line: BilledLine) -> _Said:
    return _Said(
        line.unit,
        line.account.id,
        line.charge,
        line.revenue,
        line.quantity,
        line.unit_of,
        line.amount,
        _tax_stated(line.evidence),
    )


def _said_now(bill: Bill, line: Line) -> _Said:
    return _Said(
        bill.unit.code,
        bill.account.id,
        line.charge,
        line.revenue,
        line.quantity,
        line.unit,
        line.amount,
        _tax_stated(line.evidence),
    )


def _debtor(unit: str, account: Account) -> tuple[str, int]:
    return unit, account.id


def _beyond(entries: Iterable[tuple[_Said, Entry]], stays: Counter[_Said]) -> list[Entry]:
    """Return the entries that are there more often than they stay."""
    left = stays.copy()
    found = []
    for said, entry in entries:
        if left[said] > 0:
            left[said] -= 1
        else:
            found.append(entry)
    return found


def _replaced(gone: Sequence[BilledLine], come: Sequence[_Owed]) -> list[BilledLine | None]:
    """Return for each new line the reversed one that it stands for: of its account, or its unit.

    Of several, as where a month was billed in parts, each in its turn, and the last for the rest.
    """
    own: dict[tuple[str, str, int], list[BilledLine]] = defaultdict(list)
    any_account: dict[tuple[str, str], list[BilledLine]] = defaultdict(list)
    for each in gone:
        own[each.unit, each.charge, each.account.id].append(each)
        any_account[each.unit, each.charge].append(each)
    found = []
    for owed in come:
        unit, charge = owed.unit.code, owed.line.charge
        queue = own.get((unit, charge, owed.account.id)) or any_account.get((unit, charge)) or []
        found.append((queue.pop(0) if len(queue) > 1 else queue[0]) if queue else None)
    return found
