"""What waits for a clerk's decision, and decisions, as `/v1` takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.runs import Code, Reason
from api.schemas.values import Answer, Instant, Month
from billing.vee.reviews import Decision

if TYPE_CHECKING:
    from billing.vee.reviews import Item

Figure = Annotated[str, Field(max_length=40, description="An exact number.", examples=["312.4"])]


class ReviewItem(Answer):
    """Something that validation found in a run that is not issued."""

    community: str
    period: Month
    point: str
    register_name: str
    finding: str
    blocks: bool = Field(description="Whether it keeps the use from being billed.")
    text: str

    @classmethod
    def of(cls, community: str, period: str, item: Item) -> ReviewItem:
        return cls(
            community=community,
            period=period,
            point=item.point,
            register_name=item.register,
            finding=item.finding,
            blocks=item.blocks,
            text=item.text,
        )


class NewReview(BaseModel):
    """A decision about the use of a register in a month.

    `accept` takes a `finding`; `estimate` a `method`; `override` a register's `value` with its
    `at`, or the `use` alone; `withdraw` takes back what was decided.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "community": "osmanthus",
                    "period": "2026-10",
                    "point": "1-201-e",
                    "register_name": "import_energy",
                    "decision": "accept",
                    "finding": "HighUse",
                    "reason": "Air conditioning was installed",
                }
            ]
        },
    )

    community: Code
    period: Month
    point: Code
    register_name: Code
    decision: Decision
    finding: Code | None = None
    method: Code | None = None
    value: Figure | None = None
    at: Instant | None = None
    use: Figure | None = None
    reason: Reason


class Decided(Answer):
    """A decision that is kept. It counts when the run of its month is computed again."""

    id: int
    decision: Decision
    author: str
    made_at: datetime
