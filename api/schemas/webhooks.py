"""Webhooks as `/v1` takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from api.schemas.values import Answer, Instant
from billing.delivery.event import OUTWARD, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.sealing import Seal
    from billing.store.delivery_webhooks import Attempt, Sent, Webhook

Url = Annotated[
    str,
    Field(
        max_length=1000,
        description="Where to send: https, a public address, no redirect.",
        examples=["https://client.example.com/tallygate"],
    ),
]
Title = Annotated[
    str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="What people call it.")
]


def _outward(kind: Kind) -> Kind:
    if kind not in OUTWARD:
        raise ValueError(f"{kind} is told to nobody outside")
    return kind


OutwardKind = Annotated[
    Kind,
    AfterValidator(_outward),
    WithJsonSchema({"type": "string", "enum": [each.value for each in OUTWARD]}),
]
Events = Annotated[list[OutwardKind], Field(min_length=1, max_length=len(OUTWARD))]

EXAMPLE: dict[str, Any] = {
    "url": "https://client.example.com/tallygate",
    "title": "Payment client",
    "events": ["bill.issued", "payment.posted"],
}


class NewWebhook(BaseModel):
    """A webhook to add."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    url: Url
    title: Title = ""
    events: Events


class ChangedWebhook(NewWebhook):
    """A webhook as it is to be. `on`: whether anything is sent; it also ends `disabled`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{**EXAMPLE, "on": True}]}
    )

    on: bool = True


OVERLAP_HOURS, LONGEST_OVERLAP_HOURS = 24, 24 * 30


class NewSecret(BaseModel):
    """How a secret is replaced: for `overlap_hours` the one before signs too."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    overlap_hours: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_HOURS)] = OVERLAP_HOURS


class Since(BaseModel):
    """From when on everything is sent again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"since": "2026-11-20T00:00:00Z"}]}
    )

    since: Instant


class WebhookShown(Answer):
    """A webhook without its secret. `state`: `on`, `off`, or `disabled` as it failed too long."""

    id: int
    url: str
    title: str
    events: list[str]
    state: str
    failing_since: datetime | None = Field(description="Null while the last message arrived.")
    secret_before_until: datetime | None = Field(
        description="Until when the secret before signs too."
    )
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, webhook: Webhook) -> WebhookShown:
        return cls(**_shown(webhook))


class WebhookWithSecret(WebhookShown):
    """A webhook with the secret that signs what it is sent: keep it where the receiver runs."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])

    @classmethod
    def opened(cls, webhook: Webhook, seal: Seal, now: datetime) -> WebhookWithSecret:
        newest, *_ = webhook.secrets(seal, now)
        return cls(**_shown(webhook), secret=newest)


class DeliveryShown(Answer):
    """A message to a webhook. `state`: `waiting`, `sending`, `sent`, `failed` or `unsure`."""

    id: int
    event: str = Field(examples=["bill.issued"])
    subject: str = Field(description="Which bill, payment, run or meter.")
    at: datetime = Field(description="When it happened.")
    message: str = Field(description="Its `webhook-id`, the same at every try.")
    state: str
    tries: int
    next_at: datetime | None
    done_at: datetime | None

    @classmethod
    def of(cls, sent: Sent) -> DeliveryShown:
        return cls(**_sent(sent))


class AttemptShown(Answer):
    """One try. `said`: `sent`, `failed`, `refused`, `unsure` or `gone`."""

    begun_at: datetime
    ended_at: datetime
    said: str
    status: int | None
    detail: str


class DeliveryWithAttempts(DeliveryShown):
    """A message with what it told and every try to send it."""

    data: dict[str, Any]
    attempts: list[AttemptShown]

    @classmethod
    def told(cls, sent: Sent, tries: Sequence[Attempt]) -> DeliveryWithAttempts:
        attempts = [
            AttemptShown(
                begun_at=each.begun_at,
                ended_at=each.ended_at,
                said=each.said.value,
                status=each.status,
                detail=each.detail,
            )
            for each in tries
        ]
        return cls(**_sent(sent), data=dict(sent.data), attempts=attempts)


class Replayed(Answer):
    """How many messages are sent again."""

    messages: int


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "title": webhook.title,
        "events": [each.value for each in webhook.kinds],
        "state": webhook.state,
        "failing_since": webhook.failing_since,
        "secret_before_until": webhook.secret_before_until,
        "created_by": webhook.created_by,
        "created_at": webhook.created_at,
    }


def _sent(sent: Sent) -> dict[str, Any]:
    return {
        "id": sent.id,
        "event": sent.kind.value,
        "subject": sent.subject,
        "at": sent.at,
        "message": sent.message_id,
        "state": sent.state.value,
        "tries": sent.tries,
        "next_at": sent.next_at,
        "done_at": sent.done_at,
    }
