"""Meters, their readings and quarantine as `/v1` answers them."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import Field

from api.schemas.values import Answer, Quantity, Title, titles
from meters.quantity import plain

if TYPE_CHECKING:
    from api.freshness import MeterState, Newest
    from api.store.gateways import Held


class NewestReading(Answer):
    """The newest reading of a register."""

    register_name: str = Field(serialization_alias="register")
    time: datetime
    value: Quantity | None
    unit: str
    raw: str
    verdict: str
    reasons: list[str]

    @classmethod
    def of(cls, newest: Newest) -> NewestReading:
        reading = newest.reading
        return cls(
            register_name=newest.register,
            time=reading.time,
            value=None if reading.value is None else plain(reading.value),
            unit=newest.unit,
            raw=reading.raw,
            verdict=reading.verdict.name.lower(),
            reasons=[str(reason) for reason in reading.reasons],
        )


class Meter(Answer):
    """A meter where it stands, with the newest reading of each billing register."""

    meter: str
    meter_type: str
    medium: str
    point: str
    unit: str | None
    community: Title
    freshness: str = Field(description="`fresh`, `late`, `silent` or `never`.")
    age_s: int | None
    newest: list[NewestReading]

    @classmethod
    def of(cls, state: MeterState) -> Meter:
        return cls(
            meter=state.standing.meter,
            meter_type=state.standing.meter_type,
            medium=state.standing.medium,
            point=state.standing.point,
            unit=state.standing.unit,
            community=titles(state.standing.community),
            freshness=state.freshness.value,
            age_s=None if state.age is None else int(state.age.total_seconds()),
            newest=[NewestReading.of(each) for each in state.newest],
        )


class QuarantineItem(Answer):
    """Something that could not be understood, as it was received."""

    id: int
    gateway: str
    received_at: datetime
    source: str
    reason: str
    detail: str
    content_base64: str

    @classmethod
    def of(cls, held: Held) -> QuarantineItem:
        return cls(
            id=held.id,
            gateway=held.gateway,
            received_at=held.entry.received_at,
            source=held.entry.source,
            reason=held.entry.reason,
            detail=held.entry.detail,
            content_base64=base64.b64encode(held.entry.content).decode(),
        )
