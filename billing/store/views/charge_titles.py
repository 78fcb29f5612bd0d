"""What charges and pools are called: a month's figures name them by their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.store.views import versions

if TYPE_CHECKING:
    from collections.abc import Mapping


def of_community(connection: Connection, community_id: int) -> dict[str, Mapping[str, str]]:
    """Return the title of every charge and every pool that a community may bill, by its key.

    The newest version says it; charges are known by tariff, pools by community.
    """
    tariff, pool = tables.tariff_version, tables.pool_version
    found: dict[str, Mapping[str, str]] = {}
    for document in connection.scalars(select(tariff.c.document).order_by(tariff.c.version)):
        found |= {each.name: each.title for each in versions.tariff(document).charges}
    query = select(pool.c.document).where(pool.c.community_id == community_id)
    for document in connection.scalars(query.order_by(pool.c.version)):
        known = versions.pool(document)
        found[known.id] = known.title
    return found
