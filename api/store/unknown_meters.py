"""Meters that report to a gateway and stand on no list: what came from each, and how often.

A gateway that works from its own settings file never pulls a list, so that what is on its list here
says nothing of what it knows, and nobody can be adopted from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from api import tables
from api.store import device_lists, gateways
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from api.store.device_lists import Way

UNKNOWN = "unknown-meter"
PREFIX = "mqtt:"


class OwnSettingsError(ValueError):
    """The gateway works from its own settings file: a list would not reach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A topic under which somebody reports whom nobody has stated. `content` came last."""

    gateway: str
    topic: str
    messages: int
    first_at: datetime
    last_at: datetime
    content: bytes
    adoptable: bool
    """Whether its gateway takes its list from here."""


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
    on_their_own = {each.name for each in gateways.gateways(connection) if each.has_own_settings}
    listed = [
        (way.gateway, str(way.settings["topic"]).split("/"))
        for way in device_lists.ways(connection)
        if way.bus is None and way.gateway not in on_their_own
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
            adoptable=row.gateway not in on_their_own,
        )
        for row in rows
    ]
    return [each for each in found if not is_listed(each)][:limit]


def adopt(connection: Connection, way: Way, *, actor: str, now: datetime) -> None:
    """Put an unknown meter on its gateway's list; raises what `device_lists.put_meter` raises.

    Raises `OwnSettingsError` where the gateway would never pull that list.
    """
    gateway = gateways.gateway(connection, way.gateway)
    if gateway is not None and gateway.has_own_settings:
        raise OwnSettingsError(
            told(
                "gateway '{gateway}' works from its settings file: add an [[mqtt.meter]] "
                "with topic '{topic}' there and reload it",
                gateway=way.gateway,
                topic=way.settings["topic"],
            )
        )
    device_lists.put_meter(connection, way, actor=actor, now=now)


def _covers(stated: str, level: str) -> bool:
    """Return whether a level of a listed topic is `level`: `+` and `{identity}` are any."""
    return stated in ("+", level) or stated.startswith("{")
