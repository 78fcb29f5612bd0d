"""API keys: clients and gateways, found by the digest of their key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, or_, select, update

from api import tables
from api.permission import Permission
from api.principal import Principal
from billing.columns import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import BindParameter, ColumnElement

NOTED = timedelta(hours=1)
"""How exactly it is kept when a key was used: a call that only reads seldom waits for a write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as stored; what opens with it is kept as a digest only.

    `project`: the id of whose it is, None for a key that manages access to the installation.
    """

    id: int
    name: str
    scopes: frozenset[Permission]
    gateway: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    project: int | None

    def live(self, now: datetime) -> bool:
        return self.expires_at is None or self.expires_at > now

    def use_is_news(self, now: datetime) -> bool:
        """Return whether a use `now` is to be kept."""
        return self.last_used_at is None or now - self.last_used_at >= NOTED

    def principal(self) -> Principal:
        return Principal(
            name=f"key:{self.name}",
            permissions=self.scopes,
            accounts=None,
            gateway=self.gateway,
            project=self.project,
        )


def add_key(
    connection: Connection,
    *,
    name: str,
    key_digest: str,
    scopes: Iterable[Permission],
    gateway: str | None,
    now: datetime,
    expires_at: datetime | None = None,
    project: int | None = FIRST,
) -> int:
    """Store a key and return its number.

    Two may have one name, so that a key can be replaced without a gap.
    """
    table = tables.api_key
    values = {
        "name": name,
        "key_digest": key_digest,
        "scopes": json.dumps(sorted(scopes)),
        "gateway": gateway,
        "created_at": now,
        "expires_at": expires_at,
        "project_id": project,
    }
    return int(connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())


def listed(connection: Connection, name: str | None = None) -> list[Key]:
    """Return every key (called `name`), by name and the newest first."""
    table = tables.api_key
    query = select(table).order_by(table.c.name, table.c.id.desc())
    if name is not None:
        query = query.where(table.c.name == name)
    return [_key(row) for row in connection.execute(query)]


def find(connection: Connection, key_digest: str, *, now: datetime) -> Key | None:
    """Return the key, None if there is none or it has expired."""
    row = connection.execute(_found(), {"key_digest": key_digest, "now": now}).one_or_none()
    return None if row is None else _key(row)


@cache
def _found() -> Select[Any]:
    table = tables.api_key
    digested = table.c.key_digest == bindparam("key_digest")
    return select(table).where(digested, _live(bindparam("now")))


def end_key(connection: Connection, number: int, *, at: datetime) -> bool:
    """Let a key expire at `at`, unless it does before; return whether that changed it."""
    return bool(_end(connection, tables.api_key.c.id == number, at))


def end_keys_of(connection: Connection, gateway: str, *, now: datetime) -> int:
    """Let every key that reports as `gateway` expire now; return how many there were."""
    return _end(connection, tables.api_key.c.gateway == gateway, now)


def note_use(connection: Connection, number: int, *, now: datetime) -> None:
    """Keep that the key was used."""
    table = tables.api_key
    connection.execute(update(table).where(table.c.id == number).values(last_used_at=now))


def _end(connection: Connection, which: ColumnElement[bool], at: datetime) -> int:
    return connection.execute(
        update(tables.api_key).where(which, _live(at)).values(expires_at=at)
    ).rowcount


def _live(at: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    expires_at = tables.api_key.c.expires_at
    return or_(expires_at.is_(None), expires_at > at)


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        scopes=frozenset(Permission(scope) for scope in json.loads(row.scopes)),
        gateway=row.gateway,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        project=row.project_id,
    )
