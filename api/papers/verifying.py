"""What anybody is told who has a paper's number and code: is it genuine, does it still hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from api.papers.sealing import of_bill, of_receipt
from billing import tables
from billing.canonical import read_json
from billing.payment_tables import receipt
from billing.store import payments_book, payments_due, payments_receipts
from billing.store.views import bills, reversals
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from api.papers.sealing import Sealed, Seals


@dataclass(frozen=True, slots=True)
class Verified:
    """A genuine paper. `superseded`: a correction has changed the bill, or a payment is undone."""

    sealed: Sealed
    community: Mapping[str, str]
    superseded: bool


def verified(connection: Connection, seals: Seals, number: str, code: str) -> Verified | None:
    """Return what is kept under `number` if `code` was made for just that; None if not.

    It tells nobody whether there is such a number: without its code it is as unknown as another.
    """
    found = _bill(connection, number) or _receipt(connection, number)
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
