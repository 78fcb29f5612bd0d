"""Orders at the payment provider: opened, shown to be paid, closed.

No transaction is open while the provider is asked. An order stands in the database before the
provider hears of it, so whatever it says of one is understood; where it gives no answer, the same
call again comes to the same order. One that is closed while it is created is closed there too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from billing.payments.claim import BILL
from billing.payments.order import OrderState
from billing.payments.provider import Ordered, Scene
from billing.store import (
    payments_book,
    payments_closing,
    payments_due,
    payments_orders,
    payments_refunds,
)
from billing.store.payments_orders import Wish
from billing.store.payments_sweep import take_refund

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.resources import Resources
    from billing.payments.order import Order
    from billing.payments.provider import Prepayment
    from billing.store.payments_refunds import Refund

OPEN_FOR = timedelta(minutes=30)
"""How long an order waits for its money; a code of WeChat Pay counts for two hours."""


@dataclass(frozen=True, slots=True)
class Paying:
    """An order with what it is paid with (None once it is over), and the open ones it overlaps."""

    order: Order
    prepayment: Prepayment | None
    overlapping: tuple[Order, ...] = ()


def begin(
    resources: Resources,
    account_id: int,
    claims: Mapping[str, int | None],
    *,
    in_advance: int = 0,
    scene: Scene = Scene.CODE,
    payer: str | None = None,
    actor: str,
) -> Paying:
    """Open an order for `claims`, or return the one that is open for just that, paid in that way.

    One that somebody closes meanwhile is returned as it is then. Raises `OrderError`,
    `ProviderError`, and `ProblemError` where nothing is paid online.
    """
    provider, now = resources.providers.online(), resources.now()
    wish = Wish(
        claims=claims,
        in_advance=in_advance,
        channel=provider.name,
        merchant=provider.merchant,
        expires_at=now.replace(microsecond=0) + OPEN_FOR,
        scene=scene,
        payer=payer,
    )
    with resources.database.transaction() as connection:
        opened = payments_orders.open_order(connection, account_id, wish, actor=actor, now=now)
    return replace(of(resources, opened.order), overlapping=opened.overlapping)


def of(resources: Resources, order: Order) -> Paying:
    """Return an order with what it is paid with: nothing if it is over, or at another account."""
    now = resources.now()
    provider = resources.providers.by_account.get((order.channel, order.merchant))
    if provider is None or order.state is not OrderState.OPEN or order.expires_at <= now:
        return Paying(order, None)
    with resources.database.snapshot() as connection:
        unit = payments_due.payer(connection, order.account_id).unit
    bills = ", ".join(claim.removeprefix(BILL) for claim in order.claims)
    asked = Ordered(
        number=order.number,
        amount_fen=order.amount,
        currency=order.currency,
        description=f"{unit} {bills}".rstrip(),
        expires_at=order.expires_at,
        scene=order.scene,
        payer=order.payer,
    )
    create = partial(payments_closing.create, resources.database, provider, asked, now=now)
    found = resources.providers.prepaid(order.number, create, now)
    if found is None:
        with resources.database.snapshot() as connection:
            order = payments_orders.read(connection, order.number)
    return Paying(order, found)


def end(resources: Resources, number: str, *, actor: str) -> Order:
    """Close an open order, at the provider first; one that is closed stays so.

    Raises `OrderError` for one that is over otherwise, and `ProviderError`: one that was paid just
    now is not closed.
    """
    now = resources.now()
    with resources.database.snapshot() as connection:
        order = payments_orders.read(connection, number)
    if order.state is OrderState.CLOSED:
        return order
    provider = resources.providers.by_account.get((order.channel, order.merchant))
    here = partial(payments_orders.close, number=number, actor=actor, now=now)
    if provider is not None and order.state is OrderState.OPEN:
        return payments_closing.close(resources.database, provider, number, here, now=now)
    with resources.database.transaction() as connection:
        return here(connection)


def give_back(resources: Resources, number: str, *, actor: str) -> Refund:
    """Have an approved refund sent back by the provider, or keep that it was handed out.

    What goes back at a provider is executed when it says so: the refund stays approved until then,
    and the same call again asks for the same refund. Raises `RefundError` and `ProviderError`.
    """
    now = resources.now()
    with resources.database.snapshot() as connection:
        found = payments_refunds.read(connection, number)
        paid = payments_book.read(connection, found.payment_id)
        provider = resources.providers.by_account.get((paid.channel, paid.merchant))
        asked = None if provider is None else payments_refunds.as_asked(connection, number)
    if provider is None or asked is None:
        with resources.database.transaction() as connection:
            return payments_refunds.end_by_hand(
                connection, number, executed=True, actor=actor, now=now
            )
    said = provider.refund(asked, now=now)
    take_refund(resources.database.whole, said, now=now)
    with resources.database.snapshot() as connection:
        return payments_refunds.read(connection, number)
