"""Credit of accounts pays their claims: when bills are issued, and when somebody asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.ledger import RECEIVABLE
from billing.money import from_fen
from billing.payments import entries
from billing.payments.application import settled_with_credit
from billing.payments.claim import BILL
from billing.store import audit, ledger, payments_claims
from billing.store.payments_policy import policy_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from billing.ledger import Entry
    from billing.payments.application import Application
    from billing.store.payments_due import Payer


def use_for_issued(
    connection: Connection, community_id: int, issued: Sequence[Entry], *, at: datetime
) -> int:
    """Let credit pay the bills of the entries `issued`, which are posted; return how much it was.

    What a correction gives back settles, first of all, what is still due of the bills that it
    corrects.
    """
    owing = {
        posting.account_id
        for entry in issued
        for posting in entry.postings
        if posting.ledger_account == RECEIVABLE and posting.account_id is not None
    }
    below_zero = {
        entry.reference: posting.account_id
        for entry in issued
        for posting in entry.postings
        if posting.ledger_account == RECEIVABLE and posting.amount < 0 and posting.account_id
    }
    with_credit = payments_claims.credits_of(connection, community_id=community_id).keys() & owing
    accounts = with_credit | set(below_zero.values())
    if not accounts:
        return 0
    preferred: dict[int, list[str]] = {}
    for reference, account_id in below_zero.items():
        preferred.setdefault(account_id, []).extend(_corrected(connection, reference))
    return _use(connection, community_id, accounts, preferred, at=at)


def use(connection: Connection, payer: Payer, *, actor: str, now: datetime) -> int:
    """Let the credit of an account pay what it owes, by the policy; return how much it was."""
    used = _use(connection, payer.community_id, [payer.account_id], {}, at=now)
    if used:
        audit.append(
            connection,
            at=now,
            actor=actor,
            action="credit.use",
            subject=f"account:{payer.community}/{payer.account}",
            communities=[payer.community_id],
            detail={"amount": str(from_fen(used))},
        )
    return used


def _use(
    connection: Connection,
    community_id: int,
    accounts: Collection[int],
    preferred: Mapping[int, Sequence[str]],
    *,
    at: datetime,
) -> int:
    payments_claims.lock(connection, accounts)
    policy = policy_of(connection, community_id)
    owed = payments_claims.claims(connection, accounts)
    credits_ = payments_claims.credits_of(connection, community_id=community_id)
    counted = payments_claims.counted(connection, accounts)
    posted: list[Entry] = []
    applied: list[tuple[str, Application]] = []
    for account_id in sorted(owed):
        made = settled_with_credit(
            owed[account_id],
            credits_.get(account_id, 0),
            policy,
            preferred=preferred.get(account_id, ()),
        )
        if made:
            reference = f"credit:{account_id}/{counted.get(account_id, 0) + 1}"
            posted.append(entries.credit_applied(reference, account_id, made))
            applied.extend((reference, each) for each in made)
    if posted:
        ledger.post(connection, community_id, posted, at=at)
        payments_claims.record(connection, applied)
    return sum(each.amount for _, each in applied if each.amount > 0)


def _corrected(connection: Connection, reference: str) -> list[str]:
    """Return the claims of the bills that the bill of a claim corrects, the oldest first."""
    bill, correction, of = tables.bill, tables.correction, tables.bill.alias("of_bill")
    query = (
        select(of.c.number)
        .distinct()
        .join(correction, correction.c.of_bill_id == of.c.id)
        .join(bill, bill.c.id == correction.c.bill_id)
        .where(bill.c.number == reference.removeprefix(BILL))
    )
    return [f"{BILL}{number}" for number in sorted(connection.scalars(query))]
