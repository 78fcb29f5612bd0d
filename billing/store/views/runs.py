"""Bill runs as lists show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from billing import tables
from billing.canonical import read_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """A run in one line. `total` in fen."""

    id: int
    kind: str
    period: str
    state: str
    created_by: str
    created_at: datetime
    issued_at: datetime | None
    communities: int
    bills: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunityView:
    """A community that can be billed, and the last month that was."""

    id: int
    code: str
    title: Mapping[str, str]
    zone: str
    currency: str
    last_issued: str | None


@dataclass(frozen=True, slots=True)
class Building:
    """A building of a community."""

    code: str
    title: Mapping[str, str]


def heads(connection: Connection, *, limit: int, before_id: int | None = None) -> list[RunHead]:
    """Return runs, the newest first, those before `before_id`."""
    run, part = tables.bill_run, tables.community_run
    query = (
        select(
            run,
            func.count(part.c.community_id.distinct()).label("communities"),
            func.coalesce(func.sum(part.c.bills), 0).label("bills"),
            func.coalesce(func.sum(part.c.total), 0).label("total"),
        )
        .outerjoin(part, part.c.bill_run_id == run.c.id)
        .group_by(*run.c)
        .order_by(run.c.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(run.c.id < before_id)
    return [
        RunHead(
            id=row.id,
            kind=row.kind,
            period=row.period,
            state=row.state,
            created_by=row.created_by,
            created_at=row.created_at,
            issued_at=row.issued_at,
            communities=row.communities,
            bills=int(row.bills),
            total=int(row.total),
        )
        for row in connection.execute(query)
    ]


def communities(connection: Connection) -> list[CommunityView]:
    """Return every community by code."""
    community, run, part = tables.community, tables.bill_run, tables.community_run
    last = (
        select(func.max(part.c.period))
        .join(run, run.c.id == part.c.bill_run_id)
        .where(part.c.community_id == community.c.id, run.c.state == "issued")
        .scalar_subquery()
    )
    query = select(community, last.label("last_issued")).order_by(community.c.code)
    return [
        CommunityView(
            id=row.id,
            code=row.code,
            title=read_json(row.title),
            zone=row.zone,
            currency=row.currency,
            last_issued=row.last_issued,
        )
        for row in connection.execute(query)
    ]


def zone(connection: Connection) -> ZoneInfo:
    """Return the zone of the project's first community, by which days are told that are of none."""
    community = tables.community
    found = connection.scalar(select(community.c.zone).order_by(community.c.code).limit(1))
    return ZoneInfo(found or "UTC")


def buildings(connection: Connection, community_ids: Collection[int]) -> dict[int, list[Building]]:
    """Return the buildings of communities, by their ids; each list by code."""
    table = tables.building
    found: dict[int, list[Building]] = {each: [] for each in community_ids}
    query = (
        select(table.c.community_id, table.c.code, table.c.title)
        .where(table.c.community_id.in_(sorted(community_ids)))
        .order_by(table.c.code)
    )
    for community_id, code, title in connection.execute(query):
        found[community_id].append(Building(code, read_json(title)))
    return found
