"""An exchange as an engineer records it: in the registry, and on the gateway's list."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from api.store import device_lists
from api.store.device_lists import Way
from billing.store import exchange as exchanges
from billing.store import exchange_doubt
from billing.store.exchange import Exchange, ExchangeError
from billing.store.views import meters
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from meters.archive.protocol import Boundary
    from meters.meter_type import MeterType
    from meters.reading import Series


def record(
    connection: Connection,
    types: Mapping[str, MeterType],
    exchange: Exchange,
    *,
    shown: Mapping[Series, Boundary],
    identity: str | None,
    actor: str,
    now: datetime,
) -> None:
    """Record the exchange; where the old meter is on a gateway's list, put the new one there.

    `identity` is the number that the new meter states, `shown` what the old one has reported
    (`exchange_doubt.shown_around`), nothing where somebody insists on its last registers. Raises
    `ExchangeError`, which is a `DoubtfulExchangeError` for what `shown` contradicts, and
    `DefinitionError` where the gateway would refuse the new meter.
    """
    standing = meters.standing(connection, meter=exchange.old)
    old = types.get(standing[-1].meter_type) if standing else None
    _check_registers(exchange, old, types)
    exchanges.record(connection, exchange, actor=actor, now=now)
    if old is not None:
        exchange_doubt.check(old, exchange, shown, ZoneInfo(standing[-1].zone))
    way = device_lists.way_of(connection, exchange.old)
    if way is None:
        return
    settings = {**way.settings, "type": exchange.new_type}
    settings.pop("identity", None)
    if identity:
        settings["identity"] = identity
    new = Way(meter=exchange.new, gateway=way.gateway, bus=way.bus, settings=settings)
    device_lists.drop_meter(connection, way.gateway, exchange.old, actor=actor, now=now)
    device_lists.put_meter(connection, new, actor=actor, now=now)


def _check_registers(
    exchange: Exchange, old: MeterType | None, types: Mapping[str, MeterType]
) -> None:
    new = types.get(exchange.new_type)
    if new is None:
        raise ExchangeError(
            told("the type '{type}' is not known; add it first", type=exchange.new_type)
        )
    for known, registers in ((old, exchange.last), (new, exchange.first)):
        if known is not None and (unknown := registers.keys() - known.billing_registers.keys()):
            raise ExchangeError(
                told(
                    "the type '{type}' has no counter '{register}'; it has {known}",
                    type=known.id,
                    register=min(unknown),
                    known=", ".join(known.billing_registers),
                )
            )
