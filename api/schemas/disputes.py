"""Disputes of bill lines, as `/v1` takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.values import Answer, Money, Month, Title, money, titles
from billing.disputes import LONGEST, OF_THE_OWNER, SHORTEST, DisputeState

if TYPE_CHECKING:
    from api.principal import Principal
    from billing.disputes import Dispute, Word

Text = Annotated[
    str, Field(min_length=SHORTEST, max_length=LONGEST, description="It is kept for ever.")
]


class NewDispute(BaseModel):
    """What somebody who pays asks about a line."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "Nobody was at home in October"}]},
    )

    reason: Text


class DisputeAnswer(BaseModel):
    """What is said to it, by staff or by whoever asked."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "An engineer looks at the meter on Monday"}]},
    )

    text: Text


class DisputeAccepted(BaseModel):
    """Why a dispute is accepted, and the run that corrects its line, where there is one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "The register was read wrong", "run": 7}]},
    )

    text: Text
    run: Annotated[int | None, Field(ge=1, lt=2**63)] = None


class DisputeWord(Answer):
    """What was said with a step."""

    state: DisputeState = Field(description="That the dispute came into with it.")
    text: str
    by: str | None = Field(description="Null for staff where an owner asks.")
    at: datetime

    @classmethod
    def of(cls, word: Word, *, people: bool) -> DisputeWord:
        shown = people or word.state in OF_THE_OWNER
        return cls(state=word.state, text=word.text, by=word.by if shown else None, at=word.at)


class LineNamed(Answer):
    """A line by its bill."""

    bill: str = Field(examples=["osmanthus-2026-10-0007"])
    line: int


class DisputeShown(Answer):
    """A dispute with everything that was said."""

    id: int
    state: DisputeState
    bill: str = Field(examples=["osmanthus-2026-10-0007"])
    line: int
    period: Month
    community: Title
    unit: str = Field(examples=["1-201"])
    amount: Money = Field(description="What the line asks for; nobody is reminded of it meanwhile.")
    currency: str = Field(examples=["CNY"])
    words: list[DisputeWord]
    run: int | None = Field(description="The run that was named to correct it.")
    corrected_by: LineNamed | None = Field(
        description="The issued line that took the disputed one back."
    )

    @classmethod
    def of(cls, found: Dispute, caller: Principal) -> DisputeShown:
        people = caller.accounts is None
        mended = found.mended_by
        return cls(
            id=found.id,
            state=found.state,
            bill=found.bill,
            line=found.position,
            period=found.period,
            community=titles(found.community),
            unit=found.unit,
            amount=money(found.amount),
            currency=found.currency,
            words=[DisputeWord.of(word, people=people) for word in found.words],
            run=found.run_id,
            corrected_by=None if mended is None else LineNamed(bill=mended[0], line=mended[1]),
        )
