"""Runs that are computed in the background: who asked, how far it is, and what came of it.

How far a job is stands in its run: a month is a draft until it is computed and committed. So what a
worker had done when it was lost is done, and another goes on with the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from billing import tables
from billing.store import runs
from billing.store.ids import insert
from billing.work_tables import run_job
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

OPEN = ("waiting", "working")


class UnknownJobError(LookupError):
    """No job has this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A computation that somebody asked for: `done` of `total` months are committed."""

    id: int
    project: int
    run_id: int
    state: str
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    problem: str | None
    done: int
    total: int

    @property
    def is_open(self) -> bool:
        """Whether something is still to come of it."""
        return self.state in OPEN


def add(connection: Connection, run_id: int, *, actor: str, now: datetime) -> Job:
    """Store what `actor` asks for, and return it; the job of a run that is open stays the one."""
    found = newest(connection, run_id)
    if found is not None and found.is_open:
        return found
    job_id = insert(
        connection, run_job, bill_run_id=run_id, state="waiting", asked_by=actor, asked_at=now
    )
    return read(connection, job_id)


def read(connection: Connection, job_id: int) -> Job:
    """Return a job; raise `UnknownJobError`."""
    row = connection.execute(_jobs().where(run_job.c.id == job_id)).one_or_none()
    if row is None:
        raise UnknownJobError(told("there is no job {job}", job=job_id))
    return _job(row)


def newest(connection: Connection, run_id: int) -> Job | None:
    """Return what was last asked for about a run, None for nothing."""
    query = _jobs().where(run_job.c.bill_run_id == run_id).order_by(run_job.c.id.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _job(row)


def take(connection: Connection, *, now: datetime, lost: datetime) -> Job | None:
    """Take the oldest job that waits, or whose worker was not heard of since `lost`."""
    may_be_taken = or_(
        run_job.c.state == "waiting",
        and_(run_job.c.state == "working", run_job.c.seen_at < lost),
    )
    job_id = connection.scalar(
        select(run_job.c.id).where(may_be_taken).order_by(run_job.c.id).limit(1)
    )
    if job_id is None:
        return None
    taken = connection.execute(
        run_job.update()
        .where(run_job.c.id == job_id, may_be_taken)
        .values(state="working", begun_at=func.coalesce(run_job.c.begun_at, now), seen_at=now)
    )
    return read(connection, job_id) if taken.rowcount else None


def hear(connection: Connection, job_id: int, *, now: datetime) -> None:
    """Note that the worker of a job is alive."""
    mine = run_job.c.id == job_id, run_job.c.state == "working"
    connection.execute(run_job.update().where(*mine).values(seen_at=now))


def end(connection: Connection, job_id: int, *, problem: str | None, now: datetime) -> None:
    """Say what came of a job: done, or failed with `problem`."""
    connection.execute(
        run_job.update()
        .where(run_job.c.id == job_id)
        .values(state="done" if problem is None else "failed", problem=problem, ended_at=now)
    )


def _jobs() -> Select[Any]:
    part = tables.community_run
    mine = part.c.bill_run_id == run_job.c.bill_run_id, part.c.state.not_in(runs.LEFT)
    total = select(func.count()).where(*mine).scalar_subquery()
    done = select(func.count()).where(*mine, part.c.state != "draft").scalar_subquery()
    run = tables.bill_run
    return select(run_job, run.c.project_id, total.label("total"), done.label("done")).join(
        run, run.c.id == run_job.c.bill_run_id
    )


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        project=row.project_id,
        run_id=row.bill_run_id,
        state=row.state,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        begun_at=row.begun_at,
        ended_at=row.ended_at,
        problem=row.problem,
        done=0 if row.state == "waiting" else row.done,
        total=row.total,
    )
