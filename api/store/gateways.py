"""Reports of gateways: the latest of each, and every item of quarantine that they sent."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from api import tables
from api.gateway_report import Alarm, Device, Entry, ListState, SpoolState, Tally
from api.store import device_lists, questions
from billing.scoping import is_taken

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Table

    from api.gateway_report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway by its latest report."""

    name: str
    sent_at: datetime
    received_at: datetime
    version: str
    tally: Tally
    spool: SpoolState | None
    listed: ListState | None
    alarms: tuple[Alarm, ...]

    @property
    def has_own_settings(self) -> bool:
        """Whether it works from its own settings file, and pulls no device list."""
        return self.listed is None

    @property
    def ahead(self) -> timedelta:
        """How far the gateway's clock was ahead of ours; the report's way is part of it."""
        return self.sent_at - self.received_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An item of quarantine as the API keeps it."""

    id: int
    gateway: str
    entry: Entry


def record(connection: Connection, report: Report, *, now: datetime) -> int | None:
    """Store `report` and return the number up to which the gateway's quarantine is kept here.

    None if nothing of it was ever sent. A report that was sent before the stored one changes
    nothing but the quarantine; the same report again changes nothing. Raises `GatewayExistsError`
    where another project has a gateway of this name.
    """
    device_lists.note_gateway(connection, report.gateway, now=now)
    table = tables.gateway_report
    sent_at = connection.scalar(
        select(table.c.sent_at).where(table.c.gateway == report.gateway).with_for_update()
    )
    # a clock that was ahead and has been set right must not hide what the gateway says since
    if sent_at is None or sent_at <= report.sent_at or sent_at > now:
        _replace(connection, report, now=now)
    for entry in report.quarantine:
        _keep(connection, report.gateway, entry)
    if report.quarantine:
        return max(entry.number for entry in report.quarantine)
    held = tables.quarantine
    query = select(func.max(held.c.entry)).where(held.c.gateway == report.gateway)
    newest = connection.scalar(query)
    return None if newest is None else int(newest)


def is_of_another(connection: Connection, name: str, *, project: int | None) -> bool:
    """Return whether the gateway `name` is of another project than `project`."""
    known = tables.gateway
    query = select(known.c.name).where(known.c.name == name, known.c.project_id == project)
    return connection.scalar(query) is None and is_taken(connection, known.c.name, name)


def gateways(connection: Connection) -> list[Gateway]:
    """Return every gateway that ever reported, by name."""
    table = tables.gateway_report
    return [_gateway(row) for row in connection.execute(select(table).order_by(table.c.gateway))]


def gateway(connection: Connection, name: str) -> Gateway | None:
    """Return the gateway `name` by its latest report, None where it never reported."""
    table = tables.gateway_report
    row = connection.execute(select(table).where(table.c.gateway == name)).one_or_none()
    return None if row is None else _gateway(row)


def devices(
    connection: Connection, *, gateway: str | None = None, of: Collection[str] | None = None
) -> dict[str, tuple[str, Device]]:
    """Return each meter's gateway and what that one says of it, by meter.

    With `gateway` of those that it reports, with `of` of these meters alone.
    """
    table = tables.gateway_device
    query = select(table).order_by(table.c.meter)
    if gateway is not None:
        query = query.where(table.c.gateway == gateway)
    if of is not None:
        query = query.where(table.c.meter.in_(of))
    return {row.meter: (row.gateway, _device(row)) for row in connection.execute(query)}


def device(connection: Connection, meter: str) -> tuple[str, Device] | None:
    """Return the meter's gateway and what that one says of it, None where no gateway knows it."""
    table = tables.gateway_device
    row = connection.execute(select(table).where(table.c.meter == meter)).first()
    return None if row is None else (row.gateway, _device(row))


def quarantine(connection: Connection, *, before_id: int | None = None, limit: int) -> list[Held]:
    """Return items of quarantine, the newest arrivals here first, those before `before_id`."""
    table = tables.quarantine
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(table.c.id < before_id)
    return [
        Held(
            id=row.id,
            gateway=row.gateway,
            entry=Entry(
                number=row.entry,
                received_at=row.received_at,
                source=row.source,
                reason=row.reason,
                detail=row.detail,
                content=row.content,
            ),
        )
        for row in connection.execute(query)
    ]


def quarantined(connection: Connection) -> int:
    """Return how many items are in quarantine."""
    return int(connection.scalar(select(func.count()).select_from(tables.quarantine)) or 0)


def _replace(connection: Connection, report: Report, *, now: datetime) -> None:
    table, device = tables.gateway_report, tables.gateway_device
    values = {
        "sent_at": report.sent_at,
        "received_at": now,
        "version": report.version,
        "tally": json.dumps(asdict(report.tally)),
        "condition": json.dumps(
            {
                "spool": None if report.spool is None else asdict(report.spool),
                "listed": None if report.listed is None else asdict(report.listed),
                "alarms": [asdict(each) for each in report.alarms],
            }
        ),
    }
    if report.questions is not None:
        questions.replace(connection, report.gateway, report.questions)
    connection.execute(
        _insert(connection, table)
        .values(gateway=report.gateway, **values)
        .on_conflict_do_update(index_elements=[table.c.gateway], set_=values)
    )
    connection.execute(delete(device).where(device.c.gateway == report.gateway))
    if report.devices:
        rows = [{"gateway": report.gateway, **asdict(each)} for each in report.devices]
        connection.execute(insert(device), rows)


def _device(row: Row[Any]) -> Device:
    return Device(
        meter=row.meter,
        meter_type=row.meter_type,
        state=row.state,
        last_answer=row.last_answer,
        failures=row.failures,
        error=row.error,
    )


def _gateway(row: Row[Any]) -> Gateway:
    condition = json.loads(row.condition)
    spool, listed = condition.get("spool"), condition.get("listed")
    return Gateway(
        name=row.gateway,
        sent_at=row.sent_at,
        received_at=row.received_at,
        version=row.version,
        tally=Tally(**json.loads(row.tally)),
        spool=None if spool is None else SpoolState(**spool),
        listed=None if listed is None else ListState(**listed),
        alarms=tuple(Alarm(**each) for each in condition.get("alarms", ())),
    )


def _keep(connection: Connection, gateway: str, entry: Entry) -> None:
    connection.execute(
        _insert(connection, tables.quarantine)
        .values(
            gateway=gateway,
            entry=entry.number,
            digest=entry.digest,
            received_at=entry.received_at,
            source=entry.source,
            reason=entry.reason,
            detail=entry.detail,
            content=entry.content,
        )
        .on_conflict_do_nothing()
    )


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
