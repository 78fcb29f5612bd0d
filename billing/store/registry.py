"""The registry in the database: communities are imported whole, and read whole for a run."""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.registry import Point, Registry, Unit
from billing.spans import spans_of
from billing.store import (
    definitions,
    facts,
    installations,
    opening_balance,
    peaks,
    projects,
    reviews,
    usages,
)
from billing.store.bulk import insert_rows, select_rows
from billing.store.ids import insert
from meters.interval import Period
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Table

    from billing import community as definition


class CommunityExistsError(ValueError):
    """A community of this code was imported before."""


class UnknownCommunityError(LookupError):
    """No community has this code."""


class MeterTakenError(ValueError):
    """A meter stands at a point of another community at the same time."""


def import_community(
    connection: Connection,
    community: definition.Community,
    *,
    said: opening_balance.Said | None = None,
) -> int:
    """Store `community` with all that it holds and return its id.

    `said`: who answers for what its accounts open with; needed where one of them has a balance.
    Raises `CommunityExistsError`, `MeterTakenError` and `UnknownProjectError`.
    """
    table = tables.community
    if connection.scalar(select(table.c.id).where(table.c.code == community.code)) is not None:
        raise CommunityExistsError(
            f"community {community.code!r} is there already; give the new one another code"
        )
    _assert_meters_free(connection, community)
    community_id = insert(
        connection,
        table,
        project_id=projects.chosen(connection, community.project),
        code=community.code,
        title=canonical_json(community.title),
        zone=community.zone,
        currency=community.currency,
        due_days=community.due_days,
        corrections=community.corrections,
        tariffs=canonical_json(community.tariffs),
    )
    buildings = _import_buildings(connection, community_id, community.building)
    units = _import_units(connection, community_id, community.unit, buildings)
    _import_points(connection, community_id, community.point, buildings=buildings, units=units)
    reviews.set_settings(connection, community_id, community.validation)
    insert_rows(
        connection,
        tables.account,
        ("community_id", "unit_id", "code", "holder", "first_day", "after_day"),
        [
            (community_id, units[each.unit], each.code, each.holder, each.first_day, each.after_day)
            for each in community.account
        ],
    )
    opening_balance.enter_all(connection, community_id, community, said)
    return community_id


def community_ids(connection: Connection) -> dict[str, int]:
    """Return the id of every community by its code."""
    table = tables.community
    rows = connection.execute(select(table.c.code, table.c.id).order_by(table.c.code))
    return {row.code: row.id for row in rows}


def period_of(connection: Connection, community_id: int, key: str) -> Period:
    """Return the month `key` in the zone of the community."""
    zone = connection.scalar(
        select(tables.community.c.zone).where(tables.community.c.id == community_id)
    )
    if zone is None:
        raise UnknownCommunityError(
            told("no community has the id {community}", community=community_id)
        )
    return Period.month(key, ZoneInfo(zone))


def due_days(connection: Connection, community_id: int) -> int:
    """Return how many days after its issue a bill of the community is due."""
    table = tables.community
    query = select(table.c.due_days).where(table.c.id == community_id)
    return int(connection.execute(query).scalar_one())


def lock(connection: Connection, community_ids: Sequence[int]) -> None:
    """Keep others from changing the communities, or making runs of them, until the end of this."""
    table = tables.community
    query = select(table.c.id).where(table.c.id.in_(community_ids)).order_by(table.c.id)
    connection.execute(query.with_for_update()).all()


def read(connection: Connection, community_id: int, key: str) -> Registry:
    """Return the community as a run of the month `key` sees it."""
    table = tables.community
    row = connection.execute(select(table).where(table.c.id == community_id)).one()
    period = Period.month(key, ZoneInfo(row.zone))
    classes = {name: tuple(ids) for name, ids in read_json(row.tariffs).items()}
    tariffs = definitions.tariffs_in_force(connection, period)
    return Registry(
        id=community_id,
        code=row.code,
        period=period,
        currency=row.currency,
        due_days=row.due_days,
        units=_units(connection, community_id, period, classes),
        points=points(connection, community_id, period.zone),
        tariffs=tariffs,
        pools=definitions.pools(connection, community_id, period),
        issued=usages.issued_before(connection, community_id, period),
        peaks=peaks.billed_before(connection, community_id, period, tariffs),
        validation=reviews.settings_of(connection, community_id),
        reviews=reviews.decided(connection, community_id, key),
    )


def _assert_meters_free(connection: Connection, community: definition.Community) -> None:
    """Raise `MeterTakenError` if another community has one of the meters at the same time."""
    point, installation, other = tables.point, tables.installation, tables.community
    standing = defaultdict(list)
    for row in connection.execute(
        select(installation, point.c.code.label("point"), other.c.code.label("community"))
        .join(point, point.c.id == installation.c.point_id)
        .join(other, other.c.id == point.c.community_id)
    ):
        standing[row.meter].append(row)
    for each in community.point:
        for new in each.installation:
            for old in standing.get(new.meter, ()):
                if (old.end is None or new.start < old.end) and (
                    new.end is None or old.start < new.end
                ):
                    raise MeterTakenError(
                        f"meter {new.meter} of point {each.code} stands at {old.point} of "
                        f"community {old.community!r} at the same time; end it there, or correct "
                        "the meter's code"
                    )


def _ids(connection: Connection, table: Table, community_id: int) -> dict[str, int]:
    """Return the ids of a community's rows in `table` by their codes."""
    query = select(table.c.code, table.c.id).where(table.c.community_id == community_id)
    return {row.code: row.id for row in connection.execute(query)}


def _import_buildings(
    connection: Connection, community_id: int, buildings: Sequence[definition.Building]
) -> dict[str, int]:
    insert_rows(
        connection,
        tables.building,
        ("community_id", "code", "title"),
        [(community_id, each.code, canonical_json(each.title)) for each in buildings],
    )
    return _ids(connection, tables.building, community_id)


def _import_units(
    connection: Connection,
    community_id: int,
    units: Sequence[definition.Unit],
    buildings: Mapping[str, int],
) -> dict[str, int]:
    rows = [
        (community_id, buildings[each.building], each.code, each.entrance, each.floor)
        for each in units
    ]
    columns = ("community_id", "building_id", "code", "entrance", "floor")
    insert_rows(connection, tables.unit, columns, rows)
    ids = _ids(connection, tables.unit, community_id)
    facts.import_units(connection, units, ids)
    return ids


def _import_points(
    connection: Connection,
    community_id: int,
    points: Sequence[definition.Point],
    *,
    buildings: Mapping[str, int],
    units: Mapping[str, int],
) -> None:
    rows = [
        (
            community_id,
            None if each.unit is None else units[each.unit],
            None if each.building is None else buildings[each.building],
            each.code,
            each.medium,
            each.role,
        )
        for each in points
    ]
    columns = ("community_id", "unit_id", "building_id", "code", "medium", "role")
    insert_rows(connection, tables.point, columns, rows)
    ids = _ids(connection, tables.point, community_id)
    insert_rows(
        connection,
        tables.installation,
        installations.COLUMNS,
        [
            (ids[each.code], *installations.row(meter))
            for each in points
            for meter in each.installation
        ],
    )


def _units(
    connection: Connection,
    community_id: int,
    period: Period,
    classes: Mapping[str, tuple[str, ...]],
) -> tuple[Unit, ...]:
    unit, building = tables.unit, tables.building
    known = facts.read(connection, community_id, period)
    rows = select_rows(
        connection,
        select(unit.c.code, unit.c.id, building.c.code, unit.c.entrance, unit.c.floor)
        .join(building, building.c.id == unit.c.building_id)
        .where(unit.c.community_id == community_id),
    )
    return tuple(
        Unit(
            id=unit_id,
            code=code,
            building=building_code,
            entrance=entrance,
            floor=floor,
            spans=spans_of(period, known[unit_id], classes),
        )
        for code, unit_id, building_code, entrance, floor in _by_code(rows)
    )


def _by_code(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return `rows`, whose first value is their code, in the same order on every database."""
    return sorted(rows, key=itemgetter(0))


def points(
    connection: Connection, community_id: int, zone: ZoneInfo, *, unit_id: int | None = None
) -> tuple[Point, ...]:
    """Return the points of a community, or of one unit in it, by code, with all their meters."""
    point, unit, building = tables.point, tables.unit, tables.building
    standing = installations.read(connection, community_id, zone, unit_id=unit_id)
    recorded = installations.recorded(connection, community_id, unit_id=unit_id)
    columns = (point.c.code, point.c.id, point.c.medium, point.c.role)
    query = (
        select(*columns, unit.c.code, building.c.code)
        .select_from(point)
        .outerjoin(unit, unit.c.id == point.c.unit_id)
        .outerjoin(building, building.c.id == point.c.building_id)
        .where(point.c.community_id == community_id)
    )
    if unit_id is not None:
        query = query.where(point.c.unit_id == unit_id)
    rows = select_rows(connection, query)
    return tuple(
        Point(
            id=point_id,
            code=code,
            medium=medium,
            role=role,
            unit=unit_code,
            building=building_code,
            installations=tuple(standing.get(point_id, ())),
            recorded=tuple(recorded.get(point_id, ())),
        )
        for code, point_id, medium, role, unit_code, building_code in _by_code(rows)
    )
