"""A community as its definition would say it, read back out of the database whole."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import read_json
from billing.community import ATTRIBUTES, Community, parse_community
from billing.money import from_fen
from billing.store import opening_balance
from billing.store.facts import BEGINNING
from meters.quantity import from_scaled, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from sqlalchemy import Row, Select

Document = dict[str, Any]


def read(connection: Connection, community_id: int) -> tuple[Community, tuple[str, ...]]:
    """Return the community, and in words what of it a definition cannot say."""
    table = tables.community
    project = tables.project
    row = connection.execute(
        select(table, project.c.code.label("project"))
        .join(project, project.c.id == table.c.project_id)
        .where(table.c.id == community_id)
    ).one()
    left_out: list[str] = []
    document = {
        "kind": "community",
        "code": row.code,
        "project": row.project,
        "title": read_json(row.title),
        "zone": row.zone,
        "currency": row.currency,
        "due_days": row.due_days,
        "corrections": row.corrections,
        "tariffs": read_json(row.tariffs),
        "building": [
            {"code": each.code, "title": read_json(each.title)}
            for each in _of(connection, tables.building, community_id)
        ],
        "unit": list(_units(connection, community_id, left_out)),
        "point": list(_points(connection, community_id)),
        "account": list(_accounts(connection, community_id)),
    }
    return parse_community(document, row.code), tuple(left_out)


def _of(connection: Connection, table: Any, community_id: int) -> Iterable[Row[Any]]:
    query = select(table).where(table.c.community_id == community_id).order_by(table.c.id)
    return connection.execute(query)


def _units(connection: Connection, community_id: int, left_out: list[str]) -> Iterator[Document]:
    unit, building = tables.unit, tables.building
    since = _since(connection, community_id, left_out)
    vacant = _vacancies(connection, community_id, left_out)
    for row in connection.execute(
        select(unit, building.c.code.label("building"))
        .join(building, building.c.id == unit.c.building_id)
        .where(unit.c.community_id == community_id)
        .order_by(unit.c.id)
    ):
        by_day = since[row.id]
        first = by_day.pop(BEGINNING, {})
        yield _stated(
            code=row.code,
            building=row.building,
            entrance=row.entrance,
            floor=row.floor,
            **first,
            **vacant.get(row.id, {}),
            since=[{"day": day, **by_day[day]} for day in sorted(by_day)],
        )


def _since(
    connection: Connection, community_id: int, left_out: list[str]
) -> defaultdict[int, defaultdict[date, Document]]:
    """Return what is stated of each unit, by its id and the day from which it holds."""
    found: defaultdict[int, defaultdict[date, Document]] = defaultdict(lambda: defaultdict(dict))
    for row in connection.execute(_dated(tables.unit_attribute, community_id)):
        if row.value is None:
            left_out.append(f"unit {row.unit}: {row.name} is not known from {row.since} on")
            continue
        stated, value = found[row.unit_id][row.since], plain(from_scaled(row.value))
        if row.name in ATTRIBUTES:
            stated[row.name] = value
        else:
            stated.setdefault("attributes", {})[row.name] = value
    for row in connection.execute(_dated(tables.unit_class, community_id)):
        found[row.unit_id][row.since]["customer_class"] = row.customer_class
    for row in connection.execute(_dated(tables.unit_tariffs, community_id)):
        own = "class" if row.tariffs is None else read_json(row.tariffs)
        found[row.unit_id][row.since]["tariffs"] = own
    return found


def _dated(table: Any, community_id: int) -> Select[Any]:
    unit = tables.unit
    return (
        select(table, unit.c.code.label("unit"))
        .join(unit, unit.c.id == table.c.unit_id)
        .where(unit.c.community_id == community_id)
        .order_by(unit.c.code, table.c.since)
    )


def _vacancies(
    connection: Connection, community_id: int, left_out: list[str]
) -> dict[int, Document]:
    """Return the last vacancy of each unit: a definition says one."""
    vacancy, unit = tables.vacancy, tables.unit
    found: dict[int, Document] = {}
    for row in connection.execute(
        select(vacancy, unit.c.code)
        .join(unit, unit.c.id == vacancy.c.unit_id)
        .where(unit.c.community_id == community_id)
        .order_by(unit.c.code, vacancy.c.first_day)
    ):
        if earlier := found.get(row.unit_id):
            left_out.append(f"unit {row.code}: was vacant from {earlier['vacant_from']} too")
        found[row.unit_id] = {"vacant_from": row.first_day, "vacant_until": row.after_day}
    return found


def _points(connection: Connection, community_id: int) -> Iterator[Document]:
    point, unit, building = tables.point, tables.unit, tables.building
    installation = tables.installation
    standing: defaultdict[int, list[Document]] = defaultdict(list)
    for row in connection.execute(
        select(installation)
        .join(point, point.c.id == installation.c.point_id)
        .where(point.c.community_id == community_id)
        .order_by(installation.c.start)
    ):
        standing[row.point_id].append(_installation(row))
    for row in connection.execute(
        select(point, unit.c.code.label("unit"), building.c.code.label("building"))
        .outerjoin(unit, unit.c.id == point.c.unit_id)
        .outerjoin(building, building.c.id == point.c.building_id)
        .where(point.c.community_id == community_id)
        .order_by(point.c.id)
    ):
        yield _stated(
            code=row.code,
            medium=row.medium,
            role=row.role,
            unit=row.unit,
            building=row.building,
            installation=standing[row.id],
        )


def _installation(row: Row[Any]) -> Document:
    return _stated(
        meter=row.meter,
        type=row.meter_type,
        start=row.start,
        end=row.end,
        multiplier=row.multiplier,
        ratio=[_stated(**each) for each in read_json(row.ratios or "[]")],
        first=read_json(row.first),
        first_photo=row.first_photo,
        last=read_json(row.last),
        last_photo=row.last_photo,
        verified_until=row.verified_until,
    )


def _accounts(connection: Connection, community_id: int) -> Iterator[Document]:
    account, unit = tables.account, tables.unit
    opened = opening_balance.entered(connection, community_id)
    for row in connection.execute(
        select(account, unit.c.code.label("unit_code"))
        .join(unit, unit.c.id == account.c.unit_id)
        .where(account.c.community_id == community_id)
        .order_by(account.c.id)
    ):
        yield _stated(
            code=row.code,
            unit=row.unit_code,
            holder=row.holder,
            first_day=row.first_day,
            after_day=row.after_day,
            opening_balance=from_fen(opened[row.id]) if row.id in opened else None,
        )


def _stated(**values: Any) -> Document:
    """Return `values` without what is not set."""
    return {key: value for key, value in values.items() if value is not None}
