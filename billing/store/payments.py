"""What providers say of payments: kept as it came, judged, and posted, all in one transaction.

`take_all` is the only way in, for callbacks and for answers to questions, for one and for many at
once. What it returns says how the sender is answered: an order that nobody knows, another amount,
currency or merchant is kept, marked and refused. Money that arrives for an order whose time is
over, or that is paid already, is taken all the same, as the provider has it; what its bills do not
take is credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy.exc import InterfaceError, OperationalError

from billing.canonical import evidence_json
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
from billing.store.bulk import insert_rows
from billing.store.payments_book import New

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.payments.order import Order
    from billing.store.payments_book import Payment

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
    (outcome,) = take_all(connection, [(callback, said)])
    return outcome


def take_all(connection: Connection, sent: Sequence[tuple[Callback, Said]]) -> list[Outcome]:
    """Take what was sent as `take` does, in its order, by few statements; all of it or nothing.

    It is posted as of when the last of it arrived.
    """
    if not sent:
        return []
    now = max(callback.received_at for callback, _ in sent)
    outcomes: dict[int, Outcome] = {}
    notices: dict[int, Notice] = {}
    refunds: dict[int, RefundNotice] = {}
    for place, (_, said) in enumerate(sent):
        match said:
            case NotAuthenticError():
                outcomes[place] = refused(Refusal.NOT_AUTHENTIC, str(said))
            case MalformedNoticeError():
                outcomes[place] = refused(Refusal.MALFORMED, str(said))
            case RefundNotice():
                refunds[place] = said
            case _:
                notices[place] = said
    for place, refund in sorted(refunds.items(), key=lambda it: (it[1].number, it[0])):
        outcomes[place] = _refund(connection, refund, now)
    if notices:
        outcomes |= _payments(connection, notices, now)
    found = [outcomes[place] for place in range(len(sent))]
    _keep(connection, [callback for callback, _ in sent], found)
    return found


def take_each(
    connection: Connection, sent: Sequence[tuple[Callback, Said]]
) -> list[Outcome | Exception]:
    """Take what was sent as `take_all` does; of what cannot be taken, return why in its place.

    Where something fails, each half is taken by itself, until what fails stands alone; nothing of
    it is kept, and all of the others. What ails the database itself (it is full, locked or gone) is
    raised: that is the error of all.
    """
    try:
        with connection.begin_nested():
            return [*take_all(connection, sent)]
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it is returned with its notice
        if len(sent) == 1:
            return [error]
    middle = len(sent) // 2
    return [*take_each(connection, sent[:middle]), *take_each(connection, sent[middle:])]


def _keep(connection: Connection, sent: Sequence[Callback], outcomes: Sequence[Outcome]) -> None:
    insert_rows(
        connection,
        payment_callback,
        (
            *("provider", "source", "received_at", "headers", "body"),
            *("verdict", "reason", "payment_id", "refund_id"),
        ),
        [
            (
                *(each.provider, each.source, each.received_at),
                *(evidence_json(dict(each.headers)), each.body),
                *(outcome.verdict, outcome.reason, outcome.payment_id, outcome.refund_id),
            )
            for each, outcome in zip(sent, outcomes, strict=True)
        ],
    )


def _payments(
    connection: Connection, notices: Mapping[int, Notice], now: datetime
) -> dict[int, Outcome]:
    """Return what becomes of notices of payments, by their places."""
    numbers = {each.order_number for each in notices.values()}
    orders = payments_orders.find_all(connection, numbers, lock=True)
    outcomes: dict[int, Outcome] = {}
    paying: dict[int, _Paying] = {}
    for place, notice in notices.items():
        order = orders.get(notice.order_number)
        if order is None:
            unknown = f"there is no order {notice.order_number!r}"
            outcomes[place] = refused(Refusal.UNKNOWN_ORDER, unknown)
        elif (wrong := contradiction(order, notice)) is not None:
            outcomes[place] = wrong
        elif notice.state is NoticeState.FAILED:
            failed = "the payment has failed; the order can still be paid"
            outcomes[place] = Outcome(Verdict.NOTED, failed)
        else:
            paying[place] = _Paying(order, notice)
    payments_claims.lock(connection, {each.order.account_id for each in paying.values()})
    while paying:
        done = _turn(connection, paying, now)
        outcomes |= done
        paying = {place: each for place, each in paying.items() if place not in done}
    return outcomes


@dataclass(frozen=True, slots=True)
class _Paying:
    """A notice that pays an order."""

    order: Order
    notice: Notice

    @property
    def transaction(self) -> tuple[str, str]:
        return self.notice.provider, self.notice.transaction_id


def _turn(
    connection: Connection, paying: Mapping[int, _Paying], now: datetime
) -> dict[int, Outcome]:
    """Return what becomes of those that are known, and of the first of each account.

    The others wait: what they find depends on what the first has changed.
    """
    known = payments_book.find_all(connection, {each.transaction for each in paying.values()})
    done: dict[int, Outcome] = {}
    first: dict[int, _Paying] = {}
    busy: set[object] = set()
    for place, each in paying.items():
        if each.transaction in known:
            done[place] = _again(known[each.transaction], each.order)
        elif not busy & {each.order.account_id, each.transaction}:
            busy |= {each.order.account_id, each.transaction}
            first[place] = each
    if first:
        done.update(zip(first, _post(connection, [*first.values()], now), strict=True))
    return done


def _again(before: Payment, order: Order) -> Outcome:
    """Return what becomes of a notice of a transaction that is the payment `before`."""
    if before.order_id == order.id:
        return Outcome(Verdict.KNOWN, payment_id=before.id)
    other = f"transaction {before.transaction_id} is payment {before.id} of another order"
    return refused(Refusal.PAID_OTHERWISE, other)


def _post(connection: Connection, paying: Sequence[_Paying], now: datetime) -> list[Outcome]:
    """Post notices that pay their orders, each of another account."""
    new = [
        New(
            community_id=each.order.community_id,
            account_id=each.order.account_id,
            order_id=each.order.id,
            channel=each.notice.provider,
            transaction_id=each.notice.transaction_id,
            merchant=each.notice.merchant,
            amount=each.notice.amount_fen,
            currency=each.notice.currency,
            paid_at=each.notice.paid_at,
            named=each.order.claims,
        )
        for each in paying
    ]
    made = payments_book.add_all(connection, new, now=now)
    payments_orders.end_all(connection, (each.order for each in paying), OrderState.PAID, now=now)
    return [
        Outcome(Verdict.POSTED, _remark(each.notice), payment_id=payment.id)
        for each, payment in zip(paying, made, strict=True)
    ]


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
