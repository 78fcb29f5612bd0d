"""Payments that staff enter, in cash, by bank transfer or kiosk, and payments that are undone.

Above the community's limit somebody else approves before anything is posted; whoever entered a
payment never reverses it. The database holds both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.money import from_fen
from billing.payment_tables import payment
from billing.payments import entries
from billing.payments.application import taken_back
from billing.payments.order import allotted
from billing.store import audit, ledger, payments_book, payments_claims, payments_refunds
from billing.store.payments_book import New, Payment
from billing.store.payments_due import payer_named
from billing.store.payments_policy import policy_of
from meters.told import StateName, told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

CHANNELS = ("cash", "bank", "kiosk")
"""How money comes that no provider tells us of."""

REVERSALS = ("bounced", "mistaken")
"""Why a payment is undone: the money never came, or it was entered wrongly."""


class DeskError(ValueError):
    """A payment cannot be entered, or does not take this step; the message says what to do."""


class DeskEyesError(PermissionError):
    """Who entered a payment cannot decide on it, nor undo it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """Money that came in: `amount` fen, and what is let go of beside it in cash (`rounding`).

    `document`: the number of the slip or of the bank's line, by which it is known; `claims`: what
    it is meant for, each in part or (None) all that is due, or none: by the community's policy.
    """

    channel: str
    amount: int
    document: str
    paid_at: datetime
    rounding: int = 0
    claims: Mapping[str, int | None] = field(default_factory=dict)
    note: str | None = None


def enter(
    connection: Connection,
    community: str,
    account: str,
    handed: Handed,
    *,
    actor: str,
    now: datetime,
) -> Payment:
    """Enter a payment and post it, or let it wait for approval; the same again is the first.

    Raises `DeskError`, and `UnknownAccountError`.
    """
    who = payer_named(connection, community, account)
    _assert_handed(handed, now)
    payments_claims.lock(connection, [who.account_id])
    transaction_id = f"{community}/{handed.document}"
    before = payments_book.find(connection, handed.channel, transaction_id)
    if before is not None:
        if (before.account_id, before.amount) == (who.account_id, handed.amount):
            return before
        raise DeskError(
            told(
                "document {document} is payment {payment} of {amount}, for another account or "
                "amount; look at it",
                document=handed.document,
                payment=before.id,
                amount=from_fen(before.amount),
            )
        )
    owed = payments_claims.claims(connection, [who.account_id])[who.account_id]
    limit = policy_of(connection, who.community_id).four_eyes_above
    made = payments_book.add(
        connection,
        New(
            community_id=who.community_id,
            account_id=who.account_id,
            order_id=None,
            channel=handed.channel,
            transaction_id=transaction_id,
            merchant="",
            amount=handed.amount,
            currency=who.currency,
            paid_at=handed.paid_at,
            named=allotted({each.reference: each for each in owed}, handed.claims),
            rounding=handed.rounding,
            note=handed.note,
            entered_by=actor,
            needs_approval=handed.amount > limit,
        ),
        now=now,
    )
    _log(connection, "payment.enter", made, actor, now, account=f"{community}/{account}")
    return made


def decide(
    connection: Connection, payment_id: int, *, approve: bool, actor: str, now: datetime
) -> Payment:
    """Approve a payment that waits, which posts it, or reject it."""
    found = payments_book.read(connection, payment_id, lock=True)
    if found.state != "entered":
        raise DeskError(
            told(
                "payment {payment} is {state}; it waits for nobody",
                payment=payment_id,
                state=StateName(found.state),
            )
        )
    if actor == found.entered_by:
        raise DeskEyesError(
            told(
                "{person} entered payment {payment}, so somebody else decides on it (four eyes)",
                person=actor,
                payment=payment_id,
            )
        )
    payments_claims.lock(connection, [found.account_id])
    state = "posted" if approve else "rejected"
    values = {"state": state, "decided_by": actor, "decided_at": now}
    connection.execute(payment.update().where(payment.c.id == payment_id).values(**values))
    if approve:
        payments_book.post(connection, [found], now=now)
    _log(connection, "payment.approve" if approve else "payment.reject", found, actor, now)
    return payments_book.read(connection, payment_id)


def reverse(
    connection: Connection,
    payment_id: int,
    *,
    kind: str,
    reason: str,
    actor: str,
    now: datetime,
) -> Payment:
    """Undo a posted payment, as bounced or mistaken: what it has paid is due again.

    It is taken from the account's credit, then from what it has paid, then from what was paid last.
    What was given back in between is a claim of its own. Raises `DeskError`, `DeskEyesError`.
    """
    found = payments_book.read(connection, payment_id, lock=True)
    payments_claims.lock(connection, [found.account_id])
    _assert_reversible(connection, found, kind, reason, actor)
    values = {
        "state": "reversed",
        "reversed_by": actor,
        "reversed_at": now,
        "reversal": kind,
        "reversal_reason": reason,
    }
    connection.execute(payment.update().where(payment.c.id == payment_id).values(**values))
    amount = found.amount + found.rounding
    from_credit = min(amount, max(0, payments_claims.credit(connection, found.account_id)))
    back = taken_back(
        payments_claims.history(connection, found.account_id),
        amount - from_credit,
        first=f"{entries.PAID}{payment_id}",
    )
    undone = entries.reversal(
        payment_id,
        found.account_id,
        found.channel,
        amount=found.amount,
        rounding=found.rounding,
        credit=from_credit,
        taken_back=back.applications,
    )
    ledger.post(connection, found.community_id, undone, at=now)
    reference = undone[0].reference
    payments_claims.record(connection, [(reference, each) for each in back.applications])
    _log(connection, "payment.reverse", found, actor, now, kind=kind, reason=reason)
    return payments_book.read(connection, payment_id)


def _assert_handed(handed: Handed, now: datetime) -> None:
    if handed.channel not in CHANNELS:
        known = ", ".join(CHANNELS)
        raise DeskError(
            told(
                "nobody enters payments by '{channel}'; staff enter {known}",
                channel=handed.channel,
                known=known,
            )
        )
    if handed.amount <= 0:
        raise DeskError(
            told("a payment is above zero, not {amount}", amount=from_fen(handed.amount))
        )
    if handed.rounding and (handed.channel != "cash" or abs(handed.rounding) > 99):
        raise DeskError(told("only cash is rounded, by less than one of the currency"))
    if handed.amount + handed.rounding <= 0:
        raise DeskError(told("rounding takes all of the payment; enter what was paid"))
    if not handed.document.strip():
        raise DeskError(told("name the slip or the bank's line that the payment is known by"))
    if handed.paid_at > now:
        raise DeskError(told("nobody has paid at {time} yet", time=handed.paid_at.isoformat()))


def _assert_reversible(
    connection: Connection, found: Payment, kind: str, reason: str, actor: str
) -> None:
    if kind not in REVERSALS:
        raise DeskError(
            told(
                "a payment is undone as one of {known}, not '{kind}'",
                known=", ".join(REVERSALS),
                kind=kind,
            )
        )
    if not reason.strip():
        raise DeskError(told("say why payment {payment} is undone", payment=found.id))
    if found.state != "posted":
        raise DeskError(
            told(
                "payment {payment} is {state}; only a posted one is undone",
                payment=found.id,
                state=StateName(found.state),
            )
        )
    if actor == found.entered_by:
        raise DeskEyesError(
            told(
                "{person} entered payment {payment}, so somebody else undoes it (four eyes)",
                person=actor,
                payment=found.id,
            )
        )
    waiting = [
        each.number
        for each in payments_refunds.of_payment(connection, found.id)
        if each.state in ("requested", "approved")
    ]
    if waiting:
        raise DeskError(
            told(
                "refund {number} of payment {payment} is under way; end it first",
                number=waiting[0],
                payment=found.id,
            )
        )


def _log(
    connection: Connection, action: str, found: Payment, actor: str, now: datetime, **detail: object
) -> None:
    audit.append(
        connection,
        at=now,
        actor=actor,
        action=action,
        subject=f"payment:{found.id}",
        communities=[found.community_id],
        detail={
            "channel": found.channel,
            "transaction": found.transaction_id,
            "amount": str(from_fen(found.amount)),
            **detail,
        },
    )
