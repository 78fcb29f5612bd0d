"""The journal entries of payments: money passes a clearing account of its channel.

clearing:<channel>  what a channel has taken and not yet settled into the bank
credit              what an account has paid and no claim has taken: the company owes it
refunds             what is promised back and not yet paid out: no longer credit, not yet gone
bank, fee:<channel> what a settlement brings, and what the channel keeps
rounding            what is let go of, or taken, beside an amount in cash
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.ledger import CREDIT, RECEIVABLE, Entry, Posting
from billing.payments.claim import OWED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from billing.payments.application import Application

REFUNDS = "refunds"
BANK = "bank"
ROUNDING = "rounding"
OF_ACCOUNTS = (RECEIVABLE, CREDIT, REFUNDS)
"""The ledger accounts that hold, together, what a customer's account owes."""

PAID = "payment:"
"""What the reference of a payment's entry begins with."""


def clearing(channel: str) -> str:
    """Return the clearing account of a channel."""
    return f"clearing:{channel}"


def fee(channel: str) -> str:
    """Return the account of what a channel keeps."""
    return f"fee:{channel}"


def payment(
    payment_id: int,
    account_id: int,
    channel: str,
    *,
    amount: int,
    rounding: int,
    applications: Sequence[Application],
) -> Entry:
    """Return the entry of a payment: what claims do not take of it is credit."""
    rest = amount + rounding - sum(each.amount for each in applications)
    return _entry(
        f"{PAID}{payment_id}",
        Posting(clearing(channel), amount),
        Posting(ROUNDING, rounding),
        *_settled(applications),
        Posting(CREDIT, -rest, account_id),
    )


def credit_applied(reference: str, account_id: int, applications: Sequence[Application]) -> Entry:
    """Return the entry by which an account's credit pays claims, or claims below zero feed it."""
    used = sum(each.amount for each in applications)
    return _entry(reference, *_settled(applications), Posting(CREDIT, used, account_id))


def reversal(
    payment_id: int,
    account_id: int,
    channel: str,
    *,
    amount: int,
    rounding: int,
    credit: int,
    taken_back: Sequence[Application],
) -> tuple[Entry, ...]:
    """Return the entries that undo a payment: from credit, from what it paid, and the rest is owed.

    A rest is there where the money was paid out in between; it is a claim of its own.
    """
    freed = -sum(each.amount for each in taken_back)
    rest = amount + rounding - credit - freed
    undone = _entry(
        f"reversal:{payment_id}",
        Posting(clearing(channel), rest - amount),
        Posting(ROUNDING, -rounding),
        *_settled(taken_back),
        Posting(CREDIT, credit, account_id),
    )
    if not rest:
        return (undone,)
    owed = _entry(
        f"{OWED}{payment_id}",
        Posting(RECEIVABLE, rest, account_id),
        Posting(clearing(channel), -rest),
    )
    return (undone, owed)


def refund_requested(
    number: str, account_id: int, *, amount: int, taken_back: Sequence[Application]
) -> Entry:
    """Return the entry that sets money aside for a refund: from credit, or from what it paid."""
    freed = -sum(each.amount for each in taken_back)
    return _entry(
        f"refund:{number}",
        *_settled(taken_back),
        Posting(CREDIT, amount - freed, account_id),
        Posting(REFUNDS, -amount, account_id),
    )


def refund_returned(number: str, account_id: int, *, amount: int) -> Entry:
    """Return the entry of a refund that was rejected or has failed: it is credit again."""
    return _entry(
        f"refund-returned:{number}",
        Posting(REFUNDS, amount, account_id),
        Posting(CREDIT, -amount, account_id),
    )


def refund_executed(number: str, account_id: int, channel: str, *, amount: int) -> Entry:
    """Return the entry of a refund that has gone out over the channel that the money came by."""
    return _entry(
        f"refund-executed:{number}",
        Posting(REFUNDS, amount, account_id),
        Posting(clearing(channel), -amount),
    )


def settlement(community: str, channel: str, document: str, *, gross: int, kept: int) -> Entry:
    """Return the entry by which a channel's takings reach the bank, less what the channel keeps."""
    return _entry(
        f"settlement:{community}/{channel}/{document}",
        Posting(BANK, gross - kept),
        Posting(fee(channel), kept),
        Posting(clearing(channel), -gross),
    )


def _settled(applications: Iterable[Application]) -> list[Posting]:
    return [Posting(RECEIVABLE, -each.amount, each.account_id) for each in applications]


def _entry(reference: str, *postings: Posting) -> Entry:
    return Entry(reference, tuple(each for each in postings if each.amount))
