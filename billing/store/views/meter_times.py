"""Which meters have belonged to several projects, and when each was whose."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from billing import tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.database import Database


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on a meter belongs to `project`."""

    at: datetime
    project: int


@dataclass(frozen=True, slots=True)
class OwnTimes:
    """When meters belonged to `project`, or to whoever sees all where it is None.

    `changes`: of meters that have stood in several projects, the oldest first. A meter belongs to
    the project where it stands, after it was taken away to the one where it stood last, and before
    it stood anywhere to the first.
    """

    project: int | None = None
    changes: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)

    def is_own(self, meter: str, at: datetime) -> bool:
        """Return whether `meter` belonged to the project at that time."""
        changes = self.changes.get(meter, ())
        if self.project is None or not changes:
            return True
        owner = changes[0].project
        for each in changes:
            if each.at <= at:
                owner = each.project
        return owner == self.project

    def end(self, meter: str) -> datetime | None:
        """Return when `meter` went to another project for good, None where it did not."""
        changes = self.changes.get(meter, ())
        if self.project is None or not changes or changes[-1].project == self.project:
            return None
        ends = [after.at for before, after in pairwise(changes) if before.project == self.project]
        return ends[-1] if ends else None


def own_times_of(database: Database, project: int | None, meter: str | None = None) -> OwnTimes:
    """Return when meters belonged to `project`, whatever `database` sees of the others.

    With `meter` of that alone.
    """
    if project is None:  # who sees all owns all, at any time
        return OwnTimes()
    with database.whole.snapshot() as connection:
        return OwnTimes(project, _changes(connection, meter))


def _changes(connection: Connection, meter: str | None) -> dict[str, tuple[Change, ...]]:
    installation, point, community = tables.installation, tables.point, tables.community
    joined = installation.join(point, point.c.id == installation.c.point_id).join(
        community, community.c.id == point.c.community_id
    )
    several = (
        select(installation.c.meter)
        .select_from(joined)
        .group_by(installation.c.meter)
        .having(func.count(community.c.project_id.distinct()) > 1)
    )
    if meter is not None:
        several = several.where(installation.c.meter == meter)
    rows = connection.execute(
        select(installation.c.meter, installation.c.start, community.c.project_id)
        .select_from(joined)
        .where(installation.c.meter.in_(several))
        .order_by(installation.c.meter, installation.c.start)
    ).all()
    return {
        name: tuple(Change(row.start, row.project_id) for row in found)
        for name, found in groupby(rows, key=lambda row: row.meter)
    }
