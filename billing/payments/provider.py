"""The boundary to payment providers: WeChat Pay, Alipay, UnionPay, Stripe and those like them.

An adapter speaks for one merchant account at one provider. It translates, and decides nothing:
whether a notice pays an order is decided in `billing.store.payments`, in the transaction that
keeps the notice. Money is in the minor unit of its currency (fen), times are aware.

Every call takes `now`, for signatures and for the age of what comes in; none reads a clock. What
cannot be reached in time raises `UnreachableError`, and then nothing is known of the outcome: ask
again with the same number, which every provider answers the same way as the first time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from meters.told import Told, told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class ProviderError(Exception):
    """Something between us and a payment provider went wrong; the message says what."""


class NotAuthenticError(ProviderError):
    """A notice or answer is not proven to be the provider's: signature, key or age is wrong."""


class MalformedNoticeError(ProviderError):
    """A notice is the provider's, and yet holds no payment or refund that can be read."""


class UnreachableError(ProviderError):
    """The provider gave no answer in time, or one that says to ask again: nothing is known."""


class RefusedError(ProviderError):
    """The provider refused what it was asked for. `code` is its own word for the reason."""

    def __init__(self, code: str, message: str) -> None:
        ours = told("{code}: {message}", code=code, message=message)
        super().__init__(ours if isinstance(message, Told) else str(ours))
        self.code = code


class Scene(StrEnum):
    """How somebody pays: scanning a code, inside the provider's app, or in a browser."""

    CODE = "code"
    IN_APP = "in-app"
    BROWSER = "browser"


class Unpaid(StrEnum):
    """What a provider says of an order that no money came for."""

    WAITING = "waiting"
    """It can still be paid."""
    CLOSED = "closed"
    """It can never be paid any more."""
    UNKNOWN = "unknown"
    """The provider has never heard of it, so that nobody can pay it there."""


class NoticeState(StrEnum):
    """What became of a transaction. Money arrived for `PAID` and for `REFUNDED` ones."""

    PAID = "paid"
    REFUNDED = "refunded"
    """Paid, and given back since, in part or whole."""
    FAILED = "failed"


class RefundState(StrEnum):
    """What became of a refund."""

    PENDING = "pending"
    EXECUTED = "executed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What a provider is asked to collect.

    `number` is ours (`out_trade_no`): 6–32 of [0-9A-Za-z_-|*]. `payer` is who pays, in the words of
    the provider (an openid), where the scene needs it; `description` is what the payer is shown.
    """

    number: str
    amount_fen: int
    currency: str
    description: str
    expires_at: datetime
    scene: Scene = Scene.CODE
    payer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepayment:
    """What somebody pays an order with, by its scene, until `expires_at`.

    `code_url` is the text of a QR code, `in_app_call` what a page or program inside the provider's
    app calls it with, signed, `pay_url` a page to go to. One of them is set.
    """

    expires_at: datetime
    code_url: str | None = None
    in_app_call: Mapping[str, str] | None = None
    pay_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A transaction as the provider reports it: by a callback, an answer, or a line of its bill.

    `amount_fen` is what the order was for, before coupons of the provider; `transaction_id` is the
    provider's, unique for it.
    """

    provider: str
    merchant: str
    order_number: str
    transaction_id: str
    amount_fen: int
    currency: str
    paid_at: datetime
    state: NoticeState


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAsked:
    """What a provider is asked to give back. `number` is ours and unique (`out_refund_no`).

    `paid_fen` is what the transaction was for, `amount_fen` how much of it goes back.
    """

    number: str
    order_number: str
    transaction_id: str
    amount_fen: int
    paid_fen: int
    currency: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundNotice:
    """A refund as the provider reports it. `refund_id` is the provider's, `number` ours."""

    provider: str
    merchant: str
    number: str
    refund_id: str
    amount_fen: int
    currency: str
    at: datetime
    state: RefundState


@dataclass(frozen=True, slots=True)
class Answer:
    """What a callback is answered with over HTTP."""

    status: int
    content_type: str
    body: bytes


class Provider(Protocol):
    """One merchant account at one provider. Calls raise `ProviderError`s."""

    @property
    def name(self) -> str:
        """The provider, as in `Notice.provider`: wechat, alipay, unionpay, stripe."""
        ...

    @property
    def merchant(self) -> str:
        """The merchant account, as in `Notice.merchant`."""
        ...

    def create(self, order: Ordered, *, now: datetime) -> Prepayment:
        """Ask for `order` to be collected; the same order again gives the same result."""
        ...

    def query(self, order_number: str, *, now: datetime) -> Notice | Unpaid:
        """Return what became of an order."""
        ...

    def close(self, order_number: str, *, now: datetime) -> None:
        """Close an order, so that it is never paid; raise `RefusedError` if it is paid already.

        One that the provider has not heard of may be answered as if it were closed, and is paid
        if it is created afterwards: see `billing.store.payments_closing`.
        """
        ...

    def refund(self, refund: RefundAsked, *, now: datetime) -> RefundNotice:
        """Ask for money to go back; the same number again gives the same refund."""
        ...

    def query_refund(self, number: str, *, now: datetime) -> RefundNotice | None:
        """Return what became of a refund, None where the provider has never heard of it."""
        ...

    def read(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Notice | RefundNotice:
        """Return what a callback says, once it is proven to be the provider's.

        `headers` by lower-case name, `body` as it came. Raises `NotAuthenticError` or
        `MalformedNoticeError`.
        """
        ...

    def answer(self, message: str | None) -> Answer:
        """Return the answer to a callback: None for taken, else why it was not."""
        ...
