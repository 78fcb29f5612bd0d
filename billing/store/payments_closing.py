"""Orders created and closed at their provider, each whatever the other is doing just then.

An order may be closed while it is created. Its provider knows nothing yet that it could close, may
answer as if it did (WeChat Pay: 204), and could be paid by what arrives afterwards. So whoever
closes an order asks for it once more when it is closed here, and whoever creates one looks at it
once more when the provider has answered: one of the two comes last, and sees what the other did.
What both miss, as where a creation arrives after its caller has gone, the sweep finds.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from billing.payments.order import OrderState
from billing.payments.provider import ProviderError
from billing.store import payments_orders

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.payments.provider import Ordered, Prepayment, Provider

log = logging.getLogger(__name__)

Ended = TypeVar("Ended")


def create(
    database: Database, provider: Provider, asked: Ordered, *, now: datetime
) -> Prepayment | None:
    """Return what an order is paid with; None for one that was ended while it was created.

    That one is closed at the provider. Raises `ProviderError` for one that is still open.
    """
    try:
        found = provider.create(asked, now=now)
    except ProviderError as error:
        if _state(database, asked.number) is OrderState.OPEN:
            raise
        log.info("order %s was ended while it was created: %s", asked.number, error)
        found = None
    state = _state(database, asked.number)
    if state is OrderState.OPEN:
        return found
    if state is not OrderState.PAID:
        close_again(provider, asked.number, now=now)
    return None


def close(
    database: Database,
    provider: Provider,
    number: str,
    here: Callable[[Connection], Ended],
    *,
    now: datetime,
) -> Ended:
    """Close an order at its provider, then `here` in a transaction; return what that returns.

    Raises `ProviderError`, as for one that was paid just now, and then it is not closed here.
    """
    provider.close(number, now=now)
    with database.transaction() as connection:
        ended = here(connection)
    close_again(provider, number, now=now)
    return ended


def close_again(provider: Provider, number: str, *, now: datetime) -> None:
    """Close an order that is over here, which its provider may have heard of since.

    Where it gives no answer, the sweep asks about it; where somebody has paid it, a notice tells.
    """
    try:
        provider.close(number, now=now)
    except ProviderError as error:
        log.warning("order %s is over, and was not closed at its provider: %s", number, error)


def _state(database: Database, number: str) -> OrderState:
    with database.snapshot() as connection:
        return payments_orders.read(connection, number).state
