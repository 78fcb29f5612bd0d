"""Meters, gateways and quarantine as `/v1` takes and answers them."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from api.gateway_report import Device, Entry, Report, Tally
from api.schemas.values import Answer, Quantity, Title, titles
from meters.interval import utc
from meters.quantity import plain

if TYPE_CHECKING:
    from api.freshness import MeterState, Newest
    from api.store.gateways import Gateway, Held

MAX_DEVICES = 10_000
MAX_ITEMS = 1_000

Instant = Annotated[datetime, AfterValidator(utc)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Text = Annotated[str, Field(max_length=2000)]
Code = Annotated[str, Field(min_length=1, max_length=200)]


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


class TallyBody(BaseModel):
    """Messages since the gateway's spool began: received is the sum of the others."""

    model_config = ConfigDict(extra="ignore")

    received: Count
    stored: Count
    duplicate: Count
    quarantined: Count
    spooled: Count


class DeviceBody(BaseModel):
    """A meter as its gateway sees it."""

    model_config = ConfigDict(extra="ignore")

    meter: Code
    type: Code
    state: Code
    last_answer: Instant | None = None
    failures: Count = 0
    error: Text | None = None


class ItemBody(BaseModel):
    """Something that a gateway received and could not understand."""

    model_config = ConfigDict(extra="ignore")

    id: Count
    received_at: Instant
    source: Text
    reason: Code
    detail: Text
    content_base64: Annotated[str, Field(max_length=128 * 1024)]

    def entry(self) -> Entry:
        return Entry(
            number=self.id,
            received_at=self.received_at,
            source=self.source,
            reason=self.reason,
            detail=self.detail,
            content=base64.b64decode(self.content_base64),
        )

    @model_validator(mode="after")
    def _is_base64(self) -> ItemBody:
        try:
            base64.b64decode(self.content_base64, validate=True)
        except binascii.Error as error:
            raise ValueError(f"content_base64 is not Base64: {error}") from error
        return self


class GatewayReport(BaseModel):
    """What a gateway tells about itself.

    Keys that are not known here are left aside: a newer gateway can report to an older server.
    """

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "gateway": "gw-1",
                    "sent_at": "2026-11-01T00:05:00Z",
                    "version": "0.1.0",
                    "tally": {
                        "received": 12,
                        "stored": 9,
                        "duplicate": 1,
                        "quarantined": 1,
                        "spooled": 1,
                    },
                    "devices": [
                        {
                            "meter": "E-101",
                            "type": "eastron-sdm120",
                            "state": "online",
                            "last_answer": "2026-11-01T00:04:58Z",
                            "failures": 0,
                            "error": None,
                        }
                    ],
                    "quarantine": [],
                }
            ]
        },
    )

    gateway: Code
    sent_at: Instant
    version: Code
    tally: TallyBody
    devices: Annotated[list[DeviceBody], Field(max_length=MAX_DEVICES)] = []
    quarantine: Annotated[list[ItemBody], Field(max_length=MAX_ITEMS)] = []

    @model_validator(mode="after")
    def _each_meter_once(self) -> GatewayReport:
        if len({each.meter for each in self.devices}) < len(self.devices):
            raise ValueError("a meter is listed twice in devices")
        return self

    def report(self) -> Report:
        """Return the report as the store takes it."""
        return Report(
            gateway=self.gateway,
            sent_at=self.sent_at,
            version=self.version,
            tally=Tally(**self.tally.model_dump()),
            devices=tuple(
                Device(
                    meter=each.meter,
                    meter_type=each.type,
                    state=each.state,
                    last_answer=each.last_answer,
                    failures=each.failures,
                    error=each.error,
                )
                for each in self.devices
            ),
            quarantine=tuple(each.entry() for each in self.quarantine),
        )


class ReportReceived(Answer):
    """Up to which of its own numbers the gateway's quarantine is kept here; null for none."""

    quarantine_upto: int | None


class GatewayState(Answer):
    """A gateway by its latest report."""

    gateway: str
    sent_at: datetime
    received_at: datetime
    version: str
    tally: dict[str, int]
    unaccounted: int = Field(description="Messages that are nowhere; 0 unless something is wrong.")

    @classmethod
    def of(cls, gateway: Gateway) -> GatewayState:
        tally = gateway.tally
        counts: dict[str, Any] = {
            "received": tally.received,
            "stored": tally.stored,
            "duplicate": tally.duplicate,
            "quarantined": tally.quarantined,
            "spooled": tally.spooled,
        }
        return cls(
            gateway=gateway.name,
            sent_at=gateway.sent_at,
            received_at=gateway.received_at,
            version=gateway.version,
            tally=counts,
            unaccounted=tally.unaccounted,
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
