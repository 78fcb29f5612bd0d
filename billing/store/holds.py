"""What is held in a run: units and buildings that it leaves out, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, or_, select

from billing import tables
from billing.canonical import canonical_json
from billing.store import runs
from billing.store.ids import insert
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from billing.problem import Problem
    from billing.store.runs import Run


class UnknownPlaceError(LookupError):
    """A community has no such building or unit."""


class HeldError(ValueError):
    """A place is held already, or is not."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A building or a unit that a run leaves out, by code; the other one is None."""

    community: str
    building: str | None
    unit: str | None
    reason: str
    held_by: str
    held_at: datetime


def add(
    connection: Connection,
    run_id: int,
    community_id: int,
    *,
    building: str | None,
    unit: str | None,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Hold a building or a unit of a community in a run."""
    building_id, unit_id = _place(connection, community_id, building=building, unit=unit)
    if _found(connection, run_id, building_id=building_id, unit_id=unit_id):
        raise HeldError(
            told("{what} is held in run {run} already", what=building or unit, run=run_id)
        )
    insert(
        connection,
        tables.hold,
        bill_run_id=run_id,
        community_id=community_id,
        building_id=building_id,
        unit_id=unit_id,
        reason=reason,
        held_by=actor,
        held_at=now,
    )


def remove(
    connection: Connection,
    run_id: int,
    community_id: int,
    *,
    building: str | None,
    unit: str | None,
) -> None:
    """Let a run bill a building or a unit again."""
    building_id, unit_id = _place(connection, community_id, building=building, unit=unit)
    hold_id = _found(connection, run_id, building_id=building_id, unit_id=unit_id)
    if hold_id is None:
        raise HeldError(told("{what} is not held in run {run}", what=building or unit, run=run_id))
    connection.execute(delete(tables.hold).where(tables.hold.c.id == hold_id))


def release_community(connection: Connection, run: Run, community: str) -> None:
    """Let a run bill a community that it left out, unless another run has its month by now."""
    parts = [each for each in run.communities if each.community == community]
    if not parts:
        raise UnknownPlaceError(
            told("run {run} has no community '{community}'", run=run.id, community=community)
        )
    for part in parts:
        if part.state != "held":
            raise HeldError(
                told("{community} is not held in run {run}", community=community, run=run.id)
            )
        if runs.taken(connection, part.community_id, part.period) is not None:
            raise HeldError(
                told(
                    "another run has {month} of {community} by now",
                    month=part.period,
                    community=community,
                )
            )
        _release_part(connection, part.id)


def of_run(connection: Connection, run_id: int) -> list[Hold]:
    """Return what is held in a run, in the order in which it was."""
    hold, community = tables.hold, tables.community
    building, unit = tables.building, tables.unit
    rows = connection.execute(
        select(
            community.c.code.label("community"),
            building.c.code.label("building"),
            unit.c.code.label("unit"),
            *(hold.c.reason, hold.c.held_by, hold.c.held_at),
        )
        .join(community, community.c.id == hold.c.community_id)
        .outerjoin(building, building.c.id == hold.c.building_id)
        .outerjoin(unit, unit.c.id == hold.c.unit_id)
        .where(hold.c.bill_run_id == run_id)
        .order_by(hold.c.id)
    )
    return [Hold(**row._asdict()) for row in rows]


def units(connection: Connection, run_id: int, community_id: int) -> frozenset[str]:
    """Return the codes of the units of a community that a run leaves out."""
    hold, unit = tables.hold, tables.unit
    return frozenset(
        connection.scalars(
            select(unit.c.code)
            .join(hold, or_(hold.c.unit_id == unit.c.id, hold.c.building_id == unit.c.building_id))
            .where(hold.c.bill_run_id == run_id, hold.c.community_id == community_id)
        )
    )


def unbilled(
    connection: Connection, community_id: int, *, before: str
) -> dict[str, tuple[str, str]]:
    """Return the units that were left out of the months before `before` and are not billed since.

    Each with the first month that it is not billed in, and the reason.
    """
    hold, unit = tables.hold, tables.unit
    found: dict[str, tuple[str, str]] = {}
    for period, part in sorted(runs.counting(connection, community_id, before=before).items()):
        rows = connection.execute(
            select(unit.c.code, hold.c.reason)
            .join(hold, or_(hold.c.unit_id == unit.c.id, hold.c.building_id == unit.c.building_id))
            .where(hold.c.bill_run_id == part.run_id, hold.c.community_id == community_id)
            .order_by(hold.c.id)
        )
        for code, reason in rows:
            found.setdefault(code, (period, reason))
    return found


def hold_part(connection: Connection, part_id: int, problem: Problem) -> None:
    """Take a month of a community out of its run, which another run can bill then."""
    part = tables.community_run
    connection.execute(
        part.update()
        .where(part.c.id == part_id)
        .values(
            state="held",
            problems=canonical_json([problem.document()]),
            anomalies="[]",
            bills=0,
            total=0,
            digest=None,
        )
    )


def _release_part(connection: Connection, part_id: int) -> None:
    """Take a month of a community that was left out back into its run, as a draft."""
    part = tables.community_run
    connection.execute(
        part.update().where(part.c.id == part_id).values(state="draft", problems="[]")
    )


def _place(
    connection: Connection, community_id: int, *, building: str | None, unit: str | None
) -> tuple[int | None, int | None]:
    """Return the ids of a building or a unit: of exactly one of them."""
    if (building is None) == (unit is None):
        raise UnknownPlaceError(told("name either a building or a unit"))
    table, code = (tables.unit, unit) if building is None else (tables.building, building)
    found = connection.scalar(
        select(table.c.id).where(table.c.community_id == community_id, table.c.code == code)
    )
    if found is None:
        raise UnknownPlaceError(
            told("the community has no unit '{code}'", code=code)
            if building is None
            else told("the community has no building '{code}'", code=code)
        )
    return (None, found) if building is None else (found, None)


def _found(
    connection: Connection, run_id: int, *, building_id: int | None, unit_id: int | None
) -> int | None:
    hold = tables.hold
    found: int | None = connection.scalar(
        select(hold.c.id).where(
            hold.c.bill_run_id == run_id,
            hold.c.building_id.is_(None)
            if building_id is None
            else hold.c.building_id == building_id,
            hold.c.unit_id.is_(None) if unit_id is None else hold.c.unit_id == unit_id,
        )
    )
    return found
