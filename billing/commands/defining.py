"""Storing tariffs and pools by command, told to the audit log in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.store import audit, definitions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.pools.pool import Pool
    from billing.tariff import Tariff


def define_tariff(connection: Connection, tariff: Tariff, *, actor: str, now: datetime) -> None:
    """Store this version of `tariff`; the same one again changes nothing, and is not told.

    Raises `VersionExistsError` where it is stored with another content.
    """
    if definitions.add_tariff(connection, tariff):
        audit.append(
            connection,
            at=now,
            actor=actor,
            action="tariff.publish",
            subject=f"tariff:{tariff.id}",
            detail={
                "version": tariff.version,
                "valid_from": tariff.valid_from,
                "digest": tariff.digest,
            },
        )


def define_pool(
    connection: Connection, community_id: int, pool: Pool, *, actor: str, now: datetime
) -> None:
    """Store this version of a community's `pool`, as `define_tariff` does.

    Raises `UnknownPointError` too, for a point that the pool cannot measure at.
    """
    if definitions.add_pool(connection, community_id, pool):
        audit.append(
            connection,
            at=now,
            actor=actor,
            action="pool.publish",
            subject=f"pool:{pool.id}",
            detail={"version": pool.version, "valid_from": pool.valid_from, "digest": pool.digest},
            communities=[community_id],
        )
