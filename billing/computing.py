"""Compute the communities of a run, each by itself: here, in processes, or on many machines.

A worker opens the database and the archive by itself, so what travels is only which community. A
community is one transaction: whoever computes it twice, because a worker died, finds what is
committed, and leaves it alone where the same comes out. That is what makes it happen once, whatever
the executor promises. A part of a run is a draft until then, so a run that was cut off goes on with
the drafts that are left.
"""

from __future__ import annotations

import logging
import pickle
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, wait
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from billing.charging import VanishedLineError
from billing.database import Database
from billing.money import OverflowInMoneyError
from billing.pools.apportionment import ConservationError
from billing.problem import Problem
from billing.rating.subjects import SubjectsError
from billing.restating import restate
from billing.run import Parked, UnbalancedError, compute
from billing.store import records, revisions, runs
from billing.store.revisions import Month
from billing.uncollected import uncollected
from meters.archive.open import open_archive
from meters.catalog import shipped
from meters.quantity import InexactQuantityError
from meters.told import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from typing import Self

    from sqlalchemy import Connection

    from billing.backend import RunBackend
    from billing.registry import Registry
    from billing.run import Computed
    from billing.store.revisions import Outcome, Seen
    from billing.store.runs import Run
    from meters.archive.protocol import Archive
    from meters.meter_type import MeterType

_LOG = logging.getLogger(__name__)

IN_FLIGHT = 64
"""Communities handed out at once: enough that no worker waits, and little is lost with one."""
DEATHS_IN_A_ROW = 5
"""How often workers may die without a community done in between: then it is no accident."""

COMPUTABLE = ("draft", "computed", "blocked", "reviewed")
"""The states of a run whose communities may be computed."""

_VIOLATIONS = (
    ConservationError,
    InexactQuantityError,
    OverflowInMoneyError,
    SubjectsError,
    UnbalancedError,
    VanishedLineError,
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
    """One community of a run, with the months that it has there, as it travels to a worker."""

    run_id: int
    community_id: int
    months: tuple[Month, ...]


def compute_communities(run: Run, workers: Workers) -> None:
    """Compute and commit every community of `run` that is a draft.

    A community whose worker died is handed out again. Raises `WorkersDieError` where that does not
    help, and what a worker raised otherwise; what was committed until then stays.
    """
    waiting = _tasks(run)
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


@uncollected()
def compute_community(opening: Opening, task: Task) -> None:
    """Compute one community and commit what comes out, or what stands in the way.

    Where the same is committed already, nothing is written.
    """
    database, archive, types = opening()
    with database.snapshot() as connection:
        seen = revisions.read(connection, task.run_id, task.community_id, task.months)
    found = revisions.outcomes(seen, made_of(seen, archive, types))
    with database.transaction() as connection:
        states = [runs.lock_part(connection, task.run_id, each.part_id) for each in task.months]
        runs.assert_state(task.run_id, states[0][0], *COMPUTABLE)
        if all(
            _is_stored(connection, each, digest)
            for each, (_, digest) in zip(found, states, strict=True)
        ):
            runs.confirm(connection, [each.part_id for each in task.months])
        else:
            revisions.store(connection, found)


def made_of(
    seen: Seen, archive: Archive, types: Mapping[str, MeterType]
) -> tuple[Computed | Parked, ...]:
    """Return what comes of each month; a violated invariant parks the community alone."""

    def make(registry: Registry) -> Computed | Parked:
        try:
            return compute(registry, archive, types, held=seen.held, unbilled=seen.unbilled)
        except _VIOLATIONS as error:
            _LOG.exception("%s %s cannot be billed", registry.code, registry.period.key)
            kind = type(error).__name__.removesuffix("Error")
            return Parked(registry, (Problem(kind, registry.code, text_of(error)),))

    return tuple(restate(seen.registries, make))


def has_drafts(run: Run) -> bool:
    """Return whether a community of `run` is still to be computed."""
    return any(part.state == "draft" for part in run.communities)


def _tasks(run: Run) -> list[Task]:
    """Return the communities of `run` that are drafts, with their months in order."""
    months: dict[int, list[Month]] = {}
    for part in run.communities:
        if part.state == "draft":
            found = months.setdefault(part.community_id, [])
            found.append(Month(part.id, part.period, part.revision))
    return [Task(run.id, community_id, tuple(found)) for community_id, found in months.items()]


def _is_stored(connection: Connection, outcome: Outcome, digest: str | None) -> bool:
    """Return whether a month was computed to the same, and nobody has touched it since."""
    if outcome.laid is None or outcome.corrects:
        return False
    part_id = outcome.month.part_id
    return outcome.laid.digest == digest == records.community_digest(connection, part_id)


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
                except (BrokenExecutor, CancelledError):
                    lost.append(task)
    finally:
        for future in flying:
            future.cancel()
    if lost:
        _LOG.warning("a worker died; %d communities are handed out again", len(lost))
    return lost
