"""What a person is told of where, as `/v1` takes and answers it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from api.schemas.values import Answer
from billing.delivery.event import OF_OWNERS, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.store.delivery_contacts import Contact

Channel = Literal["email", "sms"]


def _of_owners(kind: Kind) -> Kind:
    if kind not in OF_OWNERS:
        raise ValueError(f"{kind} is told to programs and staff only")
    return kind


OwnerKind = Annotated[
    Kind,
    AfterValidator(_of_owners),
    WithJsonSchema({"type": "string", "enum": [each.value for each in OF_OWNERS]}),
]


class NotificationWish(BaseModel):
    """Where, in which language and of what somebody wants to be told."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"address": "li@example.com", "language": "zh-CN", "events": ["bill.issued"]}
            ]
        },
    )

    address: Annotated[str, Field(min_length=1, max_length=254)]
    language: Literal["zh-CN", "en"] = "zh-CN"
    events: Annotated[list[OwnerKind], Field(min_length=1, max_length=len(OF_OWNERS))]


class NotificationShown(Answer):
    """Where somebody is told of what. Nothing is sent before `confirmed_at`."""

    channel: Channel
    address: str
    language: str
    events: list[str]
    stated_at: datetime
    confirmed_at: datetime | None

    @classmethod
    def of(cls, contact: Contact) -> NotificationShown:
        return cls.model_validate(
            {
                "channel": contact.channel,
                "address": contact.address,
                "language": contact.language,
                "events": [each.value for each in contact.kinds],
                "stated_at": contact.stated_at,
                "confirmed_at": contact.confirmed_at,
            }
        )


class NotificationSettings(Answer):
    """A person's settings, and the channels that this installation has."""

    channels: list[str]
    items: list[NotificationShown]

    @classmethod
    def told(cls, channels: Sequence[str], contacts: Sequence[Contact]) -> NotificationSettings:
        return cls(channels=list(channels), items=[NotificationShown.of(each) for each in contacts])


class Dropped(Answer):
    """Whether there was something to drop."""

    dropped: bool
