"""What anybody is told who has a paper's number and code: is it genuine, does it still hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from api.papers.sealing import of_account, of_account_days, of_bill, of_pool, of_receipt
from billing import tables
from billing.canonical import read_json
from billing.payment_tables import receipt
from billing.payments.payment_code import PaymentCodeError, account_of
from billing.store import journal_views, payments_book, payments_due, payments_receipts
from billing.store.opening_balance import UnknownAccountError
from billing.store.views import bills, reversals, statements
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import Connection

    from api.papers.sealing import Sealed, Seals


ACCOUNT = re.compile(
    r"(?P<code>[0-9]{12})-(?P<first>[0-9]{8})-(?P<last>[0-9]{8})"
    r"-(?P<side>[CD])(?P<owed>[0-9]{1,18})-(?P<content>[0-9A-F]{10})"
)
"""The number of a statement of account, which owes (D) or is owed (C) an amount in fen."""
POOL = re.compile(r".+-S(?P<id>[0-9]{1,18})")
"""The number of a pool's statement."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A genuine paper. `superseded`: something has changed since what it says.

    A correction has changed a bill or a pool's statement, a payment is undone, or more was posted
    to an account for the days of its statement.
    """

    sealed: Sealed
    community: Mapping[str, str]
    superseded: bool


def verified(connection: Connection, seals: Seals, number: str, code: str) -> Verified | None:
    """Return what is kept under `number` if `code` was made for just that; None if not.

    It tells nobody whether there is such a number: without its code it is as unknown as another.
    """
    kinds = (_bill, _receipt, _account, _pool)
    found = next(filter(None, (each(connection, number) for each in kinds)), None)
    return found if found is not None and seals.holds(found.sealed, code) else None


def _bill(connection: Connection, number: str) -> Verified | None:
    found = bills.bill(connection, Scope(), number)
    sealed = None if found is None else of_bill(found)
    if found is None or sealed is None:
        return None
    corrected = bool(reversals.taken_back(connection, found.head.id))
    return Verified(sealed, found.head.community, corrected)


def _receipt(connection: Connection, number: str) -> Verified | None:
    community = tables.community
    book, _, place = number.rpartition("-R")
    if not (place.isascii() and place.isdecimal()) or len(place) > 18:
        return None
    row = connection.execute(
        select(receipt.c.payment_id, community.c.title)
        .join(community, community.c.id == receipt.c.community_id)
        .where(community.c.code == book, receipt.c.number == int(place))
    ).one_or_none()
    found = None if row is None else payments_receipts.receipt_of(connection, row.payment_id)
    if row is None or found is None or found.number != number:
        return None
    paid = payments_book.read(connection, row.payment_id)
    zone = payments_due.payer(connection, paid.account_id).zone
    day = found.issued_at.astimezone(zone).date()
    sealed = of_receipt(found, paid.amount, paid.currency, day)
    return Verified(sealed, read_json(row.title), found.reversed)


def _account(connection: Connection, number: str) -> Verified | None:
    asked = ACCOUNT.fullmatch(number)
    if asked is None:
        return None
    first, last = _day(asked["first"]), _day(asked["last"])
    if first is None or last is None or last < first:
        return None
    try:
        who = payments_due.payer(connection, account_of(asked["code"]))
    except (PaymentCodeError, UnknownAccountError):
        return None
    closing = int(asked["owed"]) * (-1 if asked["side"] == "C" else 1)
    sealed = of_account_days(who, first, last, closing, asked["content"])
    now = of_account(journal_views.statement_of(connection, who.account_id, first, last))
    return Verified(sealed, who.community_title, sealed != now)


def _pool(connection: Connection, number: str) -> Verified | None:
    asked = POOL.fullmatch(number)
    if asked is None:
        return None
    found = statements.whole(connection, Scope(), int(asked["id"]))
    sealed = None if found is None else of_pool(found)
    if found is None or sealed is None or sealed.number != number:
        return None
    again = reversals.is_shared_again(connection, found.head.id)
    return Verified(sealed, found.head.community, again)


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007  a day, no instant
    except ValueError:
        return None
