"""Where meters stand, as pages of the metering show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, select

from billing import tables
from billing.canonical import read_json
from billing.payments.payment_code import payment_code
from billing.store.bulk import select_rows
from meters.interval import local_midnight

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A meter at its point, from–to."""

    meter: str
    meter_type: str
    start: datetime
    end: datetime | None
    point: str
    medium: str
    role: str
    unit: str | None
    building: Mapping[str, str] | None
    community: Mapping[str, str]
    zone: str


class Placed(NamedTuple):
    """A meter at its point, as it is found by: the rest of it is its installation's `Standing`."""

    installation_id: int
    meter: str
    meter_type: str
    point: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A meter at a unit that an account holds `since`."""

    standing: Standing
    account: str
    payment_code: str
    since: datetime


def of_accounts(connection: Connection, accounts: frozenset[int], *, at: datetime) -> list[Held]:
    """Return the meters that stand `at` the points of the units that `accounts` hold then."""
    account, point = tables.account, tables.point
    rows = connection.execute(
        _standings()
        .add_columns(
            account.c.id.label("account_id"),
            account.c.code.label("account"),
            account.c.first_day,
            account.c.after_day,
        )
        .join(account, account.c.unit_id == point.c.unit_id)
        .where(account.c.id.in_(accounts), *_stands(at))
    )
    found = []
    for row in rows:
        zone = ZoneInfo(row.zone)
        today = at.astimezone(zone).date()
        if row.first_day <= today and (row.after_day is None or today < row.after_day):
            since = max(local_midnight(row.first_day, zone), row.start)
            found.append(Held(_standing(row), row.account, payment_code(row.account_id), since))
    return found


def placed(connection: Connection, *, at: datetime) -> list[Placed]:
    """Return the meters that stand `at`; of ten thousands of them in a tenth of a second."""
    installation, point, unit = tables.installation, tables.point, tables.unit
    query = (
        select(
            installation.c.id,
            installation.c.meter,
            installation.c.meter_type,
            point.c.code,
            unit.c.code,
        )
        .join(point, point.c.id == installation.c.point_id)
        .outerjoin(unit, unit.c.id == point.c.unit_id)
        .where(*_stands(at))
    )
    return [Placed(*row) for row in select_rows(connection, query)]


def standing(
    connection: Connection,
    *,
    at: datetime | None = None,
    meter: str | None = None,
    after: str | None = None,
    limit: int | None = None,
    ids: Collection[int] | None = None,
) -> list[Standing]:
    """Return installations by meter: those at `at`, those of `meter`, those of meters `after`.

    With `ids` of those alone.
    """
    installation = tables.installation
    query = _standings().limit(limit)
    if at is not None:
        query = query.where(*_stands(at))
    if ids is not None:
        query = query.where(installation.c.id.in_(ids))
    if meter is not None:
        query = query.where(installation.c.meter == meter)
    if after is not None:
        query = query.where(installation.c.meter > after)
    return [_standing(row) for row in connection.execute(query)]


def _stands(at: datetime) -> list[ColumnElement[bool]]:
    installation = tables.installation
    return [
        installation.c.start <= at,
        installation.c.end.is_(None) | (installation.c.end > at),
    ]


def _standings() -> Select[Any]:
    installation, point = tables.installation, tables.point
    unit, building, community = tables.unit, tables.building, tables.community
    home = tables.building.alias("unit_building")
    return (
        select(
            installation,
            point.c.code.label("point"),
            point.c.medium,
            point.c.role,
            unit.c.code.label("unit"),
            building.c.title.label("building"),
            home.c.title.label("home"),
            community.c.title.label("community"),
            community.c.zone,
        )
        .join(point, point.c.id == installation.c.point_id)
        .join(community, community.c.id == point.c.community_id)
        .outerjoin(unit, unit.c.id == point.c.unit_id)
        .outerjoin(home, home.c.id == unit.c.building_id)
        .outerjoin(building, building.c.id == point.c.building_id)
        .order_by(installation.c.meter, installation.c.start)
    )


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        meter=row.meter,
        meter_type=row.meter_type,
        start=row.start,
        end=row.end,
        point=row.point,
        medium=row.medium,
        role=row.role,
        unit=row.unit,
        building=_title(row.building or row.home),
        community=read_json(row.community),
        zone=row.zone,
    )


def _title(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    title: dict[str, str] = read_json(text)
    return title
