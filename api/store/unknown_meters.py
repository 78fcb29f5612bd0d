"""Meters that report to a gateway and stand on no list: what came from each, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from api import tables
from api.store import device_lists

if TYPE_CHECKING:
    from datetime import datetime

UNKNOWN = "unknown-meter"
PREFIX = "mqtt:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A topic under which somebody reports whom nobody has stated. `content` came last."""

    gateway: str
    topic: str
    messages: int
    first_at: datetime
    last_at: datetime
    content: bytes


def unknown_meters(connection: Connection, *, limit: int = 500) -> list[Unknown]:
    """Return the unknown meters, the one heard last first."""
    table = tables.quarantine
    grouped = (
        select(
            table.c.gateway,
            table.c.source,
            func.count().label("messages"),
            func.min(table.c.received_at).label("first_at"),
            func.max(table.c.id).label("last"),
        )
        .where(table.c.reason == UNKNOWN, table.c.source.startswith(PREFIX))
        .group_by(table.c.gateway, table.c.source)
        .subquery()
    )
    rows = connection.execute(
        select(grouped, table.c.received_at, table.c.content)
        .join(table, table.c.id == grouped.c.last)
        .order_by(table.c.id.desc())
    )
    listed = [
        (way.gateway, str(way.settings["topic"]).split("/"))
        for way in device_lists.ways(connection)
        if way.bus is None
    ]

    def is_listed(each: Unknown) -> bool:
        """Return whether the topic, or one above it, is a meter's by now."""
        levels = each.topic.split("/")
        return any(
            gateway == each.gateway
            and len(stated) <= len(levels)
            and all(map(_covers, stated, levels))
            for gateway, stated in listed
        )

    found = [
        Unknown(
            gateway=row.gateway,
            topic=row.source.removeprefix(PREFIX),
            messages=row.messages,
            first_at=row.first_at,
            last_at=row.received_at,
            content=row.content,
        )
        for row in rows
    ]
    return [each for each in found if not is_listed(each)][:limit]


def _covers(stated: str, level: str) -> bool:
    """Return whether a level of a listed topic is `level`: `+` and `{identity}` are any."""
    return stated in ("+", level) or stated.startswith("{")
