"""What we send to webhooks, for the OpenAPI document: nothing here is served."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header

from api.schemas.webhook_messages import (
    BillIssued,
    CorrectionIssued,
    MeterOffline,
    PaymentPosted,
    RunBlocked,
)

Id = Annotated[
    str,
    Header(alias="webhook-id", description="The same at every try and replay: drop a second one."),
]
Timestamp = Annotated[
    int,
    Header(
        alias="webhook-timestamp",
        description="Unix time of this try: refuse what is more than five minutes off.",
    ),
]
Signature = Annotated[
    str,
    Header(
        alias="webhook-signature",
        description=(
            "One or more of `v1,` and base64, parted by spaces; one that fits is enough. It is the "
            "HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.` and the body as it came, with what "
            "base64 says after `whsec_` in the webhook's secret as the key (Standard Webhooks)."
        ),
    ),
]

messages = APIRouter(
    tags=["webhooks"],
    responses={
        "2XX": {"description": "It has arrived. Answer within 20 seconds, without a redirect."},
        "410": {"description": "Nothing more is wanted: the webhook is switched off."},
        "default": {"description": "It is tried again, nine times within four days."},
    },
)


@messages.post("bill.issued", operation_id="told_bill_issued", status_code=204)
def bill_issued(message: Id, at: Timestamp, signature: Signature, body: BillIssued) -> None:
    """Hear that a bill is issued."""


@messages.post("correction.issued", operation_id="told_correction_issued", status_code=204)
def correction_issued(
    message: Id, at: Timestamp, signature: Signature, body: CorrectionIssued
) -> None:
    """Hear that a bill is issued which corrects lines of earlier ones."""


@messages.post("payment.posted", operation_id="told_payment_posted", status_code=204)
def payment_posted(message: Id, at: Timestamp, signature: Signature, body: PaymentPosted) -> None:
    """Hear that a payment is posted, over whatever channel it came."""


@messages.post("run.blocked", operation_id="told_run_blocked", status_code=204)
def run_blocked(message: Id, at: Timestamp, signature: Signature, body: RunBlocked) -> None:
    """Hear that a run waits for people to decide."""


@messages.post("meter.offline", operation_id="told_meter_offline", status_code=204)
def meter_offline(message: Id, at: Timestamp, signature: Signature, body: MeterOffline) -> None:
    """Hear that a meter has fallen silent."""
