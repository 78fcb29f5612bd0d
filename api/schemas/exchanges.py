"""The exchange of a meter, as `/v1` takes it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.gateways import Code
from api.schemas.values import Answer, Instant
from billing.store.exchange import Exchange
from meters.definition import Exact

MeterCode = Annotated[str, Field(pattern=r"^[\w.\-/]{1,64}$")]
Registers = Annotated[dict[Code, Exact], Field(min_length=1, max_length=50)]
Photo = Annotated[str, Field(min_length=1, max_length=200)]


class NewExchange(BaseModel):
    """A new meter took the place of an old one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "at": "2026-11-15T06:30:00Z",
                    "last": {"import_energy": "5790.1"},
                    "new": "E-2231",
                    "new_type": "eastron-sdm120",
                    "first": {"import_energy": "0.3"},
                    "last_photo": "IMG_2041.jpg",
                }
            ]
        },
    )

    at: Instant
    last: Registers
    new: MeterCode
    new_type: Code
    first: Registers
    multiplier: Annotated[Exact, Field(gt=0, validate_default=True)] = "1"  # type: ignore[assignment]  # exact texts become decimals
    last_photo: Photo | None = None
    first_photo: Photo | None = None
    verified_until: date | None = None
    identity: Code | None = None
    confirmed: bool = Field(
        default=False,
        description="The old meter showed this, though the archive says that it cannot have.",
    )

    def exchange(self, old: str) -> Exchange:
        return Exchange(old=old, **self.model_dump(exclude={"identity", "confirmed"}))


class Exchanged(Answer):
    """Since when the new meter counts."""

    old: str
    new: str
    at: datetime
