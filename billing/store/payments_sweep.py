"""Ask providers what became of orders and refunds whose callback never came.

What a provider answers goes the way of its callbacks. No transaction is open while it is asked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from billing.canonical import canonical_json
from billing.payments.order import Order, OrderState
from billing.payments.provider import (
    Notice,
    NoticeState,
    Provider,
    ProviderError,
    RefundNotice,
    RefusedError,
    Unpaid,
)
from billing.store import (
    payments,
    payments_book,
    payments_closing,
    payments_orders,
    payments_refunds,
)
from billing.store.payments import Callback
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.database import Database
    from billing.payments.judgement import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep has found: the numbers of the orders that were asked about, by what came of it.

    `unanswered`: why, by order; those are asked about again in the next sweep.
    """

    taken: Mapping[str, Outcome]
    expired: tuple[str, ...]
    waiting: tuple[str, ...]
    unanswered: Mapping[str, str]


def sweep(
    database: Database, providers: Mapping[tuple[str, str], Provider], *, now: datetime
) -> Swept:
    """Ask about every order that is due; `providers` go by name and merchant account."""
    with database.snapshot() as connection:
        due = payments_orders.to_ask(connection, now)
    taken: dict[str, Outcome] = {}
    expired: list[str] = []
    waiting: list[str] = []
    unanswered: dict[str, str] = {}
    for order in due:
        provider = providers.get((order.channel, order.merchant))
        if provider is None:
            unanswered[order.number] = f"no provider {order.channel} is set up for {order.merchant}"
            continue
        try:
            said = _ask(provider, order, now)
        except ProviderError as error:
            unanswered[order.number] = str(error)
            continue
        if isinstance(said, Notice):
            taken[order.number] = _take(database, order, said, now)
        elif _over(order, now):
            _expire(database, order, now)
            if said is Unpaid.UNKNOWN:
                payments_closing.close_again(provider, order.number, now=now)
            expired.append(order.number)
        else:
            _wait(database, order, now)
            waiting.append(order.number)
    return Swept(taken=taken, expired=tuple(expired), waiting=tuple(waiting), unanswered=unanswered)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptRefunds:
    """What a sweep of refunds has found, by number; `unanswered`: why, asked about next time."""

    taken: Mapping[str, Outcome]
    unanswered: Mapping[str, str]


def sweep_refunds(
    database: Database, providers: Mapping[tuple[str, str], Provider], *, now: datetime
) -> SweptRefunds:
    """Ask about every refund that is approved and under way at a provider.

    One that the provider has never heard of waits for somebody to send it back.
    """
    with database.snapshot() as connection:
        approved = [
            (each.number, payments_book.read(connection, each.payment_id))
            for each in payments_refunds.under_way(connection)
            if each.state == "approved"
        ]
    taken: dict[str, Outcome] = {}
    unanswered: dict[str, str] = {}
    for number, paid in approved:
        provider = providers.get((paid.channel, paid.merchant))
        if provider is None:  # it is paid out by hand
            continue
        try:
            said = provider.query_refund(number, now=now)
        except ProviderError as error:
            unanswered[number] = str(error)
            continue
        if said is not None:
            taken[number] = take_refund(database, said, now=now)
    return SweptRefunds(taken=taken, unanswered=unanswered)


def take_refund(database: Database, said: RefundNotice, *, now: datetime) -> Outcome:
    """Take what a provider answers about a refund, as its callback would be taken."""
    body = canonical_json({"number": said.number, "state": said.state, "refund": said.refund_id})
    answer = Callback(
        provider=said.provider, received_at=now, headers={}, body=body.encode(), source="query"
    )
    with database.transaction() as connection:
        return payments.take(connection, answer, said)


def _over(order: Order, now: datetime) -> bool:
    return order.state is OrderState.OPEN and order.expires_at <= now


def _ask(provider: Provider, order: Order, now: datetime) -> Notice | Unpaid:
    """Ask about an order; where it is over, or its time is, and it can be paid, close it first."""
    said = provider.query(order.number, now=now)
    if isinstance(said, Notice):
        return Unpaid.WAITING if said.state is NoticeState.FAILED else said
    if said is Unpaid.WAITING and (order.state is not OrderState.OPEN or _over(order, now)):
        try:
            provider.close(order.number, now=now)
        except RefusedError:
            return _ask_again(provider, order, now)
    return said


def _ask_again(provider: Provider, order: Order, now: datetime) -> Notice | Unpaid:
    """Ask again about an order that cannot be closed: somebody has paid it just now."""
    said = provider.query(order.number, now=now)
    if said is Unpaid.WAITING:
        raise ProviderError(
            told("order {number} is neither paid nor can it be closed", number=order.number)
        )
    return said


def _take(database: Database, order: Order, notice: Notice, now: datetime) -> Outcome:
    body = canonical_json({**asdict(notice), "paid_at": notice.paid_at.isoformat()}).encode()
    answer = Callback(
        provider=notice.provider, received_at=now, headers={}, body=body, source="query"
    )
    with database.transaction() as connection:
        outcome = payments.take(connection, answer, notice)
        payments_orders.asked(connection, order.number, now=now)
        return outcome


def _expire(database: Database, order: Order, now: datetime) -> None:
    with database.transaction() as connection:
        current = payments_orders.read(connection, order.number, lock=True)
        if current.state is OrderState.OPEN:
            payments_orders.end(connection, current, OrderState.EXPIRED, now=now)
            payments_orders.asked(connection, order.number, now=now)


def _wait(database: Database, order: Order, now: datetime) -> None:
    with database.transaction() as connection:
        payments_orders.asked(connection, order.number, now=now)
