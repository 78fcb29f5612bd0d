"""Opening balances: what an account owed, or had paid too much, before its bills came from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import ledger, tables
from billing.money import from_fen
from billing.store import audit
from billing.store import ledger as journal

if TYPE_CHECKING:
    from datetime import datetime


class UnknownAccountError(LookupError):
    """No account of this community has this code."""


class OpeningExistsError(ValueError):
    """An account has its opening balance already; it is entered once."""


def enter(
    connection: Connection,
    community: str,
    account: str,
    amount: int,
    *,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Post what `account` of `community` owes at first, in fen; below zero, what it is owed.

    Raises `UnknownAccountError`, and `OpeningExistsError` for a second one: a wrong one is put
    right by an entry of its own, never by changing the first.
    """
    table, owner = tables.account, tables.community
    row = connection.execute(
        select(table.c.id, table.c.community_id)
        .join(owner, owner.c.id == table.c.community_id)
        .where(owner.c.code == community, table.c.code == account)
    ).one_or_none()
    if row is None:
        raise UnknownAccountError(f"community {community!r} has no account {account!r}")
    entry = ledger.opening(community, account, row.id, amount)
    posted = tables.journal_entry
    query = select(posted.c.posted_at).where(posted.c.reference == entry.reference)
    if (at := connection.scalar(query)) is not None:
        raise OpeningExistsError(
            f"account {account} has an opening balance since {at.isoformat()}; it is entered once"
        )
    journal.post(connection, row.community_id, [entry], at=now)
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="account.open",
        subject=f"account:{community}/{account}",
        detail={"amount": str(from_fen(amount)), "reason": reason},
    )
