"""Billed usage in the database: what opens the next period, and what the year has used so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from billing import tables
from billing.canonical import read_json
from billing.evidence import read_register
from billing.registry import Issued

if TYPE_CHECKING:
    from meters.interval import Period


def issued_before(
    connection: Connection, community_id: int, period: Period
) -> dict[tuple[int, str], Issued]:
    """Return what issued bills say before `period`, by point id and register name."""
    usage, point = tables.usage, tables.point
    run, community_run = tables.bill_run, tables.community_run
    issued = (
        select(usage)
        .join(community_run, community_run.c.id == usage.c.community_run_id)
        .join(run, run.c.id == community_run.c.bill_run_id)
        .join(point, point.c.id == usage.c.point_id)
        .where(point.c.community_id == community_id, run.c.state == "issued")
    )
    closing = {
        (row.point_id, row.register): read_register(
            read_json(row.evidence)["segments"][-1]["closing"]
        )
        for row in connection.execute(issued.where(usage.c.end == period.interval.start))
    }
    used = _year_to_date(connection, community_id, period)
    return {key: Issued(closing.get(key), used.get(key, 0)) for key in closing.keys() | used.keys()}


def _year_to_date(
    connection: Connection, community_id: int, period: Period
) -> dict[tuple[int, str], int]:
    year = period.year_to_date()
    if year is None:
        return {}
    usage, point = tables.usage, tables.point
    run, community_run = tables.bill_run, tables.community_run
    rows = connection.execute(
        select(usage.c.point_id, usage.c.register, func.sum(usage.c.quantity))
        .join(community_run, community_run.c.id == usage.c.community_run_id)
        .join(run, run.c.id == community_run.c.bill_run_id)
        .join(point, point.c.id == usage.c.point_id)
        .where(
            point.c.community_id == community_id,
            run.c.state == "issued",
            usage.c.start >= year.interval.start,
            usage.c.end <= year.interval.end,
        )
        .group_by(usage.c.point_id, usage.c.register)
    )
    return {(point_id, register): int(total) for point_id, register, total in rows}
