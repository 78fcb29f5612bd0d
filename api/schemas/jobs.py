"""Work in the background as `/v1` answers it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.values import Answer

if TYPE_CHECKING:
    from billing.store import jobs


class Job(Answer):
    """A run that is computed in the background."""

    id: int
    run: int
    state: Literal["waiting", "working", "done", "failed"]
    done: int = Field(description="Months of communities that are computed and kept.")
    total: int
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    problem: str | None = Field(description="What made it fail.")

    @classmethod
    def of(cls, job: jobs.Job) -> Job:
        return cls(
            id=job.id,
            run=job.run_id,
            state=job.state,
            done=job.done,
            total=job.total,
            asked_by=job.asked_by,
            asked_at=job.asked_at,
            begun_at=job.begun_at,
            ended_at=job.ended_at,
            problem=job.problem,
        )
