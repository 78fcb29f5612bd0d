"""Computing runs in the background: asked for by one, done by a worker, found again by anybody.

A worker says every 20 seconds that it is alive. Of one that was not heard of for two minutes
another takes over, and goes on with the communities that are left.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from billing.computing import COMPUTABLE, WorkersDieError
from billing.lifecycle import compute_run
from billing.store import jobs, runs
from meters.archive.protocol import ArchiveUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from billing.computing import Sources
    from billing.database import Database
    from billing.store.jobs import Job

log = logging.getLogger(__name__)

HEARD_EVERY_S = 20
LOST_AFTER = timedelta(minutes=2)

FAILURES = (
    ArchiveUnavailableError,
    LookupError,
    SQLAlchemyError,
    ValueError,
    WorkersDieError,
)
"""What ends a job, and is told to whoever asked for it; of anything else the worker dies."""


def ask(database: Database, *, run_id: int, actor: str, now: datetime) -> Job:
    """Have a run computed in the background; the job that is open already is returned again.

    Raises `UnknownRunError`, and `StateError` where the run cannot be computed.
    """
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        runs.assert_state(run.id, run.state, *COMPUTABLE)
        return jobs.add(connection, run_id, actor=actor, now=now)


def work(
    database: Database, opened: Callable[[Database], Sources], now: Callable[[], datetime]
) -> Job | None:
    """Do the job that has waited longest, and return it as it ended; None where none waits.

    `opened` gives what a run is computed from, of the database as the run's project has it.
    """
    with database.transaction() as connection:
        job = jobs.take(connection, now=now(), lost=now() - LOST_AFTER)
        if job is None:
            return None
        run = runs.read(connection, job.run_id)
    problem = None
    try:
        with _heard(database, job.id, now):
            compute_run(
                *opened(database.within(job.project)),
                run_id=job.run_id,
                actor=job.asked_by,
                now=now(),
                resume=run.state == "draft" and job.done > 0,
            )
    except FAILURES as error:
        log.exception("run %s is not computed", job.run_id)
        problem = str(error)
    with database.transaction() as connection:
        jobs.end(connection, job.id, problem=problem, now=now())
        return jobs.read(connection, job.id)


@contextmanager
def _heard(database: Database, job_id: int, now: Callable[[], datetime]) -> Iterator[None]:
    """Say that this worker is alive, while the block runs."""
    ended = threading.Event()

    def say() -> None:
        while not ended.wait(HEARD_EVERY_S):
            try:
                with database.transaction() as connection:
                    jobs.hear(connection, job_id, now=now())
            except SQLAlchemyError as error:
                log.warning("job %s was not noted to be alive: %s", job_id, error)

    heard = threading.Thread(target=say, name=f"job {job_id}", daemon=True)
    heard.start()
    try:
        yield
    finally:
        ended.set()
        heard.join()
