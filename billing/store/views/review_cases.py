"""One register that waits for a clerk: what was found, the use in question, what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, or_, select

from billing import tables
from billing.store import reviews, runs
from billing.store.views.usages import UsageView, usage_view
from meters.interval import Period

if TYPE_CHECKING:
    from datetime import datetime

    from billing.vee.reviews import Item, Review


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A register of a point in a month, of the run that is open, else of what is issued.

    `usages` are empty where something keeps the month from being computed; `meters` are those that
    stood at the point in the month, the first one first.
    """

    community: str
    run_id: int
    issued_at: datetime | None
    """When the month's bills were issued: what is decided since then counts in a correction."""
    period: Period
    point: str
    unit: str | None
    register: str
    items: tuple[Item, ...]
    usages: tuple[UsageView, ...]
    meters: tuple[str, ...]
    decided: tuple[Review, ...]


def case(
    connection: Connection, *, community: str, period: str, point: str, register: str
) -> Case | None:
    """Return the case of a register, None where no run has such a point and month."""
    table, part, run = tables.point, tables.community_run, tables.bill_run
    owner, unit = tables.community, tables.unit
    row = connection.execute(
        select(
            part.c.id.label("part_id"),
            run.c.id.label("run_id"),
            run.c.issued_at,
            table.c.id.label("point_id"),
            owner.c.id.label("community_id"),
            owner.c.zone,
            unit.c.code.label("unit"),
        )
        .join(run, run.c.id == part.c.bill_run_id)
        .join(owner, owner.c.id == part.c.community_id)
        .join(table, table.c.community_id == owner.c.id)
        .outerjoin(unit, unit.c.id == table.c.unit_id)
        .where(
            owner.c.code == community,
            part.c.period == period,
            table.c.code == point,
            part.c.state.not_in(runs.LEFT),
        )
        .order_by(part.c.revision.desc())
    ).first()
    if row is None:
        return None
    month = Period.month(period, ZoneInfo(row.zone))
    items = reviews.items(connection, row.part_id)
    decided = reviews.decided(connection, row.community_id, period)
    return Case(
        community=community,
        run_id=row.run_id,
        issued_at=row.issued_at,
        period=month,
        point=point,
        unit=row.unit,
        register=register,
        items=tuple(each for each in items if (each.point, each.register) == (point, register)),
        usages=_usages(connection, row.part_id, row.point_id, register),
        meters=_meters(connection, row.point_id, month),
        decided=tuple(each for each in decided if (each.point, each.register) == (point, register)),
    )


def _usages(
    connection: Connection, part_id: int, point_id: int, register: str
) -> tuple[UsageView, ...]:
    usage, point = tables.usage, tables.point
    rows = connection.execute(
        select(
            usage.c.register,
            usage.c.start,
            usage.c.end,
            usage.c.quantity.label("used"),
            usage.c.unit.label("used_unit"),
            usage.c.evidence.label("usage_evidence"),
            point.c.code.label("point"),
            point.c.medium,
        )
        .join(point, point.c.id == usage.c.point_id)
        .where(
            usage.c.community_run_id == part_id,
            usage.c.point_id == point_id,
            usage.c.register == register,
            usage.c.joined.is_(False),
        )
        .order_by(usage.c.start)
    )
    return tuple(map(usage_view, rows))


def _meters(connection: Connection, point_id: int, month: Period) -> tuple[str, ...]:
    installation = tables.installation
    return tuple(
        connection.scalars(
            select(installation.c.meter)
            .where(
                installation.c.point_id == point_id,
                installation.c.start < month.interval.end,
                or_(installation.c.end.is_(None), installation.c.end > month.interval.start),
            )
            .order_by(installation.c.start)
        )
    )
