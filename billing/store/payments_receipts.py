"""Receipts: one for each payment that is posted, numbered without a gap, never changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, text

from billing import tables
from billing.canonical import evidence_json, read_json
from billing.payment_tables import payment, receipt
from billing.store.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

_NEXT = text(
    "INSERT INTO receipt_book (community_id, last) VALUES (:community_id, :count)"
    " ON CONFLICT (community_id) DO UPDATE SET last = receipt_book.last + excluded.last"
    " RETURNING last"
)
"""Who takes numbers keeps others waiting for theirs, until they are taken or given back."""


@dataclass(frozen=True, slots=True)
class Paid:
    """What a receipt is issued for; `document` says who paid what, and what it paid."""

    community_id: int
    payment_id: int
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt as it was issued. `reversed`: its payment was undone since."""

    number: str
    payment_id: int
    issued_at: datetime
    document: Mapping[str, Any]
    reversed: bool


def issue(connection: Connection, paid: Sequence[Paid], *, now: datetime) -> None:
    """Issue the receipts of payments, numbered in their order."""
    counts = Counter(each.community_id for each in paid)
    numbers: dict[int, Iterator[int]] = {}
    for community_id, count in sorted(counts.items()):  # everybody waits in the same order
        taken = {"community_id": community_id, "count": count}
        last = int(connection.execute(_NEXT, taken).scalar_one())
        numbers[community_id] = iter(range(last - count + 1, last + 1))
    insert_rows(
        connection,
        receipt,
        ("community_id", "number", "payment_id", "issued_at", "document"),
        [
            (
                each.community_id,
                next(numbers[each.community_id]),
                each.payment_id,
                now,
                evidence_json(dict(each.document)),
            )
            for each in paid
        ],
    )


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
