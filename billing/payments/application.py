"""What money pays: exact to the fen, in the order that the community states.

Nothing here rounds, and nothing is paid by more than it is: what no claim takes is left over, for
the account's credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from billing.payments.claim import Claim, Part


class First(StrEnum):
    """What is paid first: what is due longest, or the charges that the community names."""

    OLDEST = "oldest"
    CHARGE = "charge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a community applies money. `charges`: revenue categories in order, the rest after them.

    `four_eyes_above`: fen that one person may enter alone.
    """

    first: First = First.OLDEST
    charges: tuple[str, ...] = ()
    four_eyes_above: int = 500_000


@dataclass(frozen=True, slots=True)
class Application:
    """`amount` fen of money set against one part of a claim; below zero: taken back from it.

    Of a claim below zero it is the other way round: its amount, below zero, becomes credit.
    """

    account_id: int
    claim: str
    category: str
    amount: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What money was set against, and what nothing took."""

    applications: tuple[Application, ...]
    rest: int

    @property
    def amount(self) -> int:
        return sum(each.amount for each in self.applications)

    @property
    def by_claim(self) -> dict[str, int]:
        """What was set against each claim, of all its parts."""
        found: dict[str, int] = {}
        for each in self.applications:
            found[each.claim] = found.get(each.claim, 0) + each.amount
        return found


def apply(
    claims: Iterable[Claim],
    money: int,
    policy: Policy,
    *,
    named: Mapping[str, int] | None = None,
    preferred: Sequence[str] = (),
) -> Applied:
    """Set `money` (≥ 0) against `claims` in the order of `policy`.

    `named`: the references of the only claims that are meant, and at most how much of each;
    `preferred`: those that come before all others.
    """
    wanted = None if named is None else dict(named)
    found = []
    rest = money
    parts = [(claim, part) for claim in claims for part in claim.parts if part.due > 0]
    for claim, part in sorted(parts, key=lambda it: _turn(it[0], it[1], policy, preferred)):
        limit = part.due if wanted is None else min(part.due, wanted.get(claim.reference, 0))
        amount = min(rest, limit)
        if amount > 0:
            found.append(Application(claim.account_id, claim.reference, part.category, amount))
            rest -= amount
            if wanted is not None:
                wanted[claim.reference] -= amount
    return Applied(tuple(found), rest)


def into_credit(claims: Iterable[Claim]) -> tuple[Application, ...]:
    """Return what turns the claims that are below zero into credit, as a whole."""
    return tuple(
        Application(claim.account_id, claim.reference, part.category, part.due)
        for claim in claims
        for part in claim.parts
        if part.due < 0
    )


def settled_with_credit(
    claims: Sequence[Claim], credit: int, policy: Policy, *, preferred: Sequence[str] = ()
) -> tuple[Application, ...]:
    """Return what an account's `credit`, and its claims below zero, pay of its other claims."""
    freed = into_credit(claims)
    money = credit - sum(each.amount for each in freed)
    return (*freed, *apply(claims, money, policy, preferred=preferred).applications)


def taken_back(
    history: Sequence[tuple[str, Application]], money: int, *, first: str | None = None
) -> Applied:
    """Return what frees `money` that has been applied: what was applied last is taken back first.

    `history`: all applications of an account, the oldest first, each after the reference of the
    entry that posted it; those of the entry `first` are taken back before all others.
    """
    left: dict[tuple[str, str], int] = {}
    turns: list[tuple[bool, int, Application]] = []
    for turn, (reference, each) in enumerate(history):
        key = each.claim, each.category
        left[key] = left.get(key, 0) + each.amount
        if each.amount > 0:
            turns.append((reference != first, -turn, each))
    found = []
    rest = money
    for _, _, each in sorted(turns, key=lambda entry: entry[:2]):
        key = each.claim, each.category
        amount = min(rest, each.amount, left[key])
        if amount > 0:
            found.append(Application(each.account_id, each.claim, each.category, -amount))
            left[key] -= amount
            rest -= amount
    return Applied(tuple(found), rest)


def _turn(
    claim: Claim, part: Part, policy: Policy, preferred: Sequence[str]
) -> tuple[int, int, date, date, str, int, str]:
    """Return what orders the parts of claims: the smallest is paid first."""
    known = policy.charges
    rank = known.index(part.category) if part.category in known else len(known)
    chosen = preferred.index(claim.reference) if claim.reference in preferred else len(preferred)
    before = rank if policy.first is First.CHARGE else 0
    return chosen, before, claim.due_on, claim.day, claim.reference, rank, part.category
