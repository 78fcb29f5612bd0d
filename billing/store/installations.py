"""Installations in the database: what a person recorded of a meter at a point, there and back."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.registry import Recorded
from billing.store.bulk import select_rows
from meters.installation import Installation, Ratio
from meters.interval import local_midnight
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from sqlalchemy import ColumnElement

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
    connection: Connection, community_id: int, zone: ZoneInfo, *, unit_id: int | None = None
) -> defaultdict[int, list[Installation]]:
    """Return the installations of a community in `zone` by the id of their point, oldest first.

    With `unit_id` those of one unit alone.
    """
    point, installation = tables.point, tables.installation
    found: defaultdict[int, list[Installation]] = defaultdict(list)
    rows = select_rows(
        connection,
        select(point.c.code, *(installation.c[name] for name in COLUMNS))
        .join(point, point.c.id == installation.c.point_id)
        .where(*_whose(community_id, unit_id))
        .order_by(installation.c.start),
    )
    for row in rows:
        found[row[1]].append(_installation(row, zone))
    return found


def recorded(
    connection: Connection, community_id: int, *, unit_id: int | None = None
) -> defaultdict[int, list[Recorded]]:
    """Return what people read off meters of a community while they stood, by id of their point.

    With `unit_id` off those of one unit alone.
    """
    point, table = tables.point, tables.interim_register
    found: defaultdict[int, list[Recorded]] = defaultdict(list)
    rows = connection.execute(
        select(table)
        .join(point, point.c.id == table.c.point_id)
        .where(*_whose(community_id, unit_id))
        .order_by(table.c.at, table.c.meter)
    )
    for each in rows:
        registers = _registers(each.registers)
        found[each.point_id].append(Recorded(each.meter, each.at, registers, each.photo))
    return found


def _whose(community_id: int, unit_id: int | None) -> list[ColumnElement[bool]]:
    """Return what holds of the points of a community, or of one unit in it."""
    point = tables.point.c
    found = [point.community_id == community_id]
    return found if unit_id is None else [*found, point.unit_id == unit_id]


def registers_json(registers: Mapping[str, Decimal]) -> str:
    """Return registers as `first` and `last` hold them."""
    return canonical_json(register_texts(registers))


def register_texts(registers: Mapping[str, Decimal]) -> dict[str, str]:
    """Return registers with their values as JSON holds them, exactly."""
    return {name: plain(value) for name, value in registers.items()}


def _installation(row: tuple[Any, ...], zone: ZoneInfo) -> Installation:
    """Return an installation from the code of its point and what `COLUMNS` hold."""
    point, _, meter, meter_type, start, end, multiplier, first, last, ratios, *photos, until = row
    return Installation(
        point,
        meter,
        meter_type,
        start,
        end,
        _number(multiplier),
        first=_registers(first),
        last=_registers(last),
        ratios=() if ratios is None else tuple(_ratios(read_json(ratios))),
        verified_until=_end_of(until, zone),
        first_photo=photos[0],
        last_photo=photos[1],
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
            _values(each["shown"]),
            each["photo"],
        )
        for each in document
    ]


_number = lru_cache(maxsize=1024)(Decimal)


@lru_cache(maxsize=4096)
def _registers(text: str) -> Mapping[str, Decimal]:
    """Return what `registers_json` wrote; meters of a kind begin alike."""
    return MappingProxyType(_values(read_json(text)))


def _values(document: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in document.items()}
