"""Compute the communities of a run, each by itself: here, in processes, or on many machines.

A worker opens the database and the archive by itself, so what travels is only which community. A
community is one transaction: whoever computes it twice, because a worker died or a command was
given again, finds what is committed, and leaves it alone where the same comes out. That is what
makes it happen once, whatever the executor promises.
"""

from __future__ import annotations

import logging
import pickle
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from billing.apportionment import ConservationError
from billing.database import Database
from billing.money import OverflowInMoneyError
from billing.problem import Problem
from billing.rating.subjects import SubjectsError
from billing.run import Parked, UnbalancedError, compute
from billing.store import records, registry, results, runs
from meters.archive.open import open_archive
from meters.catalog import shipped
from meters.quantity import InexactQuantityError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from typing import Self

    from sqlalchemy import Connection

    from billing.backend import RunBackend
    from billing.registry import Registry
    from billing.run import Computed
    from billing.store.results import Laid
    from billing.store.runs import Run
    from meters.archive.protocol import Archive
    from meters.meter_type import MeterType

_LOG = logging.getLogger(__name__)

IN_FLIGHT = 64
"""Communities handed out at once: enough that no worker waits, and little is lost with one."""
DEATHS_IN_A_ROW = 5
"""How often workers may die without a community done in between: then it is no accident."""

COMPUTABLE = ("draft", "computed", "blocked")
"""The states of a run whose communities may be computed."""

_VIOLATIONS = (
    ConservationError,
    InexactQuantityError,
    OverflowInMoneyError,
    SubjectsError,
    UnbalancedError,
)
"""What the core raises rather than make a wrong bill."""


class WorkersDieError(RuntimeError):
    """Workers die one after another, and nothing is computed."""


class Sources(NamedTuple):
    """What a community is computed from, and where its result goes."""

    database: Database
    archive: Archive
    types: Mapping[str, MeterType]


class Opening(Protocol):
    """How a worker comes to its sources; what goes to other processes can be pickled."""

    def __call__(self) -> Sources: ...


@dataclass(frozen=True, slots=True)
class Given:
    """Sources that are open already: for communities that are computed in line."""

    sources: Sources

    def __call__(self) -> Sources:
        return self.sources


@dataclass(frozen=True, slots=True)
class Site:
    """Sources by URL, which a process opens once; with the meter types that are not shipped."""

    database_url: str
    archive_url: str
    own_types: bytes

    @classmethod
    def of(cls, database_url: str, archive_url: str, types: Mapping[str, MeterType]) -> Self:
        """Return the site that bills with `types`."""
        known = shipped()
        own = {name: each for name, each in types.items() if known.get(name) != each}
        return cls(database_url, archive_url, pickle.dumps(own))

    def __call__(self) -> Sources:
        return _opened(self)


@lru_cache(maxsize=1)
def _opened(site: Site) -> Sources:
    own = pickle.loads(site.own_types)  # noqa: S301  `Site.of` of the run's own command wrote it
    return Sources(
        Database(site.database_url), open_archive(site.archive_url), {**shipped(), **own}
    )


class Workers(NamedTuple):
    """Who computes communities: a backend, and how each of its processes comes to its sources."""

    backend: RunBackend
    opening: Opening


@dataclass(frozen=True, slots=True)
class Task:
    """One community of a run, as it travels to a worker."""

    run_id: int
    part_id: int
    community_id: int
    period: str


def compute_communities(run: Run, workers: Workers) -> None:
    """Compute and commit every community of `run`.

    A community whose worker died is handed out again. Raises `WorkersDieError` where that does not
    help, and what a worker raised otherwise; what was committed until then stays.
    """
    waiting = [Task(run.id, part.id, part.community_id, run.period) for part in run.communities]
    waiting.reverse()
    deaths = 0
    while waiting:
        unfinished = len(waiting)
        lost = _hand_out(waiting, workers)
        waiting.extend(lost)
        deaths = deaths + 1 if len(waiting) == unfinished else 0
        if deaths == DEATHS_IN_A_ROW:
            raise WorkersDieError(
                f"run {run.id}: {deaths} times one after another a worker died before it had done "
                f"a community, {len(waiting)} are left; is there enough memory?"
            )


def compute_community(opening: Opening, task: Task) -> None:
    """Compute one community and commit what comes out, or what stands in the way.

    Where the same is committed already, nothing is written.
    """
    database, archive, types = opening()
    with database.snapshot() as connection:
        seen = registry.read(connection, task.community_id, task.period)
    result = _made_of(seen, archive, types)
    if isinstance(result, Parked):
        _commit(database, task, None, problems=result.problems)
        return
    laid = results.lay_out(task.part_id, result)
    bills, total = len(result.bills), sum(bill.total for bill in result.bills)
    _commit(database, task, laid, bills=bills, total=total, digest=laid.digest)


def _commit(database: Database, task: Task, laid: Laid | None, **result: Any) -> None:
    """Store what was made of a community in one transaction, unless the same is there already."""
    with database.transaction() as connection:
        state, digest = runs.lock_part(connection, task.run_id, task.part_id)
        runs.assert_state(task.run_id, state, "compute", *COMPUTABLE)
        if laid is not None and _is_stored(connection, task.part_id, laid, digest):
            return
        results.replace(connection, task.part_id, laid)
        runs.record_result(connection, task.part_id, **result)


def _is_stored(connection: Connection, part_id: int, laid: Laid, digest: str | None) -> bool:
    """Return whether the part was computed to the same, and nobody has touched it since."""
    return laid.digest == digest == records.community_digest(connection, part_id)


def _hand_out(waiting: list[Task], workers: Workers) -> list[Task]:
    """Hand out what is in `waiting` until a worker dies; return what was lost with it."""
    flying: dict[Future[None], Task] = {}
    lost: list[Task] = []
    try:
        while flying or (waiting and not lost):
            while waiting and len(flying) < IN_FLIGHT and not lost:
                future = workers.backend.submit(compute_community, workers.opening, waiting[-1])
                flying[future] = waiting.pop()
                if future.done():
                    break
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                task = flying.pop(future)
                try:
                    future.result()
                except BrokenExecutor as error:
                    _LOG.warning("a worker died: %s", error)
                    lost.append(task)
    finally:
        for future in flying:
            future.cancel()
    return lost


def _made_of(seen: Registry, archive: Archive, types: Mapping[str, MeterType]) -> Computed | Parked:
    """Return what a run makes of a community; a violated invariant parks it alone."""
    try:
        return compute(seen, archive, types)
    except _VIOLATIONS as error:
        _LOG.exception("%s %s cannot be billed", seen.code, seen.period.key)
        kind = type(error).__name__.removesuffix("Error")
        return Parked(seen, (Problem(kind, seen.code, str(error)),))
