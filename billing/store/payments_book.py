"""Payments in the database: a row for each, and the one path by which one is posted.

A payment is known by its channel and the provider's transaction id. The same one again is the one
that is there: a unique key holds that, whoever comes at once.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select

from billing.canonical import canonical_json, read_json
from billing.delivery.event import Event, Kind
from billing.money import from_fen
from billing.payment_tables import payment
from billing.payments import entries
from billing.payments.application import apply
from billing.store import delivery_outbox, ledger, payments_claims, payments_receipts
from billing.store.ids import insert_all
from billing.store.payments_due import payers
from billing.store.payments_policy import policies_of
from billing.store.payments_receipts import Paid
from meters.interval import utc
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row, Select

    from billing.ledger import Entry
    from billing.payments.application import Applied
    from billing.store.payments_due import Payer


class UnknownPaymentError(LookupError):
    """There is no such payment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A payment that comes in, in fen. `named`: the claims that are meant → how much of each.

    Where none is named, it pays by the community's policy; where some are, what they do not take is
    credit. `rounding` is let go of beside `amount`. `entered_by`: None where a provider says so.
    """

    community_id: int
    account_id: int
    order_id: int | None
    channel: str
    transaction_id: str
    merchant: str
    amount: int
    currency: str
    paid_at: datetime
    named: Mapping[str, int]
    rounding: int = 0
    note: str | None = None
    entered_by: str | None = None
    needs_approval: bool = False


_NAMES = tuple(each.name for each in fields(New))


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment(New):
    """A payment as it stands: `state` is entered, posted, rejected or reversed."""

    id: int
    state: str
    entered_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reversed_by: str | None = None
    reversed_at: datetime | None = None
    reversal: str | None = None
    reversal_reason: str | None = None


def read(connection: Connection, payment_id: int, *, lock: bool = False) -> Payment:
    """Return a payment; `lock` keeps others from changing it. Raises `UnknownPaymentError`."""
    found = _one(connection, select(payment).where(payment.c.id == payment_id), lock=lock)
    if found is None:
        raise UnknownPaymentError(told("there is no payment {payment}", payment=payment_id))
    return found


def find(connection: Connection, channel: str, transaction_id: str) -> Payment | None:
    """Return the payment of a provider's transaction, None where it is not known."""
    return find_all(connection, [(channel, transaction_id)]).get((channel, transaction_id))


def find_all(
    connection: Connection, transactions: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Payment]:
    """Return the payments of transactions, each a channel and an id; those that are known."""
    sought = {
        "channels": list({channel for channel, _ in transactions}),
        "ids": [transaction_id for _, transaction_id in transactions],
    }
    rows = connection.execute(_of_transactions(), sought)
    return {(row.channel, row.transaction_id): _payment(row) for row in rows}


@cache
def _of_transactions() -> Select[Any]:
    return select(payment).where(
        payment.c.channel.in_(bindparam("channels", expanding=True)),
        payment.c.transaction_id.in_(bindparam("ids", expanding=True)),
    )


def of_account(connection: Connection, account_id: int) -> list[Payment]:
    """Return the payments of an account, the newest first."""
    query = select(payment).where(payment.c.account_id == account_id)
    rows = connection.execute(query.order_by(payment.c.paid_at.desc(), payment.c.id.desc()))
    return [_payment(row) for row in rows]


def waiting(connection: Connection, community_id: int) -> list[Payment]:
    """Return the payments of a community that wait for approval, the oldest first."""
    query = select(payment).where(
        payment.c.community_id == community_id, payment.c.state == "entered"
    )
    return [_payment(row) for row in connection.execute(query.order_by(payment.c.id))]


def add(connection: Connection, new: New, *, now: datetime) -> Payment:
    """Store a payment that is not known yet, and post it unless it waits for approval.

    Whoever calls has locked the account, and looked whether it is known.
    """
    (made,) = add_all(connection, [new], now=now)
    return made


def add_all(connection: Connection, new: Sequence[New], *, now: datetime) -> list[Payment]:
    """Store payments as `add` does, each of another account, and return them in their order."""
    ids = insert_all(connection, payment, [_values(each, now) for each in new])
    made = [
        Payment(
            **{name: getattr(each, name) for name in _NAMES if name != "paid_at"},
            paid_at=utc(each.paid_at),
            id=payment_id,
            state=_state(each),
            entered_at=utc(now),
        )
        for each, payment_id in zip(new, ids, strict=True)
    ]
    post(connection, [each for each in made if not each.needs_approval], now=now)
    return made


def _state(new: New) -> str:
    return "entered" if new.needs_approval else "posted"


def _values(new: New, now: datetime) -> dict[str, Any]:
    return {
        "community_id": new.community_id,
        "account_id": new.account_id,
        "payment_order_id": new.order_id,
        "channel": new.channel,
        "transaction_id": new.transaction_id,
        "merchant": new.merchant,
        "amount": new.amount,
        "rounding": new.rounding,
        "currency": new.currency,
        "paid_at": new.paid_at,
        "named": canonical_json(dict(new.named)),
        "note": new.note,
        "needs_approval": new.needs_approval,
        "entered_by": new.entered_by,
        "entered_at": now,
        "state": _state(new),
    }


def post(connection: Connection, payments: Sequence[Payment], *, now: datetime) -> None:
    """Set payments against what their accounts owe, post them, and issue their receipts.

    Each is of another account: what one pays is no longer owed to the next.
    """
    if not payments:
        return
    accounts = [each.account_id for each in payments]
    owed = payments_claims.claims(connection, accounts)
    policies = policies_of(connection, {each.community_id for each in payments})
    applied = [
        apply(
            owed[each.account_id],
            each.amount + each.rounding,
            policies[each.community_id],
            named=each.named or None,
        )
        for each in payments
    ]
    settled = list(zip(payments, applied, strict=True))
    _enter(connection, settled, now)
    who = payers(connection, accounts)
    receipts = [
        Paid(each.community_id, each.id, _document(each, its, who[each.account_id]))
        for each, its in settled
    ]
    payments_receipts.issue(connection, receipts, now=now)
    events = [
        _posted(each, its.document, now) for each, its in zip(payments, receipts, strict=True)
    ]
    delivery_outbox.tell(connection, *events)


def _enter(
    connection: Connection, settled: Sequence[tuple[Payment, Applied]], now: datetime
) -> None:
    """Post what was settled to the journal, and record what it pays."""
    posted: dict[int, list[Entry]] = defaultdict(list)
    applications = []
    for each, its in settled:
        entry = entries.payment(
            each.id,
            each.account_id,
            each.channel,
            amount=each.amount,
            rounding=each.rounding,
            applications=its.applications,
        )
        posted[each.community_id].append(entry)
        applications += [(entry.reference, part) for part in its.applications]
    ledger.post_all(connection, posted, at=now)
    payments_claims.record(connection, applications)


def _posted(paid: Payment, receipt: Mapping[str, Any], now: datetime) -> Event:
    return Event(
        kind=Kind.PAYMENT_POSTED,
        subject=str(paid.id),
        at=now,
        data={
            "payment": paid.id,
            **{name: value for name, value in receipt.items() if name != "holder"},
        },
        community_id=paid.community_id,
        account_id=paid.account_id,
    )


def _document(paid: Payment, applied: Applied, who: Payer) -> dict[str, Any]:
    return {
        "community": who.community,
        "account": who.account,
        "unit": who.unit,
        "holder": who.holder,
        "channel": paid.channel,
        "transaction": paid.transaction_id,
        "paid_at": paid.paid_at.isoformat(),
        "amount": str(from_fen(paid.amount)),
        "rounding": str(from_fen(paid.rounding)),
        "currency": paid.currency,
        "pays": [
            {"claim": claim, "amount": str(from_fen(amount))}
            for claim, amount in sorted(applied.by_claim.items())
        ],
        "credit": str(from_fen(applied.rest)),
    }


def _one(connection: Connection, query: Select[Any], *, lock: bool = False) -> Payment | None:
    if lock:
        query = query.with_for_update(key_share=True)
    row = connection.execute(query).one_or_none()
    return None if row is None else _payment(row)


def _payment(row: Row[Any]) -> Payment:
    values = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for a row's columns
    values["order_id"] = values.pop("payment_order_id")
    values["named"] = read_json(values["named"])
    return Payment(**values)
