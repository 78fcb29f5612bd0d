"""Double-entry: an entry debits and credits ledger accounts by amounts that sum to zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RECEIVABLE = "receivable"
REVENUE = "revenue"
CREDIT = "credit"
"""What accounts have paid, or are owed, and no claim has taken."""
OPENING = "opening"
"""What accounts owed before their bills came from here."""
OPENED = "opening:"
"""What the references of opening entries begin with."""


class UnbalancedEntryError(ValueError):
    """The postings of an entry do not sum to zero."""


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount in fen on a ledger account: a debit above zero, a credit below."""

    ledger_account: str
    amount: int
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry (I8). `reference` names what caused it, once: `bill:XY-2026-10-0001`."""

    reference: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        if difference := sum(posting.amount for posting in self.postings):
            raise UnbalancedEntryError(f"entry {self.reference} is off by {difference} fen")

    def amount_on(self, ledger_account: str) -> int:
        """Return what the entry debits (or, below zero, credits) a ledger account by."""
        return sum(each.amount for each in self.postings if each.ledger_account == ledger_account)


def receivable(number: str, account_id: int, revenue: Mapping[str, int]) -> Entry:
    """Return the entry of an issued bill: its account owes what its lines earn, by category."""
    earned = (Posting(f"{REVENUE}:{name}", -amount) for name, amount in sorted(revenue.items()))
    debit = Posting(RECEIVABLE, sum(revenue.values()), account_id)
    return Entry(f"bill:{number}", (debit, *earned))


def opening(community: str, account: str, account_id: int, amount: int) -> Entry:
    """Return the entry of what an account owes before its first bill; below zero, its credit."""
    of_account = Posting(RECEIVABLE if amount > 0 else CREDIT, amount, account_id)
    return Entry(f"{OPENED}{community}/{account}", (of_account, Posting(OPENING, -amount)))
