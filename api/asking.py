"""Who can be asked to read a meter now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.store import device_lists, gateway_requests, gateways
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from meters.meter_type import MeterType


class CannotAskError(ValueError):
    """The meter cannot be read on demand; the message says why."""


def gateway_to_ask(connection: Connection, types: Mapping[str, MeterType], meter: str) -> str:
    """Return the gateway that can read `meter` now; raise `CannotAskError`.

    That is the one whose list it stands on, or which reports that it reads it.
    """
    way = device_lists.way_of(connection, meter)
    reported = gateways.device(connection, meter)
    if way is not None:
        gateway, type_id = way.gateway, str(way.settings["type"])
    elif reported is not None:
        gateway, type_id = reported[0], reported[1].meter_type
    else:
        raise CannotAskError(
            told("no gateway reads meter '{meter}'; put it on a gateway's list", meter=meter)
        )
    known = types.get(type_id)
    if known is not None and known.modbus is None:
        raise CannotAskError(
            told("meter '{meter}' reports by itself; wait for its next message", meter=meter)
        )
    return gateway


def can_be_asked(connection: Connection, types: Mapping[str, MeterType], meter: str) -> bool:
    """Return whether a gateway can read `meter` now."""
    try:
        gateway_to_ask(connection, types, meter)
    except CannotAskError:
        return False
    return True


def ask(
    connection: Connection,
    types: Mapping[str, MeterType],
    meter: str,
    *,
    actor: str,
    now: datetime,
) -> int:
    """Ask for `meter` to be read now; return the request's number. Raises `CannotAskError`."""
    gateway = gateway_to_ask(connection, types, meter)
    return gateway_requests.ask_to_read(
        connection, gateway=gateway, meter=meter, actor=actor, now=now
    )
