"""Refunds: asked for by one person, approved by another, executed or failed.

What is asked back is set aside at once, so that no bill takes it meanwhile: from the account's
credit, and only where it is said so from bills that it has paid, which are due again then. The
database holds the four eyes, the steps, and that no more goes back than came in.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from billing.money import from_fen
from billing.payment_tables import payment_order, refund
from billing.payments import entries
from billing.payments.application import taken_back
from billing.payments.order import number_of
from billing.payments.provider import RefundAsked, RefundState
from billing.store import audit, ledger, payments_book, payments_claims
from billing.store.ids import insert
from meters.told import StateName, told

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select

    from billing.ledger import Entry
    from billing.payments.application import Application
    from billing.store.payments_book import Payment


class RefundError(ValueError):
    """A refund cannot be asked for, or does not take this step; the message says why."""


class UnknownRefundError(LookupError):
    """There is no refund of this number."""


class RefundEyesError(PermissionError):
    """Who asked for a refund cannot decide on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund of a payment, in fen: requested, approved, rejected, executed or failed."""

    id: int
    number: str
    community_id: int
    account_id: int
    payment_id: int
    amount: int
    reason: str
    state: str
    requested_by: str
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None
    refund_id: str | None


def request(
    connection: Connection,
    payment_id: int,
    amount: int,
    *,
    reason: str,
    reopen: bool,
    actor: str,
    now: datetime,
) -> Refund:
    """Ask for `amount` fen of a payment to go back, and set it aside.

    It comes out of the account's credit; with `reopen` also out of bills that it has paid, those of
    this payment first. Raises `RefundError` where there is not so much.
    """
    paid = payments_book.read(connection, payment_id, lock=True)
    payments_claims.lock(connection, [paid.account_id])
    _assert_refundable(connection, paid, amount, reason)
    has = payments_claims.credit(connection, paid.account_id)
    back = taken_back(
        payments_claims.history(connection, paid.account_id) if reopen else [],
        max(0, amount - has),
        first=f"{entries.PAID}{paid.id}",
    )
    if back.rest:
        raise RefundError(
            told(
                "{credit} of the account is credit, less than {amount}; ask for less, or say that "
                "what it has paid may be due again (--reopen)",
                credit=from_fen(has),
                amount=from_fen(amount),
            )
        )
    number = number_of("R", now.date(), secrets.token_hex(8))
    insert(
        connection,
        refund,
        number=number,
        community_id=paid.community_id,
        account_id=paid.account_id,
        payment_id=paid.id,
        amount=amount,
        reason=reason,
        state="requested",
        requested_by=actor,
        requested_at=now,
    )
    entry = entries.refund_requested(
        number, paid.account_id, amount=amount, taken_back=back.applications
    )
    _post(connection, paid, entry, back.applications, now=now)
    asked = read(connection, number)
    _log(connection, "refund.request", asked, actor, now, reason=reason)
    return asked


def decide(
    connection: Connection, number: str, *, approve: bool, actor: str, now: datetime
) -> Refund:
    """Approve or reject a refund that somebody else has asked for."""
    found = read(connection, number, lock=True)
    if found.state != "requested":
        raise RefundError(
            told(
                "refund {number} is {state}; it is decided once",
                number=number,
                state=StateName(found.state),
            )
        )
    if actor == found.requested_by:
        raise RefundEyesError(
            told(
                "{person} asked for refund {number}, so somebody else decides on it (four eyes)",
                person=actor,
                number=number,
            )
        )
    state = "approved" if approve else "rejected"
    values = {"state": state, "decided_by": actor, "decided_at": now}
    connection.execute(refund.update().where(refund.c.id == found.id).values(**values))
    if not approve:
        _return(connection, found, now=now)
    _log(connection, "refund.approve" if approve else "refund.reject", found, actor, now)
    return read(connection, number)


def end_by_hand(
    connection: Connection, number: str, *, executed: bool, actor: str, now: datetime
) -> Refund:
    """Say that an approved refund was paid out, or could not be."""
    found = read(connection, number, lock=True)
    if found.state != "approved":
        raise RefundError(
            told(
                "refund {number} is {state}; only an approved one is paid out",
                number=number,
                state=StateName(found.state),
            )
        )
    state = RefundState.EXECUTED if executed else RefundState.FAILED
    end(connection, found, state, refund_id=None, actor=actor, now=now)
    _log(connection, "refund.execute" if executed else "refund.fail", found, actor, now)
    return read(connection, number)


def end(
    connection: Connection,
    found: Refund,
    state: RefundState,
    *,
    refund_id: str | None,
    actor: str | None = None,
    now: datetime,
) -> None:
    """Let an approved refund be executed, or have failed; then it is credit again."""
    values = {"state": state, "ended_by": actor, "ended_at": now, "refund_id": refund_id}
    connection.execute(refund.update().where(refund.c.id == found.id).values(**values))
    if state is not RefundState.EXECUTED:
        _return(connection, found, now=now)
        return
    paid = payments_book.read(connection, found.payment_id)
    entry = entries.refund_executed(
        found.number, found.account_id, paid.channel, amount=found.amount
    )
    ledger.post(connection, found.community_id, [entry], at=now)


def as_asked(connection: Connection, number: str) -> RefundAsked:
    """Return what the provider of an approved refund is asked for."""
    found = read(connection, number)
    paid = payments_book.read(connection, found.payment_id)
    order_number = connection.scalar(
        select(payment_order.c.number).where(payment_order.c.id == paid.order_id)
    )
    if found.state != "approved" or order_number is None:
        raise RefundError(
            told(
                "refund {number} is {state}, or of no order; it is paid by hand",
                number=number,
                state=StateName(found.state),
            )
        )
    return RefundAsked(
        number=found.number,
        order_number=order_number,
        transaction_id=paid.transaction_id,
        amount_fen=found.amount,
        paid_fen=paid.amount,
        currency=paid.currency,
        reason=found.reason,
    )


def read(connection: Connection, number: str, *, lock: bool = False) -> Refund:
    """Return a refund; `lock` keeps others from changing it. Raises `UnknownRefundError`."""
    found = find(connection, number, lock=lock)
    if found is None:
        raise UnknownRefundError(told("there is no refund '{number}'", number=number))
    return found


def find(connection: Connection, number: str, *, lock: bool = False) -> Refund | None:
    """Return the refund of this number, None where there is none."""
    query = select(refund).where(refund.c.number == number)
    if lock:
        query = query.with_for_update(key_share=True)
    return next(iter(_refunds(connection, query)), None)


def of_payment(connection: Connection, payment_id: int) -> list[Refund]:
    """Return the refunds of a payment, the oldest first."""
    query = select(refund).where(refund.c.payment_id == payment_id)
    return _refunds(connection, query.order_by(refund.c.id))


def under_way(connection: Connection) -> list[Refund]:
    """Return the refunds that wait for somebody: to be approved, or to be paid out."""
    query = select(refund).where(refund.c.state.in_(("requested", "approved")))
    return _refunds(connection, query.order_by(refund.c.id))


def _refunds(connection: Connection, query: Select[Any]) -> list[Refund]:
    return [Refund(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001  SQLAlchemy's public name for a row's columns


def _assert_refundable(connection: Connection, paid: Payment, amount: int, reason: str) -> None:
    if not reason.strip():
        raise RefundError(told("say why the money goes back"))
    if paid.state != "posted":
        raise RefundError(
            told(
                "payment {payment} is {state}; only a posted one is refunded",
                payment=paid.id,
                state=StateName(paid.state),
            )
        )
    gone = sum(
        each.amount
        for each in of_payment(connection, paid.id)
        if each.state not in ("rejected", "failed")
    )
    if not 0 < amount <= paid.amount - gone:
        raise RefundError(
            told(
                "{amount} cannot go back: payment {payment} was {paid}, of which {gone} goes back "
                "already",
                amount=from_fen(amount),
                payment=paid.id,
                paid=from_fen(paid.amount),
                gone=from_fen(gone),
            )
        )


def _return(connection: Connection, found: Refund, *, now: datetime) -> None:
    entry = entries.refund_returned(found.number, found.account_id, amount=found.amount)
    ledger.post(connection, found.community_id, [entry], at=now)


def _post(
    connection: Connection,
    paid: Payment,
    entry: Entry,
    applications: tuple[Application, ...],
    *,
    now: datetime,
) -> None:
    ledger.post(connection, paid.community_id, [entry], at=now)
    payments_claims.record(connection, [(entry.reference, each) for each in applications])


def _log(
    connection: Connection, action: str, found: Refund, actor: str, now: datetime, **detail: object
) -> None:
    audit.append(
        connection,
        at=now,
        actor=actor,
        action=action,
        subject=f"refund:{found.number}",
        communities=[found.community_id],
        detail={"payment": found.payment_id, "amount": str(from_fen(found.amount)), **detail},
    )
