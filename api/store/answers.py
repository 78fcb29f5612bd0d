"""Answers to calls that must happen once, kept under the caller's `Idempotency-Key`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api import tables

if TYPE_CHECKING:
    from datetime import datetime

    from billing.sealing import Seal


@dataclass(frozen=True, slots=True)
class Kept:
    """What was answered the first time; `status` is 0 until there is one.

    `body` is JSON, sealed where the settings of that time gave a key to seal with.
    """

    fingerprint: str
    status: int
    body: str


def is_mine(connection: Connection, *, principal: str, key: str) -> bool:
    """Return whether no other transaction works under `key`; none will before this one ends.

    On SQLite there is one that writes at a time, so the answer is always yes.
    """
    if connection.dialect.name == "sqlite":
        return True
    named = func.hashtextextended(f"{principal}\n{key}", 0)
    return bool(connection.scalar(select(func.pg_try_advisory_xact_lock(named))))


def claim(
    connection: Connection, *, principal: str, key: str, fingerprint: str, now: datetime
) -> Kept | None:
    """Take `key` for this call and return None, or return what holds it.

    Of two calls at once the second waits here until the first has committed or failed; `is_mine`
    says so before.
    """
    table = tables.idempotency
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    taken = connection.execute(
        dialect.insert(table)
        .values(
            principal=principal,
            key=key,
            fingerprint=fingerprint,
            status=0,
            body="",
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    if taken.rowcount == 1:
        return None
    return find(connection, principal=principal, key=key)


def find(connection: Connection, *, principal: str, key: str) -> Kept | None:
    """Return what is kept under `key`."""
    table = tables.idempotency
    row = connection.execute(
        select(table).where(table.c.principal == principal, table.c.key == key)
    ).one_or_none()
    return None if row is None else Kept(row.fingerprint, row.status, row.body)


def keep(connection: Connection, *, principal: str, key: str, status: int, body: str) -> None:
    """Keep the answer under the claimed `key`."""
    table = tables.idempotency
    connection.execute(
        update(table)
        .where(table.c.principal == principal, table.c.key == key)
        .values(status=status, body=body)
    )


def whose(principal: str, key: str) -> str:
    """Return for whom the answer under `key` is sealed."""
    return f"answer {principal} {key}"


def seal_those_with(connection: Connection, seal: Seal, text: str) -> None:
    """Seal the answers that hold `text` in clear; raise `NoSealKeyError`."""
    table = tables.idempotency
    query = select(table).where(table.c.body.contains(text, autoescape=True))
    for row in connection.execute(query).all():
        body = seal.close(row.body.encode(), whose(row.principal, row.key))
        keep(connection, principal=row.principal, key=row.key, status=row.status, body=body)


def drop(
    connection: Connection, *, principal: str, key: str, before: datetime | None = None
) -> None:
    """Give back a claimed `key` that has no answer; `before`: one that was claimed before."""
    table = tables.idempotency
    of_key = (table.c.principal == principal, table.c.key == key, table.c.status == 0)
    old = () if before is None else (table.c.created_at < before,)
    connection.execute(delete(table).where(*of_key, *old))


def forget(connection: Connection, *, before: datetime) -> None:
    """Drop answers that were kept before `before`."""
    table = tables.idempotency
    connection.execute(delete(table).where(table.c.created_at < before))
