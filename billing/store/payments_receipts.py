"""Receipts: one for each payment that is posted, numbered without a gap, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, text

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.payment_tables import payment, receipt
from billing.store.ids import into

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_NEXT = text(
    "INSERT INTO receipt_book (community_id, last) VALUES (:community_id, 1)"
    " ON CONFLICT (community_id) DO UPDATE SET last = receipt_book.last + 1 RETURNING last"
)
"""Who takes the next number keeps others waiting for theirs, until it is taken or given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt as it was issued. `reversed`: its payment was undone since."""

    number: str
    payment_id: int
    issued_at: datetime
    document: Mapping[str, Any]
    reversed: bool


def issue(
    connection: Connection,
    community_id: int,
    payment_id: int,
    document: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    """Issue the receipt of a payment; `document` says who paid what, and what it paid."""
    number = int(connection.execute(_NEXT, {"community_id": community_id}).scalar_one())
    values = {
        "community_id": community_id,
        "number": number,
        "payment_id": payment_id,
        "issued_at": now,
        "document": canonical_json(dict(document)),
    }
    connection.execute(into(receipt), values)


def receipt_of(connection: Connection, payment_id: int) -> Receipt | None:
    """Return the receipt of a payment, None where it is not posted."""
    community = tables.community
    row = connection.execute(
        select(receipt, community.c.code, payment.c.state)
        .join(community, community.c.id == receipt.c.community_id)
        .join(payment, payment.c.id == receipt.c.payment_id)
        .where(receipt.c.payment_id == payment_id)
    ).one_or_none()
    if row is None:
        return None
    return Receipt(
        number=f"{row.code}-R{row.number:06}",
        payment_id=row.payment_id,
        issued_at=row.issued_at,
        document=read_json(row.document),
        reversed=row.state == "reversed",
    )
