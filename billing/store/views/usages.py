"""Billed usage as people see it, with the registers and raw words that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, or_, select

from billing import tables
from billing.canonical import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from billing.store.views.scope import Scope

_MOST = 8192
"""How many bills are looked at in one question at most."""
_ENDED = 2**63 - 1
"""An id that no usage has: nothing of a bill comes after it."""


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
    bill_id: int
    bill: str
    period: str
    unit_code: str
    zone: ZoneInfo
    usage: UsageView


@dataclass(frozen=True, slots=True)
class After:
    """Where the page before ended: the last usage's period, bill and id."""

    period: str
    bill_id: int
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
    """Return the usages that bills in `scope` count, the newest period first, bill by bill.

    Through bills and not through units: who moved in later does not see who lived there before.
    """
    found: list[BilledUsage] = []
    many = limit
    while True:
        bills = _bills(connection, scope, many, after)
        found += _of_bills(connection, [each.id for each in bills], limit - len(found), after)
        if len(found) == limit or len(bills) < many:
            return found
        after = After(bills[-1].period, bills[-1].id, _ENDED)
        many = min(many * 4, _MOST)  # bills may count no usage


def _bills(
    connection: Connection, scope: Scope, limit: int, after: After | None
) -> Sequence[Row[int, str]]:
    """Return the ids and periods of bills: that of `after`, which may have more, and the next."""
    bill, part, run = tables.bill, tables.community_run, tables.bill_run
    query = (
        select(bill.c.id, bill.c.period)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(*scope.conditions())
        .order_by(bill.c.period.desc(), bill.c.id)
        .limit(limit)
    )
    if after is not None:
        same = and_(bill.c.period == after.period, bill.c.id >= after.bill_id)
        query = query.where(or_(bill.c.period < after.period, same))
    return connection.execute(query, scope.values).all()


def _of_bills(
    connection: Connection, bill_ids: Sequence[int], limit: int, after: After | None
) -> list[BilledUsage]:
    """Return the first usages that bills count, in the order of those."""
    bill, line, usage, point = tables.bill, tables.bill_line, tables.usage, tables.point
    unit, community = tables.unit, tables.community
    counted = (
        select(line.c.bill_id, line.c.usage_id)
        .distinct()
        .where(line.c.bill_id.in_(bill_ids), line.c.usage_id.is_not(None))
    )
    if after is not None:
        counted = counted.where(or_(line.c.bill_id != after.bill_id, line.c.usage_id > after.id))
    of_bill = counted.subquery()
    rows = connection.execute(
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
            bill.c.id.label("bill_id"),
            bill.c.number,
            bill.c.period,
            unit.c.code.label("unit_code"),
            community.c.zone,
        )
        .join(of_bill, of_bill.c.usage_id == usage.c.id)
        .join(bill, bill.c.id == of_bill.c.bill_id)
        .join(unit, unit.c.id == bill.c.unit_id)
        .join(community, community.c.id == unit.c.community_id)
        .join(point, point.c.id == usage.c.point_id)
        .order_by(bill.c.period.desc(), bill.c.id, usage.c.id)
        .limit(limit)
    )
    return [
        BilledUsage(
            id=row.id,
            bill_id=row.bill_id,
            bill=row.number,
            period=row.period,
            unit_code=row.unit_code,
            zone=ZoneInfo(row.zone),
            usage=usage_view(row),
        )
        for row in rows
    ]
