"""Bill runs as `/v1` takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.statements import StatementSummary
from api.schemas.values import Answer, Money, Month, money
from api.telling import said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.language import Language
    from billing.anomalies import Anomaly
    from billing.problem import Problem
    from billing.store.holds import Hold
    from billing.store.runs import CommunityRun
    from billing.store.runs import Run as RunRow
    from billing.store.views.runs import RunHead
    from billing.store.views.shares import Borne
    from billing.store.views.statements import StatementHead


class NewRun(BaseModel):
    """A run to create: a month that has ended, and the communities to bill."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"period": "2026-10", "communities": ["osmanthus"]}]},
    )

    period: Month
    communities: Annotated[list[str], Field(min_length=1, max_length=1000)]


class Seen(BaseModel):
    """What an approver has looked at."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"digest": "5f2c…"}]})

    digest: Annotated[str, Field(max_length=64, description="The run's digest, as you saw it.")]


Reason = Annotated[
    str, Field(min_length=3, max_length=1000, description="Why; it stands in the audit log.")
]
Code = Annotated[str, Field(min_length=1, max_length=64)]


class Place(BaseModel):
    """A building or a unit of a community: one of both."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"community": "osmanthus", "unit": "1-201"}]},
    )

    community: Code
    building: Code | None = None
    unit: Code | None = None


class NewHold(Place):
    """What to leave out of a run: a building, a unit, or with neither the whole community."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"community": "osmanthus", "building": "b1", "reason": "Leak searched"}]
        },
    )

    reason: Reason


class Withdrawal(BaseModel):
    """Why a run ends that is not issued."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "The tariff was wrong"}]}
    )

    reason: Reason


class RunSummary(Answer):
    """A run in a list."""

    id: int
    period: Month
    state: str = Field(
        description="`draft`, `computed`, `blocked`, `reviewed`, `approved`, `issued` or "
        "`withdrawn`."
    )
    communities: int
    bills: int
    total: Money
    created_by: str
    created_at: datetime
    issued_at: datetime | None

    @classmethod
    def of(cls, head: RunHead) -> RunSummary:
        return cls(
            id=head.id,
            period=head.period,
            state=head.state,
            communities=head.communities,
            bills=head.bills,
            total=money(head.total),
            created_by=head.created_by,
            created_at=head.created_at,
            issued_at=head.issued_at,
        )


class ProblemOfRun(Answer):
    """Something that keeps a community from being billed, and what to do about it."""

    kind: str = Field(description="Stays as it is in every language.")
    subject: str
    text: str = Field(description="In the language of `Accept-Language`, else English.")

    @classmethod
    def of(cls, problem: Problem, language: Language) -> ProblemOfRun:
        text = said(problem.text, language) or problem.text
        return cls(kind=problem.kind, subject=problem.subject, text=text)


class AnomalyOfRun(Answer):
    """Something unusual that a reviewer should look at; it keeps nothing from being billed."""

    community: str
    period: Month
    unit: str
    kind: str = Field(
        description="`zero`, `high` (more than three times the median), `estimated`, `missing`, "
        "`new` or `negative`."
    )
    subject: str = Field(description="The charge, the point and register, the bill, or the pool.")
    text: str

    @classmethod
    def of(cls, part: CommunityRun, anomaly: Anomaly) -> AnomalyOfRun:
        return cls(
            community=part.community,
            period=part.period,
            unit=anomaly.unit,
            kind=str(anomaly.kind),
            subject=anomaly.subject,
            text=anomaly.text,
        )


class HoldOfRun(Answer):
    """A building or a unit that a run leaves out."""

    community: str
    building: str | None
    unit: str | None
    reason: str
    held_by: str
    held_at: datetime

    @classmethod
    def of(cls, hold: Hold) -> HoldOfRun:
        return cls(
            community=hold.community,
            building=hold.building,
            unit=hold.unit,
            reason=hold.reason,
            held_by=hold.held_by,
            held_at=hold.held_at,
        )


class CommunityOfRun(Answer):
    """What a run made of one community."""

    community: str
    state: str
    bills: int
    total: Money
    digest: str | None
    problems: list[ProblemOfRun]

    @classmethod
    def of(cls, part: CommunityRun, language: Language) -> CommunityOfRun:
        return cls(
            community=part.community,
            state=part.state,
            bills=part.bills,
            total=money(part.total),
            digest=part.digest,
            problems=[ProblemOfRun.of(each, language) for each in part.problems],
        )


class Run(Answer):
    """A run with its communities and pool statements, and who did what when."""

    id: int
    period: Month
    state: str
    digest: str | None
    created_by: str
    created_at: datetime
    computed_by: str | None
    computed_at: datetime | None
    reviewed_by: str | None
    reviewed_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    issued_by: str | None
    issued_at: datetime | None
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    withdrawn_because: str | None
    communities: list[CommunityOfRun]
    holds: list[HoldOfRun]
    statements: list[StatementSummary]

    @classmethod
    def whole(
        cls,
        run: RunRow,
        statements: Sequence[StatementHead],
        borne: Mapping[int, Borne],
        holds: Sequence[Hold],
        language: Language,
    ) -> Run:
        return cls(
            id=run.id,
            period=run.period,
            state=run.state,
            digest=run.digest,
            created_by=run.created_by,
            created_at=run.created_at,
            computed_by=run.computed_by,
            computed_at=run.computed_at,
            reviewed_by=run.reviewed_by,
            reviewed_at=run.reviewed_at,
            approved_by=run.approved_by,
            approved_at=run.approved_at,
            issued_by=run.issued_by,
            issued_at=run.issued_at,
            withdrawn_by=run.withdrawn_by,
            withdrawn_at=run.withdrawn_at,
            withdrawn_because=run.reason,
            communities=[CommunityOfRun.of(part, language) for part in run.communities],
            holds=[HoldOfRun.of(each) for each in holds],
            statements=[StatementSummary.of(head, borne[head.id]) for head in statements],
        )
