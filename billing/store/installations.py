"""Installations in the database: what a person recorded of a meter at a point, there and back."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.registry import Recorded
from meters.installation import Installation, Ratio
from meters.interval import local_midnight
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from sqlalchemy import Row

    from billing.community import MeterAt, RatioFrom

COLUMNS = (
    "point_id",
    "meter",
    "meter_type",
    "start",
    "end",
    "multiplier",
    "first",
    "last",
    "ratios",
    "first_photo",
    "last_photo",
    "verified_until",
)


def row(meter: MeterAt) -> tuple[Any, ...]:
    """Return `meter` as `COLUMNS` hold it, but for its point."""
    return (
        meter.meter,
        meter.type,
        meter.start,
        meter.end,
        plain(meter.multiplier),
        registers_json(meter.first),
        registers_json(meter.last),
        _ratios_json(meter.ratio) if meter.ratio else None,
        meter.first_photo,
        meter.last_photo,
        meter.verified_until,
    )


def read(
    connection: Connection, community_id: int, zone: ZoneInfo
) -> defaultdict[int, list[Installation]]:
    """Return the installations of a community in `zone` by the id of their point, oldest first."""
    point, installation = tables.point, tables.installation
    found: defaultdict[int, list[Installation]] = defaultdict(list)
    rows = connection.execute(
        select(installation, point.c.code)
        .join(point, point.c.id == installation.c.point_id)
        .where(point.c.community_id == community_id)
        .order_by(installation.c.start)
    )
    for each in rows:
        found[each.point_id].append(_installation(each, zone))
    return found


def recorded(connection: Connection, community_id: int) -> defaultdict[int, list[Recorded]]:
    """Return what people read off meters of a community while they stood, by id of their point."""
    point, table = tables.point, tables.interim_register
    found: defaultdict[int, list[Recorded]] = defaultdict(list)
    rows = connection.execute(
        select(table)
        .join(point, point.c.id == table.c.point_id)
        .where(point.c.community_id == community_id)
        .order_by(table.c.at, table.c.meter)
    )
    for each in rows:
        registers = _registers(read_json(each.registers))
        found[each.point_id].append(Recorded(each.meter, each.at, registers, each.photo))
    return found


def registers_json(registers: Mapping[str, Decimal]) -> str:
    """Return registers as `first` and `last` hold them."""
    return canonical_json(register_texts(registers))


def register_texts(registers: Mapping[str, Decimal]) -> dict[str, str]:
    """Return registers with their values as JSON holds them, exactly."""
    return {name: plain(value) for name, value in registers.items()}


def _installation(row: Row[Any], zone: ZoneInfo) -> Installation:
    return Installation(
        point=row.code,
        meter=row.meter,
        meter_type=row.meter_type,
        start=row.start,
        end=row.end,
        multiplier=Decimal(row.multiplier),
        first=_registers(read_json(row.first)),
        last=_registers(read_json(row.last)),
        ratios=() if row.ratios is None else tuple(_ratios(read_json(row.ratios))),
        verified_until=_end_of(row.verified_until, zone),
        first_photo=row.first_photo,
        last_photo=row.last_photo,
    )


def _end_of(last_day: date | None, zone: ZoneInfo) -> datetime | None:
    return None if last_day is None else local_midnight(last_day + timedelta(days=1), zone)


def _ratios_json(ratios: Sequence[RatioFrom]) -> str:
    return canonical_json(
        [
            {
                "since": each.since.isoformat(),
                "multiplier": plain(each.multiplier),
                "shown": register_texts(each.shown),
                "photo": each.photo,
            }
            for each in ratios
        ]
    )


def _ratios(document: list[dict[str, Any]]) -> list[Ratio]:
    return [
        Ratio(
            datetime.fromisoformat(each["since"]),
            Decimal(each["multiplier"]),
            _registers(each["shown"]),
            each["photo"],
        )
        for each in document
    ]


def _registers(document: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in document.items()}
