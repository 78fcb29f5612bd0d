"""The exchange of a meter: what the old one showed last, the new one first, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update

from billing import tables
from billing.store import audit, runs
from billing.store.ids import insert
from billing.store.installations import register_texts, registers_json
from billing.store.registry import lock
from meters.quantity import plain
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from typing import Any

    from sqlalchemy import Row


class ExchangeError(ValueError):
    """An exchange cannot be as it is told; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Meter `new` took the place of meter `old` at `at`.

    `last` and `first` are the registers that a person read off, by name in canonical units; the
    photos refer to pictures of them. `multiplier` is the new installation's ratio.
    """

    old: str
    new: str
    new_type: str
    at: datetime
    last: Mapping[str, Decimal]
    first: Mapping[str, Decimal]
    multiplier: Decimal = field(default=Decimal(1))
    last_photo: str | None = None
    first_photo: str | None = None
    verified_until: date | None = None


def record(connection: Connection, exchange: Exchange, *, actor: str, now: datetime) -> str | None:
    """End the old meter's installation and begin the new one's, in the caller's transaction.

    Return the first issued month that has to be corrected, None where no bill rests on the old
    meter since: until then no later month of the community is billed. Raises `ExchangeError`; then
    nothing has changed.
    """
    table = tables.installation
    standing = _standing(connection, exchange.old)
    # two at once, or a run of the community, wait for each other
    lock(connection, [standing.community_id])
    standing = _standing(connection, exchange.old)
    _check(connection, exchange, standing, now)
    connection.execute(
        update(table)
        .where(table.c.id == standing.id)
        .values(end=exchange.at, last=registers_json(exchange.last), last_photo=exchange.last_photo)
    )
    insert(
        connection,
        table,
        point_id=standing.point_id,
        meter=exchange.new,
        meter_type=exchange.new_type,
        start=exchange.at,
        multiplier=plain(exchange.multiplier),
        first=registers_json(exchange.first),
        last=registers_json({}),
        first_photo=exchange.first_photo,
        verified_until=exchange.verified_until,
    )
    corrects = _issued_at(connection, standing, exchange.at)
    until = exchange.verified_until
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="meter.exchange",
        subject=exchange.old,
        communities=[standing.community_id],
        detail={
            "new": exchange.new,
            "new_type": exchange.new_type,
            "at": exchange.at.isoformat(),
            "last": register_texts(exchange.last),
            "first": register_texts(exchange.first),
            "multiplier": plain(exchange.multiplier),
            "last_photo": exchange.last_photo,
            "first_photo": exchange.first_photo,
            "verified_until": None if until is None else until.isoformat(),
            "corrects": corrects,
        },
    )
    return corrects


def _standing(connection: Connection, meter: str) -> Row[Any]:
    """Return the installation of `meter` that has not ended, with its community."""
    table, point, community = tables.installation, tables.point, tables.community
    row = connection.execute(
        select(table, point.c.community_id, community.c.zone)
        .join(point, point.c.id == table.c.point_id)
        .join(community, community.c.id == point.c.community_id)
        .where(table.c.meter == meter, table.c.end.is_(None))
    ).one_or_none()
    if row is None:
        raise ExchangeError(
            told("meter '{meter}' stands nowhere now; look up which meter does", meter=meter)
        )
    return row


def _check(connection: Connection, exchange: Exchange, standing: Row[Any], now: datetime) -> None:
    if not standing.start < exchange.at <= now:
        raise ExchangeError(
            told(
                "meter '{old}' stands since {start}, and it is {now}; date the exchange "
                "between the two, not {at}",
                old=exchange.old,
                start=standing.start.isoformat(),
                now=now.isoformat(),
                at=exchange.at.isoformat(),
            )
        )
    if exchange.multiplier <= 0 or not exchange.multiplier.is_finite():
        raise ExchangeError(
            told("the multiplier must be above 0, not {multiplier}", multiplier=exchange.multiplier)
        )
    for which, registers in ((told("old"), exchange.last), (told("new"), exchange.first)):
        if not registers:
            raise ExchangeError(
                told("say what the {which} meter showed: at least one register", which=which)
            )
        for name, value in registers.items():
            if not value.is_finite() or value < 0:
                raise ExchangeError(
                    told(
                        "{name} of the {which} meter cannot show {value}",
                        name=name,
                        which=which,
                        value=value,
                    )
                )
    table = tables.installation
    elsewhere = connection.scalar(
        select(tables.point.c.code)
        .join(table, table.c.point_id == tables.point.c.id)
        .where(
            table.c.meter == exchange.new,
            table.c.end.is_(None) | (table.c.end > exchange.at),
        )
    )
    if elsewhere is not None:
        raise ExchangeError(
            told(
                "meter '{new}' stands at point {elsewhere} already; correct its code, or "
                "record first that it left there",
                new=exchange.new,
                elsewhere=elsewhere,
            )
        )


def _issued_at(connection: Connection, standing: Row[Any], at: datetime) -> str | None:
    """Return the month of `at` if it is issued for the meter's community."""
    last = runs.last_issued_period(connection, standing.community_id)
    month = f"{at.astimezone(ZoneInfo(standing.zone)):%Y-%m}"
    return month if last is not None and month <= last else None
