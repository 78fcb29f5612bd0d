"""Billed usage as people see it, with the registers and raw words that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, or_, select

from billing import tables
from billing.canonical import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Row

    from billing.store.views.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageView:
    """What a point consumed. `quantity`: 10⁻⁴ of `unit`; `evidence`: segments and findings."""

    point: str
    medium: str
    register: str
    start: datetime
    end: datetime
    quantity: int
    unit: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledUsage:
    """A usage with the bill that it stands on; `id` is the usage's."""

    id: int
    bill: str
    period: str
    unit_code: str
    usage: UsageView


@dataclass(frozen=True, slots=True)
class After:
    """Where the page before ended: the last usage's period and id."""

    period: str
    id: int


def usage_view(row: Row[*tuple[Any, ...]]) -> UsageView:
    """Return the usage in a row of `usage` joined with `point`, its columns named as below."""
    return UsageView(
        point=row.point,
        medium=row.medium,
        register=row.register,
        start=row.start,
        end=row.end,
        quantity=row.used,
        unit=row.used_unit,
        evidence=read_json(row.usage_evidence),
    )


def billed(
    connection: Connection, scope: Scope, *, limit: int, after: After | None = None
) -> list[BilledUsage]:
    """Return the usages that bills in `scope` count, the newest period first.

    Through bills and not through units: who moved in later does not see who lived there before.
    """
    bill, line, usage, point = tables.bill, tables.bill_line, tables.usage, tables.point
    unit, part, run = tables.unit, tables.community_run, tables.bill_run
    query = (
        select(
            usage.c.id,
            usage.c.register,
            usage.c.start,
            usage.c.end,
            usage.c.quantity.label("used"),
            usage.c.unit.label("used_unit"),
            usage.c.evidence.label("usage_evidence"),
            point.c.code.label("point"),
            point.c.medium,
            bill.c.number,
            bill.c.period,
            unit.c.code.label("unit_code"),
        )
        .distinct()
        .join(line, line.c.usage_id == usage.c.id)
        .join(bill, bill.c.id == line.c.bill_id)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .join(unit, unit.c.id == bill.c.unit_id)
        .join(point, point.c.id == usage.c.point_id)
        .where(*scope.conditions())
        .order_by(bill.c.period.desc(), usage.c.id)
        .limit(limit)
    )
    if after is not None:
        same = and_(bill.c.period == after.period, usage.c.id > after.id)
        query = query.where(or_(bill.c.period < after.period, same))
    return [
        BilledUsage(
            id=row.id,
            bill=row.number,
            period=row.period,
            unit_code=row.unit_code,
            usage=usage_view(row),
        )
        for row in connection.execute(query, scope.values)
    ]
