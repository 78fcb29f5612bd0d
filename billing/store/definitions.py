"""Tariffs and pools in the database: every version is kept as it was stored, for ever."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, or_, select

from billing import tables
from billing.canonical import canonical, from_canonical
from billing.pools.pool import Pool
from billing.registry import PoolVersion, TariffVersion
from billing.store import audit, papers
from billing.store.ids import insert
from billing.tariff import Tariff
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from meters.interval import Period


class VersionExistsError(ValueError):
    """A version was stored before with another content; a change needs a new version."""


class UnknownPoolError(LookupError):
    """A community has no pool of this id."""


class UnknownPointError(LookupError):
    """A pool names a metering point that its community does not have, or has for a unit alone."""


def add_tariff(connection: Connection, tariff: Tariff) -> bool:
    """Store this version of `tariff` and say whether it is new: the same again changes nothing."""
    stored = _stored(connection, tariff)
    if stored is not None:
        _assert_same(stored, tariff, told("tariff {tariff}", tariff=tariff.id))
        return False
    insert(
        connection,
        tables.tariff_version,
        code=tariff.id,
        version=tariff.version,
        valid_from=tariff.valid_from,
        digest=tariff.digest,
        document=canonical(tariff),
    )
    return True


def assert_new(connection: Connection, tariff: Tariff) -> None:
    """Raise `VersionExistsError` where this version of `tariff` is stored already."""
    if _stored(connection, tariff) is not None:
        raise VersionExistsError(
            told(
                "version {version} of tariff {tariff} is in the books already; raise its version",
                version=tariff.version,
                tariff=tariff.id,
            )
        )


def add_pool(connection: Connection, community_id: int, pool: Pool) -> bool:
    """Store this version of a community's `pool`, as `add_tariff` does."""
    point = tables.point
    known = {
        row.code: row.role
        for row in connection.execute(
            select(point.c.code, point.c.role).where(point.c.community_id == community_id)
        )
    }
    for code in pool.source.measured:
        if code not in known:
            raise UnknownPointError(
                f"pool {pool.id} measures at {code}, which the community does not have; "
                "correct the point"
            )
        if known[code] == "unit" and code in pool.source.points:
            raise UnknownPointError(
                f"pool {pool.id} measures at {code}, which is a unit's own and billed to it; "
                "name a shared or a master point"
            )
    table = tables.pool_version
    stored = connection.scalar(
        select(table.c.digest).where(
            table.c.community_id == community_id,
            table.c.code == pool.id,
            table.c.version == pool.version,
        )
    )
    if stored is not None:
        _assert_same(stored, pool, told("pool {pool}", pool=pool.id))
        return False
    insert(
        connection,
        table,
        community_id=community_id,
        code=pool.id,
        version=pool.version,
        digest=pool.digest,
        document=canonical(pool),
        valid_from=pool.valid_from,
    )
    return True


def tariffs_in_force(
    connection: Connection, period: Period
) -> dict[str, tuple[TariffVersion, ...]]:
    """Return the versions of each tariff that are in force in `period`, by tariff id.

    On a day it is the one with the latest `valid_from`; of two from the same day, the higher
    version.
    """
    table = tables.tariff_version
    rows = connection.execute(
        select(table)
        .where(table.c.valid_from < period.after)
        .order_by(table.c.valid_from, table.c.version)
    )
    by_day: dict[str, dict[date, Row[Any]]] = defaultdict(dict)
    for row in rows:
        by_day[row.code][max(row.valid_from, period.first)] = row
    return {
        code: tuple(
            TariffVersion(row.id, from_canonical(Tariff, row.document)) for row in days.values()
        )
        for code, days in sorted(by_day.items())
    }


def tariff(connection: Connection, version_id: int) -> Tariff:
    """Return the tariff version `version_id`."""
    table = tables.tariff_version
    text = connection.scalar(select(table.c.document).where(table.c.id == version_id))
    return from_canonical(Tariff, str(text))


def tariff_id(connection: Connection, code: str, version: int) -> int:
    """Return the id of a stored tariff version; raise `LookupError` if there is none."""
    table = tables.tariff_version
    found = connection.scalar(
        select(table.c.id).where(table.c.code == code, table.c.version == version)
    )
    if found is None:
        raise LookupError(f"there is no version {version} of tariff {code!r}")
    return int(found)


def pools(connection: Connection, community_id: int, period: Period) -> tuple[PoolVersion, ...]:
    """Return the pools of a community as they stand in `period`, by pool id.

    A pool is shared by the version that is in force on the period's first day: the one with the
    latest `valid_from`; of two from the same day, the higher version. One that was retired since
    that version began, on that day or before it, is not shared.
    """
    table = tables.pool_version
    rows = connection.execute(
        select(table).where(
            table.c.community_id == community_id,
            or_(table.c.valid_from.is_(None), table.c.valid_from <= period.first),
        )
    )
    newest = {row.code: row for row in sorted(rows, key=_since)}
    retired = _retirements(connection, community_id)
    costs = papers.costs(connection, community_id, period.key)
    losses = papers.losses_approved(connection, community_id, period.key)
    carried = papers.carried(connection, community_id, period.key)
    return tuple(
        PoolVersion(
            row.id,
            from_canonical(Pool, row.document),
            costs=costs[code],
            losses_approved=losses[code],
            carried=carried[code],
        )
        for code, row in sorted(newest.items())
        if not any(_since(row)[0] < day <= period.first for day in retired[code])
    )


def _since(row: Row[Any]) -> tuple[date, int]:
    return row.valid_from or date.min, row.version


def _retirements(connection: Connection, community_id: int) -> dict[str, list[date]]:
    table = tables.pool_retirement
    found: dict[str, list[date]] = defaultdict(list)
    for row in connection.execute(
        select(table.c.code, table.c.from_day).where(table.c.community_id == community_id)
    ):
        found[row.code].append(row.from_day)
    return found


def retire_pool(
    connection: Connection,
    *,
    community_id: int,
    pool: str,
    from_day: date,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Share `pool` no more in periods that begin on `from_day` or later.

    A version with a later `valid_from` brings it back. Raises `UnknownPoolError`.
    """
    assert_pool(connection, community_id, pool)
    insert(
        connection,
        tables.pool_retirement,
        community_id=community_id,
        code=pool,
        from_day=from_day,
        reason=reason,
        retired_by=actor,
        retired_at=now,
    )
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="pool.retire",
        subject=f"pool:{pool}",
        communities=[community_id],
        detail={"community": community_id, "from_day": from_day, "reason": reason},
    )


def assert_pool(connection: Connection, community_id: int, pool: str) -> None:
    """Raise `UnknownPoolError` unless the community has a pool of this id."""
    table = tables.pool_version
    known = connection.scalar(
        select(table.c.id).where(table.c.community_id == community_id, table.c.code == pool)
    )
    if known is None:
        raise UnknownPoolError(f"the community has no pool {pool!r}; correct its name")


def pool(connection: Connection, version_id: int) -> Pool:
    """Return the pool version `version_id`."""
    table = tables.pool_version
    text = connection.scalar(select(table.c.document).where(table.c.id == version_id))
    return from_canonical(Pool, str(text))


def _stored(connection: Connection, tariff: Tariff) -> str | None:
    """Return the digest that this version of `tariff` is stored with, None where it is not."""
    table = tables.tariff_version
    same = (table.c.code == tariff.id, table.c.version == tariff.version)
    return connection.scalar(select(table.c.digest).where(*same))


def _assert_same(stored: str, offered: Tariff | Pool, what: str) -> None:
    if stored != offered.digest:
        raise VersionExistsError(
            told(
                "version {version} of {what} is stored with other content; raise its version",
                version=offered.version,
                what=what,
            )
        )
