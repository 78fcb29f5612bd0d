"""API keys: clients and gateways, found by the digest of their key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, or_, select, update

from api import tables
from api.permission import Permission
from api.principal import Principal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


def add_key(
    connection: Connection,
    *,
    name: str,
    key_digest: str,
    scopes: Iterable[Permission],
    gateway: str | None,
    now: datetime,
    expires_at: datetime | None = None,
) -> None:
    """Store a key. Two may have one name, so that a key can be replaced without a gap."""
    connection.execute(
        insert(tables.api_key).values(
            name=name,
            key_digest=key_digest,
            scopes=json.dumps(sorted(scopes)),
            gateway=gateway,
            created_at=now,
            expires_at=expires_at,
        )
    )


def end_keys_of(connection: Connection, gateway: str, *, now: datetime) -> int:
    """Let every key that reports as `gateway` expire now; return how many there were."""
    table = tables.api_key
    live = or_(table.c.expires_at.is_(None), table.c.expires_at > now)
    ended = update(table).where(table.c.gateway == gateway, live).values(expires_at=now)
    return connection.execute(ended).rowcount


def find_principal(connection: Connection, key_digest: str, *, now: datetime) -> Principal | None:
    """Return the client that holds the key, None if there is none or it has expired."""
    table = tables.api_key
    row = connection.execute(
        select(table).where(
            table.c.key_digest == key_digest,
            or_(table.c.expires_at.is_(None), table.c.expires_at > now),
        )
    ).one_or_none()
    if row is None:
        return None
    return Principal(
        name=f"key:{row.name}",
        permissions=frozenset(Permission(scope) for scope in json.loads(row.scopes)),
        accounts=None,
        gateway=row.gateway,
    )
