"""What engineers tell gateways to read, as `/v1` takes and answers it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.gateways import Code
from api.schemas.values import Answer

if TYPE_CHECKING:
    from api.guesses import Guess
    from api.store.unknown_meters import Unknown
    from meters.meter_type import MeterType

GATEWAY_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
GatewayName = Annotated[str, Field(pattern=rf"^{GATEWAY_NAME.pattern}$")]


class NewGateway(BaseModel):
    """A gateway to be."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"gateway": "gw-1"}]},
    )

    gateway: GatewayName


class Enrolment(Answer):
    """What a gateway needs to enrol. The token is shown this once."""

    gateway: str
    token: str
    expires_at: datetime


class EnrolmentToken(BaseModel):
    """What a gateway shows to get its key."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "tg_enrol_1hU7…kQ"}]})

    token: Annotated[str, Field(min_length=20, max_length=200)]


class GatewayKey(Answer):
    """The gateway's own key. It is shown this once."""

    gateway: str
    key: str


class DeviceListBody(Answer):
    """A gateway's list: tables of a gateway's settings file, as JSON."""

    gateway: str
    bus: list[dict[str, Any]]
    mqtt: dict[str, list[dict[str, Any]]]
    types: dict[str, str] = Field(description="Meter types that are not shipped, as TOML.")


class BusBody(BaseModel):
    """A bus, with the keys of `[[bus]]` in a gateway's settings file but its name and devices."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"host": "10.0.0.7", "port": 502, "timeout_s": "1.5"}]},
    )


class MeterWay(BaseModel):
    """How a meter is read: as a unit of a bus, or by the topic that it reports under."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"type": "eastron-sdm120", "bus": "b1", "unit": 7},
                {"type": "wmbusmeters-water", "topic": "wmbusmeters/kitchen"},
            ]
        },
    )

    type: Code
    bus: Code | None = None
    unit: Annotated[int, Field(ge=0, le=255)] | None = None
    topic: Code | None = None
    identity: Code | None = None

    def settings(self) -> dict[str, Any]:
        """Return the keys of the meter's table."""
        return self.model_dump(exclude={"bus"}, exclude_none=True)


class UnknownMeter(Answer):
    """A topic under which a meter reports that is on no list."""

    gateway: str
    topic: str
    messages: int
    first_at: datetime
    last_at: datetime
    adoptable: bool = Field(
        description="Whether its gateway takes its list from here; else state it in the gateway's"
        " settings file."
    )
    guesses: list[dict[str, Any]] = Field(
        description="The types that understand its last message, with what it says by each."
    )

    @classmethod
    def of(cls, unknown: Unknown, guesses: list[Guess]) -> UnknownMeter:
        return cls(
            gateway=unknown.gateway,
            topic=unknown.topic,
            messages=unknown.messages,
            first_at=unknown.first_at,
            last_at=unknown.last_at,
            adoptable=unknown.adoptable,
            guesses=[
                {
                    "type": each.meter_type.id,
                    "identity": each.identity,
                    "registers": {shown.register: shown.value for shown in each.registers},
                }
                for each in guesses
            ],
        )


class Adoption(BaseModel):
    """An unknown meter gets a name and a type."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "gateway": "gw-1",
                    "topic": "wmbusmeters/kitchen",
                    "meter": "W-1-201",
                    "type": "wmbusmeters-water",
                }
            ]
        },
    )

    gateway: GatewayName
    topic: Code
    meter: Code
    type: Code
    identity: Code | None = None


class MeterTypeFile(BaseModel):
    """A meter type's TOML file."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"document": 'kind = "meter-type"\nid = "our-meter"\n…'}]},
    )

    document: Annotated[str, Field(min_length=1, max_length=200_000)]


class MeterTypeSummary(Answer):
    """A meter type of the catalogue."""

    id: str
    name: str
    manufacturer: str
    medium: str
    registers: list[str]
    uploaded: bool

    @classmethod
    def of(cls, meter_type: MeterType, *, uploaded: bool) -> MeterTypeSummary:
        return cls(
            id=meter_type.id,
            name=meter_type.name,
            manufacturer=meter_type.manufacturer,
            medium=meter_type.medium,
            registers=list(meter_type.registers),
            uploaded=uploaded,
        )


class Changed(Answer):
    """What was changed, and the tag that the gateway's list has now."""

    gateway: str
    tag: str
