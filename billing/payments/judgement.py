"""Whether a notice pays the order that it names, or is of the refund that it names.

What does not fit is refused with its reason and never posted: a provider that is told so sends the
notice again, and a person sees it meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from billing.payments.order import Order
    from billing.payments.provider import Notice, RefundNotice


class Verdict(StrEnum):
    """What became of a notice."""

    POSTED = "posted"
    """It was taken, now."""
    KNOWN = "known"
    """It was taken before; nothing has changed."""
    NOTED = "noted"
    """It says nothing that is to be posted, as that a payment has failed."""
    REFUSED = "refused"
    """It is not taken, for the reason that is given; a person has to look at it."""


class Refusal(StrEnum):
    """Why a notice is not taken."""

    NOT_AUTHENTIC = "not authentic"
    MALFORMED = "malformed"
    UNKNOWN_ORDER = "unknown order"
    UNKNOWN_REFUND = "unknown refund"
    WRONG_PROVIDER = "wrong provider"
    WRONG_MERCHANT = "wrong merchant"
    WRONG_AMOUNT = "wrong amount"
    WRONG_CURRENCY = "wrong currency"
    PAID_OTHERWISE = "paid otherwise"
    """The order, or the transaction, belongs to another payment."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a notice; `accepted` says whether its sender is told that all is well."""

    verdict: Verdict
    reason: str | None = None
    payment_id: int | None = None
    refund_id: int | None = None

    @property
    def accepted(self) -> bool:
        return self.verdict is not Verdict.REFUSED


def refused(refusal: Refusal, detail: str) -> Outcome:
    """Return the outcome of a notice that is not taken."""
    return Outcome(Verdict.REFUSED, f"{refusal}: {detail}")


def contradiction(order: Order, notice: Notice) -> Outcome | None:
    """Return why `notice` does not pay `order`, None where it does."""
    for refusal, expected, found in (
        (Refusal.WRONG_PROVIDER, order.channel, notice.provider),
        (Refusal.WRONG_MERCHANT, order.merchant, notice.merchant),
        (Refusal.WRONG_CURRENCY, order.currency, notice.currency),
        (Refusal.WRONG_AMOUNT, order.amount, notice.amount_fen),
    ):
        if expected != found:
            return refused(refusal, f"order {order.number} is of {expected}, the notice of {found}")
    return None


def refund_contradiction(
    *, number: str, expected: tuple[str, str, str, int], notice: RefundNotice
) -> Outcome | None:
    """Return why `notice` is not of the refund `number`, None where it is.

    `expected`: the provider, merchant, currency and amount of the refund.
    """
    found = (notice.provider, notice.merchant, notice.currency, notice.amount_fen)
    kinds = (
        *(Refusal.WRONG_PROVIDER, Refusal.WRONG_MERCHANT),
        *(Refusal.WRONG_CURRENCY, Refusal.WRONG_AMOUNT),
    )
    for refusal, ours, theirs in zip(kinds, expected, found, strict=True):
        if ours != theirs:
            return refused(refusal, f"refund {number} is of {ours}, the notice of {theirs}")
    return None
