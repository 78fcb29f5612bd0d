"""Orders that ask for more than is still due: closed at their provider, so that nobody pays twice.

Several orders may be open over one bill. When one of them, or money at the counter, has paid it,
the others are closed. Which ones follows from what is applied to their claims, so nothing is kept
of it: an order whose provider gave no answer is found again the next time. Money that came in
meanwhile is taken as ever, and is credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, and_, bindparam, func, literal_column, select

from billing import tables
from billing.ledger import RECEIVABLE
from billing.payment_tables import application, payment_order, payment_order_claim
from billing.payments.order import OrderState
from billing.payments.provider import ProviderError
from billing.store import payments_closing, payments_orders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.database import Database
    from billing.payments.provider import Provider


@dataclass(frozen=True, slots=True)
class Superfluous:
    """The numbers of the orders that were closed, and of those that were not: why."""

    closed: tuple[str, ...]
    unanswered: Mapping[str, str]


def close_superfluous(
    database: Database, providers: Mapping[tuple[str, str], Provider], *, now: datetime
) -> Superfluous:
    """Close every open order that asks for more of a claim than is due; no transaction waits.

    One that somebody has paid just now cannot be closed: a notice or the next sweep tells of it.
    """
    with database.snapshot() as connection:
        found = connection.execute(_numbers(), {"now": now}).all()
    closed: list[str] = []
    unanswered: dict[str, str] = {}
    for number, channel, merchant in found:
        provider = providers.get((channel, merchant))
        if provider is None:
            unanswered[number] = f"no provider {channel} is set up for {merchant}"
            continue
        here = partial(_close, number=number, now=now)
        try:
            if payments_closing.close(database, provider, number, here, now=now):
                closed.append(number)
        except ProviderError as error:
            unanswered[number] = str(error)
    return Superfluous(tuple(closed), unanswered)


def _close(connection: Connection, number: str, now: datetime) -> bool:
    order = payments_orders.read(connection, number, lock=True)
    if order.state is not OrderState.OPEN:
        return False
    payments_orders.end(connection, order, OrderState.CLOSED, now=now)
    return True


@cache
def _numbers() -> Select[Any]:
    """Return the statement of the open orders that are for more of a claim than is due `:now`."""
    order, part, posting = payment_order, payment_order_claim, tables.posting
    applied = (
        select(func.coalesce(func.sum(application.c.amount), 0))
        .where(application.c.claim == part.c.claim)
        .scalar_subquery()
    )
    return (
        select(order.c.number, order.c.channel, order.c.merchant)
        .distinct()
        .join(part, part.c.payment_order_id == order.c.id)
        .join(
            posting,
            and_(
                posting.c.reference == part.c.claim,
                posting.c.account_id == order.c.account_id,
                posting.c.ledger_account == literal_column(f"'{RECEIVABLE}'"),
            ),
        )
        .where(
            order.c.state == str(OrderState.OPEN),
            order.c.expires_at > bindparam("now"),
            part.c.amount > posting.c.amount - applied,
        )
        .order_by(order.c.number)
    )
