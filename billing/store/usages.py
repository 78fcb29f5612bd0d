"""Billed usage in the database: what opens the next period, and what each month has used."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from billing import tables
from billing.canonical import read_json
from billing.evidence import read_register
from billing.registry import Issued

if TYPE_CHECKING:
    from meters.interval import Period
    from meters.register_at import RegisterAt


def issued_before(
    connection: Connection, community_id: int, period: Period
) -> dict[tuple[int, str], Issued]:
    """Return what issued bills say before `period`, by point id and register name."""
    evidence = closings_before(connection, community_id, period)
    closings = {key: closing(text) for key, text in evidence.items()}
    used = _by_month(connection, community_id, period)
    return {
        key: Issued(closings.get(key), used.get(key, {})) for key in closings.keys() | used.keys()
    }


def closings_before(
    connection: Connection, community_id: int, period: Period
) -> dict[tuple[int, str], str]:
    """Return the evidence of issued usage that ends where `period` starts, by the same key."""
    usage = tables.usage
    run, community_run = tables.bill_run, tables.community_run
    rows = connection.execute(
        select(usage.c.point_id, usage.c.register, usage.c.evidence)
        .join(community_run, community_run.c.id == usage.c.community_run_id)
        .join(run, run.c.id == community_run.c.bill_run_id)
        .where(
            community_run.c.community_id == community_id,
            run.c.state == "issued",
            community_run.c.period == period.previous.key,
            usage.c.end == period.interval.start,
        )
    )
    return {(point_id, register): text for point_id, register, text in rows}


def closing(evidence: str) -> RegisterAt:
    """Return the register that a usage closed with, from its evidence."""
    return read_register(read_json(evidence)["segments"][-1]["closing"])


def _by_month(
    connection: Connection, community_id: int, period: Period
) -> dict[tuple[int, str], dict[str, int]]:
    """Return what was billed in each earlier month of the calendar year, 10⁻⁴ units."""
    usage = tables.usage
    run, community_run = tables.bill_run, tables.community_run
    rows = connection.execute(
        select(
            usage.c.point_id,
            usage.c.register,
            community_run.c.period,
            func.sum(usage.c.quantity),
        )
        .join(community_run, community_run.c.id == usage.c.community_run_id)
        .join(run, run.c.id == community_run.c.bill_run_id)
        .where(
            community_run.c.community_id == community_id,
            run.c.state == "issued",
            community_run.c.period >= period.first.strftime("%Y-01"),
            community_run.c.period < period.key,
        )
        .group_by(usage.c.point_id, usage.c.register, community_run.c.period)
        .order_by(community_run.c.period)
    )
    found: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for point_id, register, month, total in rows:
        found[point_id, register][month] = int(total)
    return found
