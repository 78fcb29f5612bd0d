"""Meters that have fallen silent: told of once each time, by what their gateways report."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select

from api import tables
from billing import tables as billing_tables
from billing.delivery.event import Event, Kind
from billing.delivery_tables import event
from billing.store import delivery_outbox

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.database import Database

OFFLINE_AFTER = timedelta(hours=1)
"""For how long a meter has not answered whose gateway says that it should have."""
GATEWAY_SILENT_AFTER = timedelta(days=1)
"""After how long without a report nobody knows of a gateway's meters any more."""


def tell_of_silent_meters(database: Database, *, now: datetime) -> int:
    """Write an event of each installed meter that has fallen silent; return how many.

    One that answers again and then falls silent again is told of again.
    """
    with database.snapshot() as connection:
        found = _silent(connection, now)
        query = select(event.c.key).where(event.c.kind == Kind.METER_OFFLINE.value)
        known = set(connection.scalars(query)) if found else set()
    news = [each for each in found if each.key not in known]
    if news:
        with database.transaction() as connection:
            for each in news:
                delivery_outbox.tell(connection, each)
    return len(news)


def _silent(connection: Connection, now: datetime) -> list[Event]:
    """Return an event of each installed meter that is silent, told of or not."""
    device, report = tables.gateway_device, tables.gateway_report
    installation, point = billing_tables.installation, billing_tables.point
    silent = or_(
        and_(device.c.state != "ok", device.c.last_answer < now - OFFLINE_AFTER),
        and_(
            report.c.received_at < now - GATEWAY_SILENT_AFTER,
            device.c.last_answer < now - GATEWAY_SILENT_AFTER,
        ),
    )
    rows = connection.execute(
        select(
            *(device.c.meter, device.c.gateway, device.c.last_answer, device.c.error),
            *(point.c.code, point.c.community_id, billing_tables.community.c.code.label("at")),
        )
        .join(report, report.c.gateway == device.c.gateway)
        .join(installation, installation.c.meter == device.c.meter)
        .join(point, point.c.id == installation.c.point_id)
        .join(billing_tables.community, billing_tables.community.c.id == point.c.community_id)
        .where(
            silent,
            installation.c.start <= now,
            or_(installation.c.end.is_(None), installation.c.end > now),
        )
        .order_by(device.c.meter)
    ).all()
    return [
        Event(
            kind=Kind.METER_OFFLINE,
            subject=row.meter,
            occasion=row.last_answer.isoformat(),
            at=now,
            data={
                "meter": row.meter,
                "gateway": row.gateway,
                "community": row.at,
                "point": row.code,
                "last_answer": row.last_answer.isoformat(),
                "error": row.error,
            },
            community_id=row.community_id,
        )
        for row in rows
    ]
