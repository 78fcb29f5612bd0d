"""Hold the journal against itself and against the bills of a run (I8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, and_, func, or_, select

from billing import tables
from billing.ledger import RECEIVABLE
from billing.store import ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing.store.runs import Run


def failures(connection: Connection, run: Run) -> Iterator[str]:
    """Yield what is wrong: entries off balance, and issued bills that claim something else."""
    if difference := sum(ledger.trial_balance(connection).values()):
        yield f"the trial balance is off by {difference} fen"
    posting = tables.posting
    unbalanced = (
        select(posting.c.reference, func.sum(posting.c.amount))
        .group_by(posting.c.reference)
        .having(func.sum(posting.c.amount) != 0)
        .order_by(posting.c.reference)
    )
    for reference, difference in connection.execute(unbalanced):
        yield f"entry {reference} is off by {difference} fen"
    if run.state == "issued":
        yield from _unclaimed(connection, run)


def _unclaimed(connection: Connection, run: Run) -> Iterator[str]:
    """Yield the bills whose receivable is missing, or of another amount or account."""
    bill, posting, part = tables.bill, tables.posting, tables.community_run
    claims = and_(
        posting.c.reference == "bill:" + bill.c.number, posting.c.ledger_account == RECEIVABLE
    )
    rows = connection.execute(
        select(bill.c.number, bill.c.total, posting.c.amount)
        .join(part, part.c.id == bill.c.community_run_id)
        .outerjoin(posting, claims)
        .where(
            part.c.bill_run_id == run.id,
            or_(
                posting.c.amount.is_(None),
                posting.c.amount != bill.c.total,
                posting.c.account_id != bill.c.account_id,
            ),
        )
        .order_by(bill.c.id)
    )
    for number, total, amount in rows:
        yield f"bill {number} is of {total} fen, the journal claims {amount} for it"
