"""The audit log in the database: append-only, each entry chained to the one before by SHA-256."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, text

from billing import tables
from billing.canonical import canonical_json
from meters.interval import utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FIRST = "0" * 64


class AuditBrokenError(RuntimeError):
    """The log was changed after it was written."""


def append(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add what `actor` did to `subject`, in the transaction that does it."""
    table = tables.audit
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
    last = connection.execute(
        select(table.c.position, table.c.digest).order_by(table.c.position.desc()).limit(1)
    ).one_or_none()
    position, previous = (last.position + 1, last.digest) if last is not None else (1, FIRST)
    entry = {
        "position": position,
        "at": utc(at),
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": canonical_json(dict(detail or {})),
        "previous": previous,
    }
    connection.execute(table.insert().values(**entry, digest=_digest(entry)))


def verify(connection: Connection) -> int:
    """Return how many entries the log holds; raise `AuditBrokenError` at the first that is wrong.

    It finds every changed, removed or inserted entry but a cut at the end, which only a copy of the
    last digest kept elsewhere would show.
    """
    previous, position = FIRST, 0
    for row in connection.execute(select(tables.audit).order_by(tables.audit.c.position)):
        position += 1
        entry = {key: value for key, value in row._mapping.items() if key != "digest"}  # noqa: SLF001  SQLAlchemy's public name for a row's columns
        if row.position != position or row.previous != previous or row.digest != _digest(entry):
            raise AuditBrokenError(f"audit entry {position} is not what was written")
        previous = row.digest
    return position


def _digest(entry: Mapping[str, Any]) -> str:
    plain = {**entry, "at": entry["at"].isoformat()}
    return hashlib.sha256(canonical_json(plain).encode()).hexdigest()
