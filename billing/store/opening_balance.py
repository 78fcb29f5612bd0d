"""Opening balances: what an account owed, or had paid too much, before its bills came from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import ledger, tables
from billing.money import from_fen, to_fen
from billing.store import audit
from billing.store import ledger as journal
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing import community as definition


@dataclass(frozen=True, slots=True)
class Said:
    """Who says what accounts owe, why that is believed, and when."""

    actor: str
    reason: str
    now: datetime


class UnknownAccountError(LookupError):
    """No account of this community has this code."""


class OpeningExistsError(ValueError):
    """An account has its opening balance already; it is entered once."""


class NobodySaysError(ValueError):
    """Opening balances come without the name of who answers for them."""


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
        raise UnknownAccountError(
            told(
                "community '{community}' has no account '{account}'",
                community=community,
                account=account,
            )
        )
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
        communities=[row.community_id],
        detail={"amount": str(from_fen(amount)), "reason": reason},
    )


def enter_all(
    connection: Connection,
    community_id: int,
    community: definition.Community,
    said: Said | None,
) -> None:
    """Post what the accounts of the new `community` open with, as `said` by somebody.

    The journal holds each amount, the audit log their number and sum. Raises `NobodySaysError`.
    """
    amounts = stated(community.account)
    if not amounts:
        return
    if said is None:
        raise NobodySaysError(
            f"{len(amounts)} accounts of community {community.code!r} open with a balance; name "
            "who says so (--by)"
        )
    table = tables.account
    query = select(table.c.code, table.c.id).where(table.c.community_id == community_id)
    ids = {row.code: row.id for row in connection.execute(query)}
    entries = [
        ledger.opening(community.code, code, ids[code], fen) for code, fen in amounts.items()
    ]
    journal.post(connection, community_id, entries, at=said.now)
    audit.append(
        connection,
        at=said.now,
        actor=said.actor,
        action="accounts.open",
        subject=f"community:{community.code}",
        communities=[community_id],
        detail={
            "accounts": len(amounts),
            "sum": str(from_fen(sum(amounts.values()))),
            "reason": said.reason,
        },
    )


def stated(accounts: Sequence[definition.Account]) -> dict[str, int]:
    """Return what accounts open with by their definition, in fen by their code."""
    return {
        each.code: to_fen(each.opening_balance)
        for each in accounts
        if each.opening_balance is not None
    }


def entered(connection: Connection, community_id: int) -> dict[int, int]:
    """Return what accounts of the community opened with, in fen by their id."""
    entry, posting = tables.journal_entry, tables.posting
    query = (
        select(posting.c.account_id, posting.c.amount)
        .join(entry, entry.c.reference == posting.c.reference)
        .where(
            entry.c.community_id == community_id,
            posting.c.account_id.is_not(None),
            entry.c.reference.startswith(ledger.OPENED),
        )
    )
    return {row.account_id: row.amount for row in connection.execute(query)}
