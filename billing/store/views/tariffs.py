"""Tariffs as lists show them: every version, and the one that is in force on a day."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import read_json
from billing.store.views import runs
from billing.store.views import versions as stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from billing.tariff import Tariff


def by_code(connection: Connection) -> dict[str, list[Tariff]]:
    """Return every version of every tariff, the newest first, by tariff id."""
    table = tables.tariff_version
    found: dict[str, list[Tariff]] = defaultdict(list)
    query = select(table.c.code, table.c.document)
    for code, document in connection.execute(
        query.order_by(table.c.code, table.c.valid_from.desc(), table.c.version.desc())
    ):
        found[code].append(stored.tariff(document))
    return dict(found)


def versions(connection: Connection, code: str) -> list[Tariff]:
    """Return the versions of one tariff, the newest first; none of one that is not known."""
    table = tables.tariff_version
    query = select(table.c.document).where(table.c.code == code)
    return [
        stored.tariff(document)
        for document in connection.scalars(
            query.order_by(table.c.valid_from.desc(), table.c.version.desc())
        )
    ]


@dataclass(frozen=True, slots=True)
class Today:
    """The local day of `now` by which a tariff is in force.

    It is that of the first community whose customer classes the tariff charges; of a tariff that
    charges no class, that of the first community.
    """

    now: datetime
    first: ZoneInfo
    zones: Mapping[str, ZoneInfo]

    def of(self, tariff: Tariff) -> date:
        return self.now.astimezone(self.zones.get(tariff.id, self.first)).date()

    def in_force(self, versions: Sequence[Tariff]) -> Tariff | None:
        """Return which of `versions`, the newest first, is in force; None before the first."""
        return next((each for each in versions if each.valid_from <= self.of(each)), None)


def today(connection: Connection, now: datetime) -> Today:
    """Return the days by which tariffs are in force at `now`."""
    table, zones = tables.community, dict[str, ZoneInfo]()
    rows = connection.execute(select(table.c.zone, table.c.tariffs).order_by(table.c.code))
    for zone, tariffs in rows:
        for codes in read_json(tariffs).values():
            zones = dict.fromkeys(codes, ZoneInfo(zone)) | zones
    return Today(now, runs.zone(connection), zones)
