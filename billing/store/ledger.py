"""The double-entry journal in the database: every entry sums to zero, nothing is ever edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from billing import tables
from billing.store.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from billing.ledger import Entry


def post(
    connection: Connection, community_id: int, entries: Iterable[Entry], *, at: datetime
) -> None:
    """Add `entries` to the journal. A reference that was posted before is refused."""
    entries = list(entries)
    insert_rows(
        connection,
        tables.journal_entry,
        ("reference", "community_id", "posted_at"),
        [(each.reference, community_id, at) for each in entries],
    )
    insert_rows(
        connection,
        tables.posting,
        ("reference", "position", "ledger_account", "account_id", "amount"),
        [
            (each.reference, position, it.ledger_account, it.account_id, it.amount)
            for each in entries
            for position, it in enumerate(each.postings, start=1)
        ],
    )


def trial_balance(connection: Connection, community_id: int | None = None) -> dict[str, int]:
    """Return the balance of each ledger account in fen; the balances sum to zero (I8)."""
    posting, entry = tables.posting, tables.journal_entry
    query = select(posting.c.ledger_account, func.sum(posting.c.amount)).group_by(
        posting.c.ledger_account
    )
    if community_id is not None:
        query = query.join(entry, entry.c.reference == posting.c.reference).where(
            entry.c.community_id == community_id
        )
    return {name: int(amount) for name, amount in connection.execute(query)}
