"""A payment order: what is asked of one account over one channel, and until when.

open → paid | closed | expired. An order that is closed or expired is still paid when its money
comes after all: a provider has taken it, so the account gets it.

Several orders over the same bill may be open at once, as when somebody begins on the phone and ends
at the counter. Whichever is paid first pays the bill; what the others bring is the account's
credit, which the next bills use, or which is given back. So no money is ever taken without standing
somewhere in the account. Opening an order names those that it overlaps, for the caller to close;
one that asks for more than is still due is closed at its provider (`payments_overlaps`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.payments.provider import Scene
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from billing.payments.claim import Claim

NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
"""What every provider takes as the number of an order or refund (WeChat Pay, `out_trade_no`)."""

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=7)
"""How long an order may stay open: providers take no less, and forget what is older."""


class OrderState(StrEnum):
    """Where an order stands."""

    OPEN = "open"
    PAID = "paid"
    CLOSED = "closed"
    EXPIRED = "expired"


class OrderError(ValueError):
    """An order cannot be made, or does not take this step; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A payment order. `claims`: the references of what it pays → how much of each, in order.

    `amount` and the amounts of `claims` in fen; with no claims, it pays in advance. `merchant` is
    the account at the provider, empty for a channel that has none. `payer`: who pays, in the words
    of the provider, where the scene names them.
    """

    id: int
    number: str
    community_id: int
    account_id: int
    channel: str
    merchant: str
    scene: Scene
    payer: str | None
    amount: int
    currency: str
    claims: Mapping[str, int]
    state: OrderState
    created_by: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    asked_at: datetime | None


def number_of(kind: str, day: date, token: str) -> str:
    """Return the number of an order or refund: a letter for its kind, the day, and a token."""
    number = f"{kind}{day:%Y%m%d}{token}"
    if not NUMBER.fullmatch(number):
        raise ValueError(f"{number!r} is no number that every provider takes")
    return number


def allotted(claims: Mapping[str, Claim], wanted: Mapping[str, int | None]) -> dict[str, int]:
    """Return how much of each claim an order is for: all that is due where no amount is wanted.

    Raises `OrderError` for a claim that is not the account's, is settled, or is less than wanted.
    """
    found = {}
    for reference, amount in wanted.items():
        claim = claims.get(reference)
        if claim is None:
            raise OrderError(
                told(
                    "the account owes nothing by '{reference}'; look at its payables",
                    reference=reference,
                )
            )
        if claim.due <= 0:
            raise OrderError(
                told("{reference} is settled already; there is nothing to pay", reference=reference)
            )
        found[reference] = claim.due if amount is None else amount
        if not 0 < found[reference] <= claim.due:
            raise OrderError(
                told(
                    "{amount} fen cannot be paid of {reference}: {due} fen are due",
                    amount=found[reference],
                    reference=reference,
                    due=claim.due,
                )
            )
    return found


def check_payer(scene: Scene, payer: str | None) -> None:
    """Raise `OrderError` unless `payer` is named where `scene` is inside an app, and only there."""
    if scene is Scene.IN_APP and not payer:
        raise OrderError(
            told("state `payer_openid` to pay by `jsapi`: the payer's openid at the merchant's app")
        )
    if scene is not Scene.IN_APP and payer is not None:
        raise OrderError(told("`payer_openid` goes with the scene `jsapi` only; leave it out"))


def check_expiry(now: datetime, expires_at: datetime) -> None:
    """Raise `OrderError` unless an order that is made `now` may be open until `expires_at`."""
    if not SHORTEST <= expires_at - now <= LONGEST:
        raise OrderError(
            told(
                "an order is open for one minute to seven days, not until {time}",
                time=expires_at.isoformat(),
            )
        )
