"""When a provider is asked what became of an order, so that a lost callback is found in time.

A payment is found within ten minutes of being made: while an order is open it is asked about after
a minute, and from then on every five at the most. When its time is over it is asked about once more
and closed there. What was closed is asked about for an hour more: money may have crossed it, or its
creation, and then it is closed there again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from billing.payments.order import OrderState

if TYPE_CHECKING:
    from datetime import datetime

    from billing.payments.order import Order

FOUND_WITHIN = timedelta(minutes=10)
"""Within what time a payment is found whose callback never came."""

AT_FIRST, LATER = timedelta(minutes=1), timedelta(minutes=5)
YOUNG = timedelta(minutes=10)
"""How old an order is that is asked about each minute: most are paid at once."""

AFTERWARDS = timedelta(hours=1)
"""For how long what is closed or expired is asked about."""


def next_question(order: Order) -> datetime | None:
    """Return when to ask about `order` next; None: never again."""
    last = order.asked_at or order.created_at
    if order.state is OrderState.OPEN:
        young = last - order.created_at < YOUNG
        regular = last + (AT_FIRST if young else LATER)
        return min(regular, order.expires_at) if last < order.expires_at else regular
    if order.state is OrderState.PAID or order.ended_at is None:
        return None
    following = last + LATER
    return following if following <= order.ended_at + AFTERWARDS else None


def is_due(order: Order, now: datetime) -> bool:
    """Return whether the provider is to be asked about `order` at `now`."""
    at = next_question(order)
    return at is not None and at <= now
