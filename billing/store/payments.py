"""What providers say of payments: kept as it came, judged, and posted, all in one transaction.

`take` is the only way in, for callbacks and for answers to questions alike. What it returns says
how the sender is answered: an order that nobody knows, another amount, currency or merchant is
kept, marked and refused. Money that arrives for an order whose time is over, or that is paid
already, is taken all the same, as the provider has it; what its bills do not take is credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from billing.canonical import canonical_json
from billing.payment_tables import payment_callback
from billing.payments.judgement import (
    Outcome,
    Refusal,
    Verdict,
    contradiction,
    refund_contradiction,
    refused,
)
from billing.payments.order import OrderState
from billing.payments.provider import (
    MalformedNoticeError,
    NotAuthenticError,
    Notice,
    NoticeState,
    RefundNotice,
    RefundState,
)
from billing.store import payments_book, payments_claims, payments_orders, payments_refunds
from billing.store.ids import insert
from billing.store.payments_book import New

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

Said = Notice | RefundNotice | NotAuthenticError | MalformedNoticeError
"""What an adapter reads in what a provider has sent, or why it could read nothing in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What a provider has sent, byte for byte: by itself, or as the answer to a question."""

    provider: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes
    source: Literal["callback", "query"] = "callback"


def take(connection: Connection, callback: Callback, said: Said) -> Outcome:
    """Keep `callback` with what becomes of it, post what it brings, and return the outcome.

    The same notice again is `known`: it returns the payment of the first, and posts nothing.
    """
    outcome = _outcome(connection, said, callback.received_at)
    insert(
        connection,
        payment_callback,
        provider=callback.provider,
        source=callback.source,
        received_at=callback.received_at,
        headers=canonical_json(dict(callback.headers)),
        body=callback.body,
        verdict=outcome.verdict,
        reason=outcome.reason,
        payment_id=outcome.payment_id,
        refund_id=outcome.refund_id,
    )
    return outcome


def _outcome(connection: Connection, said: Said, now: datetime) -> Outcome:
    match said:
        case NotAuthenticError():
            return refused(Refusal.NOT_AUTHENTIC, str(said))
        case MalformedNoticeError():
            return refused(Refusal.MALFORMED, str(said))
        case RefundNotice():
            return _refund(connection, said, now)
        case _:
            return _payment(connection, said, now)


def _payment(connection: Connection, notice: Notice, now: datetime) -> Outcome:
    order = payments_orders.find(connection, notice.order_number, lock=True)
    if order is None:
        return refused(Refusal.UNKNOWN_ORDER, f"there is no order {notice.order_number!r}")
    if (wrong := contradiction(order, notice)) is not None:
        return wrong
    if notice.state is NoticeState.FAILED:
        return Outcome(Verdict.NOTED, "the payment has failed; the order can still be paid")
    payments_claims.lock(connection, [order.account_id])
    before = payments_book.find(connection, notice.provider, notice.transaction_id)
    if before is not None and before.order_id == order.id:
        return Outcome(Verdict.KNOWN, payment_id=before.id)
    if before is not None:
        other = f"transaction {notice.transaction_id} is payment {before.id} of another order"
        return refused(Refusal.PAID_OTHERWISE, other)
    made = payments_book.add(
        connection,
        New(
            community_id=order.community_id,
            account_id=order.account_id,
            order_id=order.id,
            channel=notice.provider,
            transaction_id=notice.transaction_id,
            merchant=notice.merchant,
            amount=notice.amount_fen,
            currency=notice.currency,
            paid_at=notice.paid_at,
            named=order.claims,
        ),
        now=now,
    )
    payments_orders.end(connection, order, OrderState.PAID, now=now)
    return Outcome(Verdict.POSTED, _remark(notice), payment_id=made.id)


def _remark(notice: Notice) -> str | None:
    if notice.state is NoticeState.REFUNDED:
        return "the provider has refunded some of it since; compare its refunds with ours"
    return None


def _refund(connection: Connection, notice: RefundNotice, now: datetime) -> Outcome:
    found = payments_refunds.find(connection, notice.number, lock=True)
    if found is None:
        return refused(Refusal.UNKNOWN_REFUND, f"there is no refund {notice.number!r}")
    paid = payments_book.read(connection, found.payment_id)
    expected = (paid.channel, paid.merchant, paid.currency, found.amount)
    wrong = refund_contradiction(number=found.number, expected=expected, notice=notice)
    if wrong is not None:
        return wrong
    if notice.state is RefundState.PENDING:
        return Outcome(Verdict.NOTED, "the refund is on its way", refund_id=found.id)
    if found.state == notice.state:
        return Outcome(Verdict.KNOWN, refund_id=found.id)
    if found.state != "approved":
        state = f"refund {found.number} is {found.state} here and {notice.state} at the provider"
        return refused(Refusal.PAID_OTHERWISE, state)
    payments_refunds.end(connection, found, notice.state, refund_id=notice.refund_id, now=now)
    return Outcome(Verdict.POSTED, refund_id=found.id)
