"""Payment orders in the database: opened over what is due, closed, and due for a question."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, or_, select

from billing.money import from_fen
from billing.payment_tables import payment_order, payment_order_claim
from billing.payments.asking import AFTERWARDS, is_due
from billing.payments.order import (
    Order,
    OrderError,
    OrderState,
    allotted,
    check_expiry,
    check_payer,
    number_of,
)
from billing.payments.provider import Scene
from billing.store import audit, payments_claims
from billing.store.ids import insert
from billing.store.payments_due import payer
from meters.told import StateName, told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Row, Select, Update

    from billing.store.payments_due import Payer


class UnknownOrderError(LookupError):
    """There is no payment order of this number."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An order to be paid, and the open ones over the same claims that are to be closed.

    `again`: it was open before, for the same claims and amounts, to be paid in the same way.
    """

    order: Order
    overlapping: tuple[Order, ...]
    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to pay: some claims, each in part or (None) all that is due of it.

    With no claims, `in_advance` fen. `merchant`: the account at the provider. `payer`: who pays,
    for the scene inside the provider's app.
    """

    claims: Mapping[str, int | None]
    in_advance: int = 0
    channel: str
    merchant: str
    expires_at: datetime
    scene: Scene = Scene.CODE
    payer: str | None = None


def open_order(
    connection: Connection, account_id: int, wish: Wish, *, actor: str, now: datetime
) -> Opened:
    """Open an order for `wish`, or return the one that is open for just that.

    Raises `OrderError` for what cannot be paid, and `UnknownAccountError`.
    """
    who = payer(connection, account_id)
    payments_claims.lock(connection, [account_id])
    check_expiry(now, wish.expires_at)
    check_payer(wish.scene, wish.payer)
    if bool(wish.claims) == bool(wish.in_advance) or wish.in_advance < 0:
        raise OrderError(told("name the claims to pay, or an amount to pay in advance, not both"))
    owed = {
        each.reference: each
        for each in payments_claims.claims(connection, [account_id])[account_id]
    }
    parts = allotted(owed, wish.claims)
    amount = sum(parts.values()) or wish.in_advance
    still_open = [each for each in open_orders(connection, account_id) if now < each.expires_at]
    for each in still_open:
        way = (each.channel, each.merchant, each.scene, each.payer)
        same = way == (wish.channel, wish.merchant, wish.scene, wish.payer)
        if same and (each.claims, each.amount) == (parts, amount):
            return Opened(each, _overlapping(still_open, each), again=True)
    order = _add(connection, who, wish, parts, actor=actor, now=now)
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="payment-order.open",
        subject=f"payment-order:{order.number}",
        communities=[order.community_id],
        detail={
            "account": who.account,
            "amount": str(from_fen(amount)),
            "channel": wish.channel,
            "scene": wish.scene,
        },
    )
    return Opened(order, _overlapping(still_open, order), again=False)


def read(connection: Connection, number: str, *, lock: bool = False) -> Order:
    """Return an order; `lock` keeps others from changing it. Raises `UnknownOrderError`."""
    found = find(connection, number, lock=lock)
    if found is None:
        raise UnknownOrderError(told("there is no payment order '{number}'", number=number))
    return found


def find(connection: Connection, number: str, *, lock: bool = False) -> Order | None:
    """Return the order of this number, None where there is none."""
    return find_all(connection, [number], lock=lock).get(number)


def find_all(
    connection: Connection, numbers: Collection[str], *, lock: bool = False
) -> dict[str, Order]:
    """Return the orders of these numbers, by number; those that there are."""
    rows = connection.execute(_numbered(lock=lock), {"numbers": list(numbers)}).all()
    parts: dict[str, dict[str, int]] = {row.number: {} for row in rows}
    for row in rows:
        if row.claim is not None:
            parts[row.number][row.claim] = row.part
    return {row.number: _order(row, parts[row.number]) for row in rows}


def open_orders(connection: Connection, account_id: int) -> list[Order]:
    """Return the open orders of an account, the oldest first."""
    table = payment_order
    query = select(table).where(table.c.account_id == account_id, table.c.state == OrderState.OPEN)
    return _orders(connection, query.order_by(table.c.id))


def to_ask(connection: Connection, now: datetime) -> list[Order]:
    """Return the orders whose provider is to be asked at `now` what became of them."""
    table = payment_order
    query = select(table).where(
        or_(
            table.c.state == OrderState.OPEN,
            table.c.state.in_([OrderState.CLOSED, OrderState.EXPIRED])
            & (table.c.ended_at >= now - AFTERWARDS),
        )
    )
    return [each for each in _orders(connection, query.order_by(table.c.id)) if is_due(each, now)]


def asked(connection: Connection, number: str, *, now: datetime) -> None:
    """Keep when the provider of an order was asked, unless it is paid meanwhile."""
    table = payment_order
    connection.execute(
        table.update()
        .where(table.c.number == number, table.c.state != OrderState.PAID)
        .values(asked_at=now)
    )


def close(connection: Connection, number: str, *, actor: str, now: datetime) -> Order:
    """Close an open order: nobody is to pay it. Raises `OrderError` if it is not open."""
    order = read(connection, number, lock=True)
    if order.state is not OrderState.OPEN:
        raise OrderError(
            told(
                "order {number} is {state}; only an open one is closed",
                number=number,
                state=StateName(order.state),
            )
        )
    end(connection, order, OrderState.CLOSED, now=now)
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="payment-order.close",
        subject=f"payment-order:{number}",
        communities=[order.community_id],
    )
    return read(connection, number)


def end(connection: Connection, order: Order, state: OrderState, *, now: datetime) -> None:
    """Let an order be paid, closed or expired; a paid one stays so."""
    end_all(connection, [order], state, now=now)


def end_all(
    connection: Connection, orders: Iterable[Order], state: OrderState, *, now: datetime
) -> None:
    """Let orders be paid, closed or expired; paid ones stay so."""
    ids = [each.id for each in orders if each.state is not OrderState.PAID]
    connection.execute(_end(), {"orders": ids, "new_state": state, "now": now})


def _overlapping(orders: list[Order], new: Order) -> tuple[Order, ...]:
    return tuple(
        each for each in orders if each.id != new.id and each.claims.keys() & new.claims.keys()
    )


def _add(
    connection: Connection,
    who: Payer,
    wish: Wish,
    parts: Mapping[str, int],
    *,
    actor: str,
    now: datetime,
) -> Order:
    number = number_of("P", now.date(), secrets.token_hex(8))
    order_id = insert(
        connection,
        payment_order,
        number=number,
        community_id=who.community_id,
        account_id=who.account_id,
        channel=wish.channel,
        merchant=wish.merchant,
        scene=wish.scene,
        payer=wish.payer,
        amount=sum(parts.values()) or wish.in_advance,
        currency=who.currency,
        state=OrderState.OPEN,
        created_by=actor,
        created_at=now,
        expires_at=wish.expires_at,
    )
    for position, (claim, part) in enumerate(parts.items(), start=1):
        connection.execute(
            payment_order_claim.insert().values(
                payment_order_id=order_id, position=position, claim=claim, amount=part
            )
        )
    return read(connection, number)


@cache
def _numbered(*, lock: bool) -> Select[Any]:
    """Return the statement of the orders `:numbers`, a row for each of their claims."""
    table, part = payment_order, payment_order_claim
    query = (
        select(table, part.c.claim, part.c.amount.label("part"))
        .outerjoin(part, part.c.payment_order_id == table.c.id)
        .where(table.c.number.in_(bindparam("numbers", expanding=True)))
        .order_by(table.c.id, part.c.position)
    )
    return query.with_for_update(key_share=True, of=table) if lock else query


@cache
def _end() -> Update:
    table = payment_order
    return (
        table.update()
        .where(
            table.c.id.in_(bindparam("orders", expanding=True)), table.c.state != OrderState.PAID
        )
        .values(state=bindparam("new_state"), ended_at=bindparam("now"))
    )


def _orders(connection: Connection, query: Select[Any]) -> list[Order]:
    rows = connection.execute(query).all()
    table = payment_order_claim
    parts: dict[int, dict[str, int]] = {row.id: {} for row in rows}
    if rows:
        claims = select(table).where(table.c.payment_order_id.in_(list(parts)))
        for row in connection.execute(claims.order_by(table.c.position)):
            parts[row.payment_order_id][row.claim] = row.amount
    return [_order(row, parts[row.id]) for row in rows]


def _order(row: Row[Any], claims: Mapping[str, int]) -> Order:
    values = {column.name: row._mapping[column.name] for column in payment_order.c}  # noqa: SLF001  SQLAlchemy's public name
    values |= {"state": OrderState(values["state"]), "scene": Scene(values["scene"])}
    return Order(**values, claims=claims)
