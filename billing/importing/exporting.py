"""A community as the rows of its sheets; imported again they give the same community."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from billing.community import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from billing.community import Account, Community, MeterAt, Point, Stated, Unit

Record = dict[str, Any]
"""Values by the keys of a sheet's columns."""


def records(community: Community) -> dict[str, list[Record]]:
    """Return the rows of each sheet, by the sheet's key."""
    zone = ZoneInfo(community.zone)
    return {
        "community": [
            {
                "code": community.code,
                "project": community.project,
                **_members("title", community.title),
                "zone": community.zone,
                "due_days": community.due_days,
                "corrections": community.corrections,
            }
        ],
        "classes": [
            {"code": code, "tariffs": list(tariffs)} for code, tariffs in community.tariffs.items()
        ],
        "buildings": [
            {"code": each.code, **_members("title", each.title)} for each in community.building
        ],
        "units": [_unit(each) for each in community.unit],
        "changes": [
            {"unit": each.code, "day": change.day, **_stated(change)}
            for each in community.unit
            for change in each.since
        ],
        "accounts": [_account(each) for each in community.account],
        "points": [_point(each) for each in community.point],
        "meters": [
            {"point": point.code, **_meter(each, zone)}
            for point in community.point
            for each in point.installation
        ],
        "ratios": [each for point in community.point for each in _ratios(point, zone)],
    }


def _unit(unit: Unit) -> Record:
    return {
        "code": unit.code,
        "building": unit.building,
        "entrance": unit.entrance,
        "floor": unit.floor,
        **_stated(unit),
        "vacant_from": unit.vacant_from,
        "vacant_until": unit.vacant_until,
    }


def _stated(stated: Stated) -> Record:
    tariffs = [stated.tariffs] if isinstance(stated.tariffs, str) else stated.tariffs
    return {
        **{name: getattr(stated, name) for name in ATTRIBUTES},
        **_members("attributes", stated.attributes),
        "customer_class": stated.customer_class,
        "tariffs": tariffs,
    }


def _account(account: Account) -> Record:
    return {
        "code": account.code,
        "unit": account.unit,
        "holder": account.holder,
        "first_day": account.first_day,
        "after_day": account.after_day,
        "opening_balance": account.opening_balance,
    }


def _point(point: Point) -> Record:
    return {
        "code": point.code,
        "medium": point.medium,
        "role": point.role,
        "unit": point.unit,
        "building": point.building,
    }


def _meter(meter: MeterAt, zone: ZoneInfo) -> Record:
    return {
        "meter": meter.meter,
        "type": meter.type,
        "start": _local(meter.start, zone),
        "end": None if meter.end is None else _local(meter.end, zone),
        "multiplier": meter.multiplier,
        **_members("first", meter.first),
        **_members("last", meter.last),
        "first_photo": meter.first_photo,
        "last_photo": meter.last_photo,
        "verified_until": meter.verified_until,
    }


def _ratios(point: Point, zone: ZoneInfo) -> Iterator[Record]:
    for meter in point.installation:
        for ratio in meter.ratio:
            yield {
                "point": point.code,
                "meter": meter.meter,
                "since": _local(ratio.since, zone),
                "multiplier": ratio.multiplier,
                **_members("shown", ratio.shown),
                "photo": ratio.photo,
            }


def _members(key: str, values: dict[str, Any]) -> Record:
    return {f"{key}.{name}": value for name, value in values.items()}


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat()
