"""What similar households used in issued months: kept, and dropped when one of them changes.

Of a month that is not kept, it is worked out for whoever asks. `keep` does that beforehand, for all
processes: in its own transaction, so that nobody who reads writes. What an issued month used stays
as it is; who is similar changes with the area and the class of a unit, and `forget` goes with that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, insert, select

from billing import similar, tables
from billing.canonical import canonical_json, read_json
from billing.similar import Medians
from billing.store.registry import lock
from billing.store.runs import LEFT
from billing.store.views import consumption
from billing.work_tables import similar_use
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import Select

_part = tables.community_run


def of(
    connection: Connection, community_id: int, medium: str, parts: Mapping[int, Period]
) -> dict[int, Medians]:
    """Return the medians of issued community runs, given by id with their months."""
    kept = select(similar_use).where(similar_use.c.community_run_id.in_(parts))
    found = {
        row.community_run_id: _read(read_json(row.medians).get(medium, {}))
        for row in connection.execute(kept)
    }
    missing = {each: period for each, period in parts.items() if each not in found}
    return found | _worked_out(connection, community_id, medium, missing)


def missing(connection: Connection) -> list[int]:
    """Return the communities that have issued months whose medians are not kept."""
    return sorted(connection.scalars(_missing().with_only_columns(_part.c.community_id).distinct()))


def keep(connection: Connection, community_id: int) -> int:
    """Keep the medians of a community's issued months that are not kept; return of how many.

    Nobody changes the community's units meanwhile: what is kept is what was said of them last.
    """
    owner, point = tables.community, tables.point
    lock(connection, [community_id])
    zone = ZoneInfo(
        connection.scalars(select(owner.c.zone).where(owner.c.id == community_id)).one()
    )
    rows = connection.execute(_missing().where(_part.c.community_id == community_id))
    parts = {row.id: Period.month(row.period, zone) for row in rows}
    media = connection.scalars(
        select(point.c.medium)
        .where(point.c.community_id == community_id, point.c.unit_id.is_not(None))
        .distinct()
    ).all()
    found = {medium: _worked_out(connection, community_id, medium, parts) for medium in media}
    for each in parts:
        written = {medium: _written(medians[each]) for medium, medians in found.items()}
        row = {"community_run_id": each, "medians": canonical_json(written)}
        connection.execute(insert(similar_use).values(row))
    return len(parts)


def forget(connection: Connection, community_id: int, since: date) -> None:
    """Drop what is kept of a community's months from that of `since` on."""
    concerned = select(_part.c.id).where(
        _part.c.community_id == community_id, _part.c.period >= f"{since:%Y-%m}"
    )
    connection.execute(delete(similar_use).where(similar_use.c.community_run_id.in_(concerned)))


def _missing() -> Select[Any]:
    run = tables.bill_run
    return (
        select(_part.c.id, _part.c.period)
        .join(run, run.c.id == _part.c.bill_run_id)
        .outerjoin(similar_use, similar_use.c.community_run_id == _part.c.id)
        .where(
            run.c.state == "issued",
            _part.c.state.not_in(LEFT),
            similar_use.c.community_run_id.is_(None),
        )
    )


def _worked_out(
    connection: Connection, community_id: int, medium: str, parts: Mapping[int, Period]
) -> dict[int, Medians]:
    if not parts:
        return {}
    used = consumption.used_by_units(connection, parts, medium)
    days = [each.first for each in parts.values()]
    known = consumption.households(connection, community_id, days)
    return {
        each: similar.medians(used[each], households)
        for each, households in zip(parts, known, strict=True)
    }


def _written(medians: Medians) -> dict[str, list[list[object]]]:
    return {
        "bands": [[name, band, use] for (name, band), use in medians.of_bands.items()],
        "classes": [[name, use] for name, use in medians.of_classes.items()],
    }


def _read(kept: Mapping[str, list[Any]]) -> Medians:
    return Medians(
        {(name, band): use for name, band, use in kept.get("bands", ())},
        dict(kept.get("classes", ())),
    )
