"""What is asked of gateways and of people, as `/v1` takes and answers it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.gateways import Code, Text
from api.schemas.values import Answer, Quantity
from api.store.questions import Cause
from meters.quantity import plain

if TYPE_CHECKING:
    from api.store.gateway_requests import Request
    from api.store.questions import Open


class RequestOfGateway(Answer):
    """Something that the gateway is to do."""

    id: int
    kind: str = Field(description="`read` or `rebase`.")
    meter: str
    detail: dict[str, Any]


class Requests(Answer):
    """What waits for the gateway; `devices` is the tag of the list that it should have."""

    devices: str
    requests: list[RequestOfGateway]


class RegisterRead(BaseModel):
    """What one register answered."""

    register_name: Code = Field(alias="register")
    value: Annotated[str, Field(max_length=60)] | None = None
    unit: Annotated[str, Field(max_length=20)] = ""
    raw: Annotated[str, Field(max_length=200)] = ""
    verdict: Code
    reasons: Annotated[list[Code], Field(max_length=20)] = []


class GatewayAnswer(BaseModel):
    """What came of a request: registers, or the reason why there is nothing."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"done": False, "error": "no answer within 1.5 s"}]},
    )

    done: bool
    error: Text | None = None
    time: datetime | None = None
    registers: Annotated[list[RegisterRead], Field(max_length=500)] = []


class ReadRequest(Answer):
    """A request to read a meter now."""

    id: int
    meter: str
    gateway: str
    state: str = Field(
        description="`waiting`, `taken`, `answered`, `not-taken` (the gateway is offline) or"
        " `not-answered`."
    )
    asked_by: str
    asked_at: datetime
    answered_at: datetime | None
    answer: dict[str, Any] | None

    @classmethod
    def of(cls, request: Request, *, now: datetime) -> ReadRequest:
        return cls(
            id=request.id,
            meter=request.meter,
            gateway=request.gateway,
            state=request.state(now).value,
            asked_by=request.asked_by,
            asked_at=request.asked_at,
            answered_at=request.answered_at,
            answer=None if request.answer is None else dict(request.answer),
        )


class QuestionShown(Answer):
    """A counter that fell and stays there, and what somebody has said to it."""

    gateway: str
    meter: str
    register_name: str = Field(serialization_alias="register")
    unit: str
    likely: str
    known: Quantity
    known_at: datetime
    first: Quantity
    since: datetime
    value: Quantity
    time: datetime
    readings: int
    answered: str | None = Field(description="The cause that somebody gave already.")

    @classmethod
    def of(cls, found: Open) -> QuestionShown:
        asked = found.question
        return cls(
            gateway=found.gateway,
            meter=asked.meter,
            register_name=asked.register,
            unit=asked.unit,
            likely=asked.likely,
            known=plain(asked.known),
            known_at=asked.known_at,
            first=plain(asked.first),
            since=asked.since,
            value=plain(asked.value),
            time=asked.time,
            readings=asked.readings,
            answered=None if found.answer is None else found.answer.cause.value,
        )


class QuestionAnswer(BaseModel):
    """Why a counter fell."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "meter": "W-1-201",
                    "register": "volume",
                    "cause": "reset",
                    "reason": "The fitter set it to zero on 3 November; note 17.",
                }
            ]
        },
    )

    meter: Code
    register_name: Code = Field(alias="register")
    cause: Cause
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class AnswerKept(Answer):
    """The number of the answer in the record."""

    id: int
