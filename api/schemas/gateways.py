"""What gateways report, and how `/v1` tells it on."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.gateway_report import (
    Alarm,
    Device,
    Entry,
    ListState,
    Question,
    Report,
    SpoolState,
    Tally,
)
from api.schemas.values import Answer, Instant
from meters.definition import Exact

if TYPE_CHECKING:
    from api.store.gateways import Gateway

MAX_DEVICES = 10_000
MAX_ITEMS = 1_000
MAX_ALARMS = 100

Count = Annotated[int, Field(ge=0, lt=2**63)]
Text = Annotated[str, Field(max_length=2000)]
Code = Annotated[str, Field(min_length=1, max_length=200)]


class TallyBody(BaseModel):
    """Messages since the gateway's spool began: received is the sum of the others."""

    model_config = ConfigDict(extra="ignore")

    received: Count
    stored: Count
    duplicate: Count
    quarantined: Count
    spooled: Count
    dropped: Count = 0


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


class SpoolBody(BaseModel):
    """How full the gateway's spool is."""

    model_config = ConfigDict(extra="ignore")

    bytes: Count
    quota_bytes: Count | None = None


class AlarmBody(BaseModel):
    """Something at the gateway that a person should look at."""

    model_config = ConfigDict(extra="ignore")

    kind: Code
    detail: Text = ""


class ListBody(BaseModel):
    """The device list that the gateway works from."""

    model_config = ConfigDict(extra="ignore")

    tag: Annotated[str, Field(max_length=200)]
    refused: Text | None = None


class QuestionBody(BaseModel):
    """A counter that contradicts its last good value and goes on from there."""

    model_config = ConfigDict(extra="ignore")

    meter: Code
    register_name: Code = Field(alias="register")
    unit: Code
    likely: Code
    known: Exact
    known_at: Instant
    first: Exact
    since: Instant
    value: Exact
    time: Instant
    readings: Count

    def question(self) -> Question:
        return Question(register=self.register_name, **self.model_dump(exclude={"register_name"}))


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
    spool: SpoolBody | None = None
    device_list: ListBody | None = None
    alarms: Annotated[list[AlarmBody], Field(max_length=MAX_ALARMS)] = []
    questions: Annotated[list[QuestionBody], Field(max_length=MAX_DEVICES)] | None = None

    @model_validator(mode="after")
    def _each_meter_once(self) -> GatewayReport:
        if len({each.meter for each in self.devices}) < len(self.devices):
            raise ValueError("a meter is listed twice in devices")
        asked = {(each.meter, each.register_name) for each in self.questions or ()}
        if len(asked) < len(self.questions or ()):
            raise ValueError("a register is listed twice in questions")
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
            spool=None if self.spool is None else SpoolState(**self.spool.model_dump()),
            listed=None if self.device_list is None else ListState(**self.device_list.model_dump()),
            alarms=tuple(Alarm(**each.model_dump()) for each in self.alarms),
            questions=None
            if self.questions is None
            else tuple(each.question() for each in self.questions),
        )


class ReportReceived(Answer):
    """What the gateway needs to know after a report."""

    quarantine_upto: int | None = Field(
        description="Up to which of its own numbers the gateway's quarantine is kept here."
    )
    now: datetime = Field(description="The time here, to hold the gateway's clock against.")


class GatewayState(Answer):
    """A gateway by its latest report."""

    gateway: str
    sent_at: datetime
    received_at: datetime
    version: str
    tally: dict[str, int]
    unaccounted: int = Field(description="Messages that are nowhere; 0 unless something is wrong.")
    clock_ahead_s: int = Field(description="How far its clock was ahead of ours when it reported.")
    spool: dict[str, int | None] | None
    device_list: dict[str, str | None] | None
    alarms: list[dict[str, str]]

    @classmethod
    def of(cls, gateway: Gateway) -> GatewayState:
        tally = gateway.tally
        counts: dict[str, Any] = asdict(tally)
        return cls(
            gateway=gateway.name,
            sent_at=gateway.sent_at,
            received_at=gateway.received_at,
            version=gateway.version,
            tally=counts,
            unaccounted=tally.unaccounted,
            clock_ahead_s=int(gateway.ahead.total_seconds()),
            spool=None if gateway.spool is None else asdict(gateway.spool),
            device_list=None if gateway.listed is None else asdict(gateway.listed),
            alarms=[asdict(each) for each in gateway.alarms],
        )
