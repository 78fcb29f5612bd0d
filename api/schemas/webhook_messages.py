"""What webhooks say: `type`, `timestamp` of what happened, and `data` of its kind.

`billing` writes them (`billing/delivery/webhook.py`); here they are described to receivers.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas.values import Money, Month

Community = Annotated[str, Field(description="Its code.", examples=["osmanthus"])]
Account = Annotated[str, Field(description="Its code.", examples=["100000000190"])]
Unit = Annotated[str, Field(description="Its code.", examples=["1-101"])]
Currency = Annotated[str, Field(examples=["CNY"])]
Happened = Annotated[datetime, Field(description="When it happened.")]


class BillTold(BaseModel):
    """A bill; its lines are at `/v1/bills/{bill}`."""

    bill: Annotated[str, Field(examples=["osmanthus-2026-10-0001"])]
    community: Community
    account: Account
    unit: Unit
    period: Month
    total: Money
    currency: Currency
    issued_on: date
    due_on: date


class PaidClaim(BaseModel):
    """How much of a payment went to one claim."""

    claim: Annotated[str, Field(description="A bill's number, or what else was owed.")]
    amount: Money


class PaymentTold(BaseModel):
    """A payment that is posted; `credit` is what no claim took of it."""

    payment: int
    community: Community
    account: Account
    unit: Unit
    channel: Annotated[str, Field(examples=["wechat"])]
    transaction: Annotated[str | None, Field(description="The provider's number of it.")]
    paid_at: datetime
    amount: Money
    rounding: Money
    currency: Currency
    pays: list[PaidClaim]
    credit: Money


class RunTold(BaseModel):
    """A run that waits for people: how many problems in which communities."""

    run: int
    period: Month
    communities: list[str]
    problems: int


class MeterTold(BaseModel):
    """A meter that has fallen silent."""

    meter: str
    gateway: str
    community: Community
    point: str
    last_answer: datetime
    error: Annotated[str | None, Field(description="What came in place of an answer.")]


class BillIssued(BaseModel):
    """The body of `bill.issued`."""

    type: Literal["bill.issued"]
    timestamp: Happened
    data: BillTold


class CorrectionIssued(BaseModel):
    """The body of `correction.issued`."""

    type: Literal["correction.issued"]
    timestamp: Happened
    data: BillTold


class PaymentPosted(BaseModel):
    """The body of `payment.posted`."""

    type: Literal["payment.posted"]
    timestamp: Happened
    data: PaymentTold


class RunBlocked(BaseModel):
    """The body of `run.blocked`."""

    type: Literal["run.blocked"]
    timestamp: Happened
    data: RunTold


class MeterOffline(BaseModel):
    """The body of `meter.offline`."""

    type: Literal["meter.offline"]
    timestamp: Happened
    data: MeterTold
