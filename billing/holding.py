"""Holding places out of a run, and letting it bill them again: a transaction each.

The others go on; the run is to be computed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.computing import COMPUTABLE
from billing.lifecycle import ReasonError
from billing.problem import Problem
from billing.store import audit, holds, results, runs
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.store.runs import CommunityRun, Run


def hold(
    database: Database,
    *,
    run_id: int,
    community: str,
    building: str | None = None,
    unit: str | None = None,
    reason: str,
    actor: str,
    now: datetime,
) -> Run:
    """Leave a unit, a building, or a whole community out of a run that is not approved yet.

    The others go on; the run is to be computed again. A unit or building is billed by a later
    correction, a community by another run. Raises `ReasonError`, `UnknownPlaceError`, `HeldError`.
    """
    if not reason.strip():
        raise ReasonError(told("say why it is held"))
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        runs.assert_state(run_id, run.state, *COMPUTABLE)
        parts = _parts(run, community)
        if building is None and unit is None:
            if len(parts) == len(_billed(run)):
                raise holds.HeldError(
                    f"run {run_id} bills nothing but {community}; withdraw the run instead"
                )
            for part in parts:
                results.replace(connection, part.id, None)
                holds.hold_part(connection, part.id, Problem("Held", community, reason))
        else:
            place = {"building": building, "unit": unit}
            community_id = parts[0].community_id
            holds.add(
                connection, run_id, community_id, **place, reason=reason, actor=actor, now=now
            )
        runs.redraft(connection, run_id)
        held = {"community": community, "building": building, "unit": unit, "reason": reason}
        _log(connection, "run.hold", run_id, actor, now, **held)
        return runs.read(connection, run_id)


def release(
    database: Database,
    *,
    run_id: int,
    community: str,
    building: str | None = None,
    unit: str | None = None,
    actor: str,
    now: datetime,
) -> Run:
    """Let a run bill what it held, as it was held; it is to be computed again."""
    with database.transaction() as connection:
        run = runs.read(connection, run_id, lock=True)
        runs.assert_state(run_id, run.state, *COMPUTABLE)
        if building is None and unit is None:
            holds.release_community(connection, run, community)
        else:
            community_id = _parts(run, community)[0].community_id
            holds.remove(connection, run_id, community_id, building=building, unit=unit)
        runs.redraft(connection, run_id)
        held = {"community": community, "building": building, "unit": unit}
        _log(connection, "run.release", run_id, actor, now, **held)
        return runs.read(connection, run_id)


def _billed(run: Run) -> list[CommunityRun]:
    return [part for part in run.communities if part.state not in runs.LEFT]


def _parts(run: Run, community: str) -> list[CommunityRun]:
    found = [part for part in _billed(run) if part.community == community]
    if not found:
        raise holds.UnknownPlaceError(f"run {run.id} does not bill {community!r}")
    return found


def _log(
    connection: Connection, action: str, run_id: int, actor: str, now: datetime, **detail: object
) -> None:
    audit.append(
        connection,
        at=now,
        actor=actor,
        action=action,
        subject=f"run:{run_id}",
        detail=detail,
        project=runs.project_of(connection, run_id),
    )
