"""What a community publishes: the tariffs and pools in force on a day, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import read_json
from billing.store.views import versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Row

    from billing.pools.pool import Pool
    from billing.tariff import Tariff


@dataclass(frozen=True, slots=True)
class PublishedTariff:
    """A tariff in force; `classes` are the customer classes that it is for, none for a pool's.

    `following` is the version that is to follow, where one is known.
    """

    tariff: Tariff
    classes: tuple[str, ...]
    following: Tariff | None


@dataclass(frozen=True, slots=True)
class PublishedPool:
    """A pool in force, and the version that is to follow, where one is known."""

    pool: Pool
    following: Pool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a community charges on `day`: tariffs first by class, then those of pools."""

    community_id: int
    code: str
    title: Mapping[str, str]
    day: date
    tariffs: tuple[PublishedTariff, ...]
    pools: tuple[PublishedPool, ...]


@dataclass(frozen=True, slots=True)
class CommunityNamed:
    """A community that somebody may read about."""

    id: int
    code: str
    title: Mapping[str, str]


def communities(connection: Connection, accounts: frozenset[int] | None) -> list[CommunityNamed]:
    """Return the communities of `accounts`, or all for None, by code."""
    community, account = tables.community, tables.account
    query = select(community.c.id, community.c.code, community.c.title).order_by(community.c.code)
    if accounts is not None:
        of = select(account.c.community_id).where(account.c.id.in_(accounts))
        query = query.where(community.c.id.in_(of))
    return [
        CommunityNamed(row.id, row.code, read_json(row.title)) for row in connection.execute(query)
    ]


def published(connection: Connection, community_id: int, *, now: datetime) -> Published:
    """Return what the community charges on the local day of `now`."""
    community = tables.community
    row = connection.execute(select(community).where(community.c.id == community_id)).one()
    day = now.astimezone(ZoneInfo(row.zone)).date()
    pools = _pools(connection, community_id, day)
    classes: dict[str, list[str]] = {}
    for name, codes in read_json(row.tariffs).items():
        for code in codes:
            classes.setdefault(code, []).append(name)
    for each in pools:
        if each.pool.source.tariff is not None:
            classes.setdefault(each.pool.source.tariff, [])
    return Published(
        community_id=community_id,
        code=row.code,
        title=read_json(row.title),
        day=day,
        tariffs=tuple(_tariffs(connection, classes, day)),
        pools=tuple(pools),
    )


def _tariffs(
    connection: Connection, classes: Mapping[str, list[str]], day: date
) -> Iterable[PublishedTariff]:
    table = tables.tariff_version
    rows = connection.execute(
        select(table)
        .where(table.c.code.in_(list(classes)))
        .order_by(table.c.valid_from, table.c.version)
    ).all()
    for code, names in classes.items():
        now, after = _in_force([row for row in rows if row.code == code], day)
        if now is not None:
            following = None if after is None else versions.tariff(after.document)
            yield PublishedTariff(versions.tariff(now.document), tuple(names), following)


def _pools(connection: Connection, community_id: int, day: date) -> list[PublishedPool]:
    table, retirement = tables.pool_version, tables.pool_retirement
    rows = connection.execute(select(table).where(table.c.community_id == community_id)).all()
    retired = connection.execute(
        select(retirement.c.code, retirement.c.from_day).where(
            retirement.c.community_id == community_id
        )
    ).all()
    found = []
    for code in sorted({row.code for row in rows}):
        ordered = sorted((row for row in rows if row.code == code), key=_since)
        now, after = _in_force(ordered, day)
        if now is None or any(
            each.code == code and _since(now)[0] < each.from_day <= day for each in retired
        ):
            continue
        following = None if after is None else versions.pool(after.document)
        found.append(PublishedPool(versions.pool(now.document), following))
    return found


def _in_force(rows: Iterable[Row[Any]], day: date) -> tuple[Row[Any] | None, Row[Any] | None]:
    """Return the version in force on `day` and the one that follows; `rows` come in order."""
    now = after = None
    for row in rows:
        if _since(row)[0] <= day:
            now = row
        elif after is None or _since(row)[0] == _since(after)[0]:
            after = row
    return now, after


def _since(row: Row[Any]) -> tuple[date, int]:
    return row.valid_from or date.min, row.version
