"""The journal read back: all of it for others, and what one account owed and paid, as a statement.

A statement ties to the journal: it is made of the same postings, and of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, func, select

from billing import tables
from billing.journal import Booked, Line
from billing.payments.claim import BILL
from billing.payments.entries import OF_ACCOUNTS
from billing.store.payments_due import payer

if TYPE_CHECKING:
    from datetime import date

    from billing.store.payments_due import Payer


class Kind(StrEnum):
    """What a line of a statement is."""

    CHARGE = "charge"
    PAYMENT = "payment"
    REFUND = "refund"
    ADJUSTMENT = "adjustment"
    """A correction, an opening balance, a payment that was undone."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """`amount` fen that the account owes more; less below zero."""

    day: date
    reference: str
    kind: Kind
    amount: int


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """What an account owed before the day `first`, what changed until the day `last`, what it owes.

    All in fen; below zero, what it is owed. Both days are included.
    """

    payer: Payer
    first: date
    last: date
    opening: int
    lines: tuple[StatementLine, ...]

    @property
    def closing(self) -> int:
        return self.opening + sum(line.amount for line in self.lines)

    def total(self, kind: Kind) -> int:
        """Return what all lines of a kind come to."""
        return sum(line.amount for line in self.lines if line.kind is kind)


_KINDS = {
    "bill": Kind.CHARGE,
    "payment": Kind.PAYMENT,
    "refund-executed": Kind.REFUND,
}
"""What an entry is to an account, by what its reference begins with; else an adjustment."""


def booked(connection: Connection, community_id: int, first: date, last: date) -> list[Booked]:
    """Return the entries of a community from day to day, both included, in order."""
    posting, entry, account = tables.posting, tables.journal_entry, tables.account
    rows = connection.execute(
        select(
            *(entry.c.reference, entry.c.day, posting.c.ledger_account, posting.c.amount),
            account.c.code,
        )
        .join(posting, posting.c.reference == entry.c.reference)
        .outerjoin(account, account.c.id == posting.c.account_id)
        .where(entry.c.community_id == community_id, entry.c.day.between(first, last))
        .order_by(entry.c.day, entry.c.posted_at, entry.c.reference, posting.c.position)
    )
    return [
        Booked(
            reference, day, tuple(Line(row.ledger_account, row.code, row.amount) for row in group)
        )
        for (reference, day), group in groupby(rows, key=lambda row: (row.reference, row.day))
    ]


def currency_of(connection: Connection, community_id: int) -> str:
    """Return the currency that a community's journal is kept in."""
    table = tables.community
    query = select(table.c.currency).where(table.c.id == community_id)
    return str(connection.execute(query).scalar_one())


def statement_of(
    connection: Connection, account_id: int, first: date, last: date
) -> AccountStatement:
    """Return the statement of an account for the days `first` to `last`, both included."""
    posting, entry = tables.posting, tables.journal_entry
    mine = and_(posting.c.account_id == account_id, posting.c.ledger_account.in_(OF_ACCOUNTS))
    opening = connection.scalar(
        select(func.coalesce(func.sum(posting.c.amount), 0))
        .join(entry, entry.c.reference == posting.c.reference)
        .where(mine, entry.c.day < first)
    )
    bill, part, run = tables.bill, tables.community_run, tables.bill_run
    rows = connection.execute(
        select(
            *(entry.c.reference, entry.c.day, run.c.kind),
            func.sum(posting.c.amount).label("amount"),
        )
        .join(entry, entry.c.reference == posting.c.reference)
        .outerjoin(
            bill,
            and_(
                entry.c.reference.startswith(BILL),
                bill.c.number == func.substr(entry.c.reference, len(BILL) + 1),
            ),
        )
        .outerjoin(part, part.c.id == bill.c.community_run_id)
        .outerjoin(run, run.c.id == part.c.bill_run_id)
        .where(mine, entry.c.day.between(first, last))
        .group_by(entry.c.reference, entry.c.day, entry.c.posted_at, run.c.kind)
        .having(func.sum(posting.c.amount) != 0)  # what only moves inside the account is no line
        .order_by(entry.c.day, entry.c.posted_at, entry.c.reference)
    )
    return AccountStatement(
        payer=payer(connection, account_id),
        first=first,
        last=last,
        opening=int(opening or 0),
        lines=tuple(_line(row) for row in rows),
    )


def _line(row: Any) -> StatementLine:
    kind = _KINDS.get(row.reference.partition(":")[0], Kind.ADJUSTMENT)
    if row.kind == "correction":
        kind = Kind.ADJUSTMENT
    return StatementLine(row.day, row.reference, kind, int(row.amount))
