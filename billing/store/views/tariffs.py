"""Tariffs as lists show them: every version, and the one that is in force on a day."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.store.views import runs
from billing.store.views import versions as stored

if TYPE_CHECKING:
    from collections.abc import Sequence
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


def today(connection: Connection, now: datetime) -> date:
    """Return the local day of `now` by which tariffs are in force: that of the first community."""
    return now.astimezone(runs.zone(connection)).date()


def in_force(versions: Sequence[Tariff], day: date) -> Tariff | None:
    """Return which of `versions`, the newest first, is in force on `day`; None before the first."""
    return next((each for each in versions if each.valid_from <= day), None)
