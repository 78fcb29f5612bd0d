"""Claims, credit and applications in the database: what accounts owe, have, and have paid.

Whoever changes them locks the account first (`lock`), so that two who do so take turns.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, bindparam, func, literal_column, or_, select

from billing import tables
from billing.ledger import CREDIT, OPENED, RECEIVABLE, REVENUE
from billing.payment_tables import application
from billing.payments.application import Application
from billing.payments.claim import BILL, OWED, Claim, parts_of
from billing.store.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import BindParameter, Row, Select

AT_ONCE = 500
"""Accounts, or claims, that one question asks about: databases bound how many values it names."""


def lock(connection: Connection, account_ids: Iterable[int]) -> None:
    """Keep others from changing what these accounts owe and have, until the end of this.

    On SQLite a transaction that writes has kept them all from it since it began.
    """
    if connection.dialect.name == "sqlite":
        return
    for ids in _pieces(sorted(set(account_ids))):
        connection.execute(_locked(), {"ids": ids}).all()


def claims(
    connection: Connection, account_ids: Iterable[int], *, settled: bool = False
) -> dict[int, list[Claim]]:
    """Return the claims on accounts by account, the oldest first; with `settled`, those too."""
    found: dict[int, list[Claim]] = defaultdict(list)
    for ids in _pieces(sorted(set(account_ids))):
        for claim in _claims(connection, ids, settled=settled):
            found[claim.account_id].append(claim)
    for each in found.values():
        each.sort(key=lambda claim: (claim.due_on, claim.day, claim.reference))
    return found


def credit(connection: Connection, account_id: int) -> int:
    """Return the credit of an account in fen."""
    return credits_of(connection, accounts=[account_id]).get(account_id, 0)


def credits_of(
    connection: Connection,
    *,
    accounts: Sequence[int] | None = None,
    community_id: int | None = None,
) -> dict[int, int]:
    """Return the credit, above zero, of some accounts or of all of a community, by account."""
    posting, account = tables.posting, tables.account
    query = (
        select(posting.c.account_id, func.sum(posting.c.amount))
        .where(posting.c.ledger_account == literal_column(f"'{CREDIT}'"))  # as its index says
        .group_by(posting.c.account_id)
        .having(func.sum(posting.c.amount) != 0)
    )
    if community_id is not None:
        query = query.join(account, account.c.id == posting.c.account_id).where(
            account.c.community_id == community_id
        )
    if accounts is not None:
        query = query.where(posting.c.account_id.in_(accounts))
    return {account_id: -int(amount) for account_id, amount in connection.execute(query)}


def history(connection: Connection, account_id: int) -> list[tuple[str, Application]]:
    """Return an account's applications, the oldest first, each after its entry's reference."""
    query = select(application).where(application.c.account_id == account_id)
    return [
        (row.reference, Application(row.account_id, row.claim, row.category, row.amount))
        for row in connection.execute(query.order_by(application.c.id))
    ]


def counted(connection: Connection, account_ids: Iterable[int]) -> dict[int, int]:
    """Return how many applications accounts have, by account."""
    found: dict[int, int] = {}
    for ids in _pieces(sorted(set(account_ids))):
        query = (
            select(application.c.account_id, func.count())
            .where(application.c.account_id.in_(ids))
            .group_by(application.c.account_id)
        )
        found |= {account_id: int(count) for account_id, count in connection.execute(query)}
    return found


def record(connection: Connection, applications: Iterable[tuple[str, Application]]) -> None:
    """Store applications, each after the reference of the entry that posts it."""
    insert_rows(
        connection,
        application,
        ("account_id", "claim", "category", "amount", "reference"),
        [
            (each.account_id, each.claim, each.category, each.amount, reference)
            for reference, each in applications
        ],
    )


def _claims(connection: Connection, ids: Sequence[int], *, settled: bool) -> Iterator[Claim]:
    rows = connection.execute(_owed(settled=settled), {"ids": ids}).all()
    for piece in _pieces(rows):
        yield from _with_parts(connection, piece)


def _ids() -> BindParameter[Sequence[int]]:
    return bindparam("ids", expanding=True)


@cache
def _locked() -> Select[Any]:
    account = tables.account
    query = select(account.c.id).where(account.c.id.in_(_ids())).order_by(account.c.id)
    return query.with_for_update(key_share=True)


@cache
def _owed(*, settled: bool) -> Select[Any]:
    """Return the statement of the claims on the accounts `:ids`."""
    posting, entry, bill = tables.posting, tables.journal_entry, tables.bill
    applied = (
        select(application.c.claim, func.sum(application.c.amount).label("amount"))
        .where(application.c.account_id.in_(_ids()))
        .group_by(application.c.claim)
        .subquery()
    )
    query = (
        select(
            *(posting.c.reference, posting.c.account_id, posting.c.amount),
            *(entry.c.day, bill.c.due_on),
        )
        .join(entry, entry.c.reference == posting.c.reference)
        .outerjoin(
            bill,
            and_(
                posting.c.reference.startswith(BILL),
                bill.c.number == func.substr(posting.c.reference, len(BILL) + 1),
            ),
        )
        .outerjoin(applied, applied.c.claim == posting.c.reference)
        .where(
            posting.c.account_id.in_(_ids()),
            posting.c.ledger_account == literal_column(f"'{RECEIVABLE}'"),  # else planned anew
            or_(*(posting.c.reference.startswith(prefix) for prefix in (BILL, OPENED, OWED))),
        )
    )
    if settled:
        return query
    return query.where(posting.c.amount != func.coalesce(applied.c.amount, 0))


def _with_parts(connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Claim]:
    references = {"references": [row.reference for row in rows]}
    earned: dict[str, dict[str, int]] = defaultdict(dict)
    for reference, name, amount in connection.execute(_earned(), references):
        earned[reference][name.partition(":")[2]] = -amount
    applied: dict[str, dict[str, int]] = defaultdict(dict)
    for claim, category, amount in connection.execute(_applied(), references):
        applied[claim][category] = int(amount)
    for row in rows:
        yield Claim(
            reference=row.reference,
            account_id=row.account_id,
            day=row.day,
            due_on=row.due_on or row.day,
            parts=parts_of(row.amount, earned[row.reference], applied[row.reference]),
        )


@cache
def _earned() -> Select[Any]:
    """Return the statement of what the claims `:references` earn, by ledger account."""
    posting = tables.posting
    return select(posting.c.reference, posting.c.ledger_account, posting.c.amount).where(
        posting.c.reference.in_(bindparam("references", expanding=True)),
        posting.c.ledger_account.startswith(f"{REVENUE}:"),
    )


@cache
def _applied() -> Select[Any]:
    """Return the statement of what was set against the claims `:references`, by category."""
    return (
        select(application.c.claim, application.c.category, func.sum(application.c.amount))
        .where(application.c.claim.in_(bindparam("references", expanding=True)))
        .group_by(application.c.claim, application.c.category)
    )


def _pieces(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for at in range(0, len(values), AT_ONCE):
        yield values[at : at + AT_ONCE]
