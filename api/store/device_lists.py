"""What each gateway is to read: its buses, its meters, and the types that they need.

Every change is checked as the gateway will check it, and is refused where the gateway would refuse.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select, update

from api import tables
from api.store import meter_types
from billing.canonical import canonical_json
from billing.scoping import is_taken
from billing.store import audit
from gateway.device_list import problems_of, read_device_list
from meters.catalog import shipped
from meters.definition import DefinitionError, Problem
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

SOURCE = "the device list"
EMPTY = hashlib.sha256(b"").hexdigest()[:32]
"""The tag of a list that nobody has written yet."""


class UnknownGatewayError(LookupError):
    """No gateway has this name."""


class UnknownDeviceError(LookupError):
    """The gateway's list holds no such bus or meter."""


class GatewayExistsError(ValueError):
    """A gateway of this name was added before, perhaps in another project."""


class MeterListedError(ValueError):
    """Another gateway reads this meter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a meter is read: by a gateway, on a bus or (None) through its broker."""

    meter: str
    gateway: str
    bus: str | None
    settings: Mapping[str, Any]


def add_gateway(connection: Connection, name: str, *, actor: str, now: datetime) -> None:
    """Add a gateway with nothing on its list; raise `GatewayExistsError`."""
    if tag(connection, name) is not None:
        raise GatewayExistsError(told("gateway '{name}' is there already", name=name))
    note_gateway(connection, name, now=now)
    audit.append(connection, at=now, actor=actor, action="gateway.add", subject=name)


def note_gateway(connection: Connection, name: str, *, now: datetime) -> None:
    """Add the gateway `name` unless it is known: one that reports exists, whoever set it up.

    Raises `GatewayExistsError` where another project has one of this name.
    """
    if tag(connection, name) is None:
        if is_taken(connection, tables.gateway.c.name, name):
            raise GatewayExistsError(
                told("gateway '{name}' is of another project; name it otherwise", name=name)
            )
        connection.execute(insert(tables.gateway).values(name=name, digest=EMPTY, created_at=now))


def gateway_names(connection: Connection) -> list[str]:
    """Return every gateway by name."""
    return list(connection.scalars(select(tables.gateway.c.name).order_by(tables.gateway.c.name)))


def tag(connection: Connection, gateway: str) -> str | None:
    """Return the tag of the gateway's list, None for an unknown gateway."""
    table = tables.gateway
    return connection.scalar(select(table.c.digest).where(table.c.name == gateway))


def locked_tag(connection: Connection, gateway: str) -> str | None:
    """As `tag`, and keep others from changing the list until the end of the transaction."""
    table = tables.gateway
    query = select(table.c.digest).where(table.c.name == gateway).with_for_update()
    return connection.scalar(query)


def document(connection: Connection, gateway: str) -> dict[str, Any]:
    """Return the gateway's list as the gateway gets it; a bus without meters is left out."""
    found = ways(connection, gateway)
    buses = []
    for name, settings in bus_settings(connection, gateway).items():
        devices = [{"meter": each.meter, **each.settings} for each in found if each.bus == name]
        if devices:
            buses.append({"name": name, **settings, "device": devices})
    reporting = [{"meter": each.meter, **each.settings} for each in found if each.bus is None]
    types = meter_types.texts(connection, {str(each.settings["type"]) for each in found})
    return {"gateway": gateway, "bus": buses, "mqtt": {"meter": reporting}, "types": types}


def bus_settings(connection: Connection, gateway: str) -> dict[str, dict[str, Any]]:
    """Return the settings of the gateway's buses by name."""
    table = tables.gateway_bus
    query = select(table).where(table.c.gateway == gateway).order_by(table.c.name)
    return {row.name: json.loads(row.settings) for row in connection.execute(query)}


def ways(connection: Connection, gateway: str | None = None) -> list[Way]:
    """Return how each meter (of `gateway`) is read, by meter."""
    table = tables.gateway_meter
    query = select(table).order_by(table.c.meter)
    if gateway is not None:
        query = query.where(table.c.gateway == gateway)
    return [
        Way(meter=row.meter, gateway=row.gateway, bus=row.bus, settings=json.loads(row.settings))
        for row in connection.execute(query)
    ]


def way_of(connection: Connection, meter: str) -> Way | None:
    """Return how `meter` is read, None where it is on no list."""
    table = tables.gateway_meter
    row = connection.execute(select(table).where(table.c.meter == meter)).one_or_none()
    if row is None:
        return None
    return Way(meter=meter, gateway=row.gateway, bus=row.bus, settings=json.loads(row.settings))


def meters_of(connection: Connection, gateway: str) -> frozenset[str]:
    """Return the meters on the gateway's list, and those that it reports and nobody lists."""
    listed, reported = tables.gateway_meter, tables.gateway_device
    strangers = select(reported.c.meter).where(
        reported.c.gateway == gateway, reported.c.meter.not_in(select(listed.c.meter))
    )
    own = select(listed.c.meter).where(listed.c.gateway == gateway)
    return frozenset(connection.scalars(own.union(strangers)))


def listed_by(connection: Connection, meters: Collection[str]) -> dict[str, str]:
    """Return on which gateway's list each of `meters` is that is on any."""
    table = tables.gateway_meter
    query = select(table.c.meter, table.c.gateway).where(table.c.meter.in_(meters))
    return {row.meter: row.gateway for row in connection.execute(query)}


def put_bus(
    connection: Connection,
    gateway: str,
    name: str,
    settings: Mapping[str, Any],
    *,
    actor: str,
    now: datetime,
) -> None:
    """Set a bus of the gateway; raise `DefinitionError` where the gateway would refuse it."""
    _lock(connection, gateway)
    placeholder = {"meter": "(none yet)", "unit": 1, "type": next(_modbus_types())}
    alone = {"name": name, **settings, "device": [placeholder]}
    _assert_taken({"gateway": gateway, "bus": [alone]})
    table = tables.gateway_bus
    text = canonical_json(dict(settings))
    at = (table.c.gateway == gateway) & (table.c.name == name)
    if not connection.execute(update(table).where(at).values(settings=text)).rowcount:
        connection.execute(insert(table).values(gateway=gateway, name=name, settings=text))
    _renew(connection, gateway)
    detail = {"bus": name, **settings}
    audit.append(
        connection, at=now, actor=actor, action="gateway.bus.put", subject=gateway, detail=detail
    )


def drop_bus(connection: Connection, gateway: str, name: str, *, actor: str, now: datetime) -> None:
    """Remove a bus and the meters on it from the list."""
    _lock(connection, gateway)
    bus, meter = tables.gateway_bus, tables.gateway_meter
    connection.execute(delete(meter).where(meter.c.gateway == gateway, meter.c.bus == name))
    gone = connection.execute(delete(bus).where(bus.c.gateway == gateway, bus.c.name == name))
    if not gone.rowcount:
        raise UnknownDeviceError(
            told("gateway '{gateway}' has no bus '{name}'", gateway=gateway, name=name)
        )
    _renew(connection, gateway)
    detail = {"bus": name}
    audit.append(
        connection, at=now, actor=actor, action="gateway.bus.drop", subject=gateway, detail=detail
    )


def put_meter(connection: Connection, way: Way, *, actor: str, now: datetime) -> None:
    """Set how a meter is read; raise `DefinitionError` where its gateway would refuse it.

    Raises `MeterListedError` where another gateway reads it, so that none is read twice.
    """
    _lock(connection, way.gateway)
    held = way_of(connection, way.meter)
    if held is not None and held.gateway != way.gateway:
        raise MeterListedError(
            told(
                "meter '{meter}' is read by gateway '{gateway}'; remove it there first",
                meter=way.meter,
                gateway=held.gateway,
            )
        )
    if held is None and is_taken(connection, tables.gateway_meter.c.meter, way.meter):
        raise MeterListedError(
            told(
                "meter '{meter}' is read for another project; name this one otherwise",
                meter=way.meter,
            )
        )
    if way.bus is not None and way.bus not in bus_settings(connection, way.gateway):
        raise UnknownDeviceError(
            told(
                "gateway '{gateway}' has no bus '{bus}'; add it first",
                gateway=way.gateway,
                bus=way.bus,
            )
        )
    table = tables.gateway_meter
    connection.execute(delete(table).where(table.c.meter == way.meter))
    connection.execute(
        insert(table).values(
            meter=way.meter,
            gateway=way.gateway,
            bus=way.bus,
            settings=canonical_json(dict(way.settings)),
        )
    )
    _renew(connection, way.gateway)
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="gateway.meter.put",
        subject=way.gateway,
        detail={"meter": way.meter, "bus": way.bus, **way.settings},
    )


def drop_meter(
    connection: Connection, gateway: str, meter: str, *, actor: str, now: datetime
) -> None:
    """Remove a meter from the gateway's list; its readings stay."""
    _lock(connection, gateway)
    table = tables.gateway_meter
    gone = connection.execute(
        delete(table).where(table.c.gateway == gateway, table.c.meter == meter)
    )
    if not gone.rowcount:
        raise UnknownDeviceError(
            told("gateway '{gateway}' does not read meter '{meter}'", gateway=gateway, meter=meter)
        )
    _renew(connection, gateway)
    detail = {"meter": meter}
    audit.append(
        connection, at=now, actor=actor, action="gateway.meter.drop", subject=gateway, detail=detail
    )


def renew_all(connection: Connection) -> None:
    """Check every list again and give it its tag: a type that some of them use has changed."""
    for gateway in gateway_names(connection):
        _renew(connection, gateway)


def _lock(connection: Connection, gateway: str) -> None:
    """Keep others from changing the list until the end; raise `UnknownGatewayError`."""
    if locked_tag(connection, gateway) is None:
        raise UnknownGatewayError(told("there is no gateway '{gateway}'", gateway=gateway))


def _renew(connection: Connection, gateway: str) -> None:
    listed = document(connection, gateway)
    _assert_taken(listed)
    digest = hashlib.sha256(canonical_json(listed).encode()).hexdigest()[:32]
    table = tables.gateway
    connection.execute(update(table).where(table.c.name == gateway).values(digest=digest))


def _assert_taken(listed: dict[str, Any]) -> None:
    problems: list[Problem] = problems_of(read_device_list(listed, SOURCE), shipped(), SOURCE)
    if problems:
        raise DefinitionError(problems)


def _modbus_types() -> Any:
    return (each.id for each in shipped().values() if each.modbus is not None)
