"""What is due, orders, payments, refunds, statements of account: as `/v1` has them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.values import Answer, Instant, Money, Month, money
from billing.money import to_fen
from billing.store.payments_desk import Handed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.store.journal_views import AccountStatement
    from billing.store.payments_book import Payment
    from billing.store.payments_due import Dues
    from billing.store.payments_receipts import Receipt
    from billing.store.payments_refunds import Refund

Amount = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,12}(\.[0-9]{1,2})?$",
        description="An amount above zero, with two decimals at the most.",
        examples=["2852.00"],
    ),
]
Rounding = Annotated[str, Field(pattern=r"^-?0(\.[0-9]{1,2})?$", examples=["0.04"])]
Code = Annotated[
    str,
    Field(max_length=40, description="The payment code of the account.", examples=["100000000120"]),
]
ClaimName = Annotated[str, Field(min_length=1, max_length=300)]
Reason = Annotated[str, Field(min_length=1, max_length=1000, description="It is kept for ever.")]

CODE_EXAMPLE = "100000000120"
CLAIM_EXAMPLE = "bill:osmanthus-2026-10-0007"


def fen(amount: str) -> int:
    """Return an amount as it is stated, in fen."""
    return to_fen(Decimal(amount))


class PayableShown(Answer):
    """What is still due of a bill, an opening balance, or a payment that bounced."""

    claim: str = Field(description="Name it so when it is paid.", examples=[CLAIM_EXAMPLE])
    bill: str | None
    period: Month | None
    due_on: date
    total: Money
    paid: Money
    due: Money
    disputed: Money = Field(
        description="How much of it is asked about: it can be paid, and nobody is reminded of it."
    )


class DuesShown(Answer):
    """What an account has to pay, the oldest first."""

    payment_code: Code
    community: str
    account: str
    unit: str
    currency: str
    due: Money
    credit: Money = Field(description="It pays the next bills by itself.")
    payables: list[PayableShown]

    @classmethod
    def of(cls, dues: Dues) -> DuesShown:
        who = dues.payer
        return cls(
            payment_code=who.payment_code,
            community=who.community,
            account=who.account,
            unit=who.unit,
            currency=who.currency,
            due=money(dues.due),
            credit=money(dues.credit),
            payables=[
                PayableShown(
                    claim=each.claim,
                    bill=each.number,
                    period=each.period,
                    due_on=each.due_on,
                    total=money(each.total),
                    paid=money(each.paid),
                    due=money(each.due),
                    disputed=money(each.disputed),
                )
                for each in dues.payables
            ],
        )


class Part(BaseModel):
    """A claim that is to be paid: all that is due of it, or a part."""

    model_config = ConfigDict(extra="forbid")

    claim: ClaimName
    amount: Amount | None = None


Parts = Annotated[list[Part], Field(max_length=200)]


def parts(stated: Sequence[Part]) -> dict[str, int | None]:
    """Return the claims that are stated, each with its fen or None for all that is due."""
    return {each.claim: None if each.amount is None else fen(each.amount) for each in stated}


class PartShown(Answer):
    """How much of a claim an order or payment pays."""

    claim: str
    amount: Money


class NewPayment(BaseModel):
    """Money that came in by cash, transfer or kiosk; `document` is what it is known by."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "payment_code": CODE_EXAMPLE,
                    "channel": "cash",
                    "amount": "120.00",
                    "document": "slip 4711",
                }
            ]
        },
    )

    payment_code: Code
    channel: Literal["cash", "bank", "kiosk"]
    amount: Amount
    document: Annotated[str, Field(min_length=1, max_length=200)]
    paid_at: Instant | None = Field(default=None, description="Now, unless it is stated.")
    rounding: Rounding = Field(default="0", description="What is let go of beside cash.")
    pays: Parts = Field(default=[], description="None: by the community's policy.")
    note: Annotated[str, Field(max_length=1000)] | None = None

    def handed(self, now: datetime) -> Handed:
        return Handed(
            channel=self.channel,
            amount=fen(self.amount),
            document=self.document,
            paid_at=self.paid_at or now,
            rounding=fen(self.rounding),
            claims=parts(self.pays),
            note=self.note,
        )


class ReceiptShown(Answer):
    """The receipt of a payment as it was issued."""

    number: str = Field(examples=["osmanthus-R000012"])
    payment: int
    issued_at: datetime
    undone: bool = Field(description="Its payment was reversed since.")
    account: str
    unit: str
    holder: str
    amount: Money
    currency: str
    pays: list[PartShown]
    credit: Money

    @classmethod
    def of(cls, receipt: Receipt) -> ReceiptShown:
        told = receipt.document
        return cls(
            number=receipt.number,
            payment=receipt.payment_id,
            issued_at=receipt.issued_at,
            undone=receipt.reversed,
            pays=[PartShown(**each) for each in told["pays"]],
            **{
                name: told[name]
                for name in ("account", "unit", "holder", "amount", "currency", "credit")
            },
        )


class PaymentShown(Answer):
    """A payment. Who entered it, and who else decided on it, are null where a provider said so."""

    id: int
    state: str = Field(description="`entered`, `posted`, `rejected` or `reversed`.")
    channel: str
    transaction: str
    amount: Money
    currency: str
    paid_at: datetime
    entered_by: str | None
    decided_by: str | None
    reversed_by: str | None
    reversal: str | None
    reversal_reason: str | None

    @classmethod
    def of(cls, paid: Payment, *, people: bool) -> PaymentShown:
        """`people`: whether it is told who at the company did what."""
        who = ("entered_by", "decided_by", "reversed_by", "reversal_reason")
        return cls(
            id=paid.id,
            state=paid.state,
            channel=paid.channel,
            transaction=paid.transaction_id,
            amount=money(paid.amount),
            currency=paid.currency,
            paid_at=paid.paid_at,
            reversal=paid.reversal,
            **{name: getattr(paid, name) if people else None for name in who},
        )


class Reversal(BaseModel):
    """Why a payment is undone: the money never came, or it was entered wrongly."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"kind": "bounced", "reason": "the bank returned it"}]},
    )

    kind: Literal["bounced", "mistaken"]
    reason: Reason


class NewRefund(BaseModel):
    """What is to go back of a payment; `reopen`: also out of what the account has paid with it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"amount": "12.00", "reason": "paid twice"}]},
    )

    amount: Amount
    reason: Reason
    reopen: bool = False


class RefundShown(Answer):
    """A refund of a payment."""

    number: str
    payment: int
    state: str = Field(description="`requested`, `approved`, `rejected`, `executed` or `failed`.")
    amount: Money
    reason: str
    requested_by: str
    decided_by: str | None

    @classmethod
    def of(cls, refund: Refund) -> RefundShown:
        return cls(
            number=refund.number,
            payment=refund.payment_id,
            state=refund.state,
            amount=money(refund.amount),
            reason=refund.reason,
            requested_by=refund.requested_by,
            decided_by=refund.decided_by,
        )


class StatementLineShown(Answer):
    """What changed on a day: `amount` that is owed more, less below zero."""

    day: date
    reference: str
    kind: str = Field(description="`charge`, `payment`, `refund` or `adjustment`.")
    amount: Money


class AccountStatementShown(Answer):
    """What an account owed before, what changed from day to day, and what it owes; it adds up."""

    account: str
    unit: str
    currency: str
    first_day: date
    last_day: date
    opening: Money
    lines: list[StatementLineShown]
    closing: Money

    @classmethod
    def of(cls, found: AccountStatement) -> AccountStatementShown:
        who = found.payer
        return cls(
            account=who.account,
            unit=who.unit,
            currency=who.currency,
            first_day=found.first,
            last_day=found.last,
            opening=money(found.opening),
            lines=[
                StatementLineShown(
                    day=line.day,
                    reference=line.reference,
                    kind=line.kind.value,
                    amount=money(line.amount),
                )
                for line in found.lines
            ],
            closing=money(found.closing),
        )
