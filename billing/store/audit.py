"""The audit log in the database: append-only, each entry chained to the one before by SHA-256.

One chain holds the entries of all projects, and each entry says whose it is. Those of the first
project are hashed without saying so, as they were before there were projects.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, LargeBinary, Row, Select, cast, select, text

from billing import tables
from billing.canonical import canonical_json
from billing.columns import FIRST as FIRST_PROJECT
from billing.scoping import beyond, scope_of
from meters.interval import utc

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

FIRST = "0" * 64
STORED = "%Y-%m-%d %H:%M:%S.%f"
"""How SQLite holds a time."""


class AuditBrokenError(RuntimeError):
    """The log was changed after it was written."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry: whoever keeps it elsewhere sees that the log was cut."""

    position: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What somebody did. `detail`: JSON."""

    position: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries: of whom, what, about what; `since` ≤ time < `until`. None for all."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def append(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    project: int | None = None,
    communities: Collection[int] = (),
) -> None:
    """Add what `actor` did to `subject`, in the transaction that does it.

    `project`: whose entry it is; that of the connection, else those of the `communities` that it
    is about, an entry for each, where it is not said. With neither it is the only project's, and
    where there are several the installation's: no project sees it.
    """
    values = {
        "at": utc(at),
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": canonical_json(dict(detail or {})),
    }
    for whose in _whose(connection, project, communities):
        _add(connection, {"project_id": whose, **values})


def _whose(
    connection: Connection, project: int | None, communities: Collection[int]
) -> Sequence[int | None]:
    """Return the projects that an entry is for, by id."""
    said = project if project is not None else scope_of(connection)
    if said is not None:
        return (said,)
    table = tables.community
    query = select(table.c.project_id).where(table.c.id.in_(communities)).distinct()
    concerned = sorted(connection.scalars(query)) if communities else []
    return concerned or (_only_project(connection),)


def _add(connection: Connection, values: Mapping[str, Any]) -> None:
    with beyond(connection):
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
        last = connection.execute(
            text("SELECT position, digest FROM audit ORDER BY position DESC LIMIT 1")
        ).one_or_none()
    position, previous = (last.position + 1, last.digest) if last is not None else (1, FIRST)
    entry = {"position": position, **values, "previous": previous}
    connection.execute(tables.audit.insert().values(**entry, digest=_digest(entry)))


def verify(connection: Connection, *, head: Head | None = None) -> int:
    """Return how many entries the log holds; raise `AuditBrokenError` at the first that is wrong.

    It finds every changed, removed or inserted entry. A cut at the end shows by `head` only: the
    last entry as it was once, kept elsewhere.
    """
    previous, position = FIRST, 0
    for row in connection.execute(_as_stored(connection)):
        position += 1
        wrong = _wrong(row, position, previous)
        if wrong is None and head is not None and head.position == position:
            wrong = None if row.digest in _forms(head.digest) else "it was another one before"
        if wrong is not None:
            raise AuditBrokenError(f"audit entry {position} is not what was written: {wrong}")
        previous = _text(row.digest)
    if head is not None and head.position > position:
        raise AuditBrokenError(
            f"the audit log ends with entry {position}, but it held {head.position} before: what "
            "stood at its end is gone"
        )
    return position


def last(connection: Connection) -> Head:
    """Return the last entry, to be kept elsewhere: before the first it is number 0."""
    table = tables.audit
    query = select(table.c.position, table.c.digest).order_by(table.c.position.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Head(0, FIRST) if row is None else Head(row.position, row.digest)


def entries(
    connection: Connection, wanted: Wanted, *, limit: int, before: int | None = None
) -> list[Entry]:
    """Return at most `limit` of the `wanted` entries before number `before`, the newest first."""
    table = tables.audit
    query = select(table).order_by(table.c.position.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.position < before)
    for column, value in (
        (table.c.actor, wanted.actor),
        (table.c.action, wanted.action),
        (table.c.subject, wanted.subject),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(table.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.c.at < wanted.until)
    return [
        Entry(
            position=row.position,
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
            digest=row.digest,
        )
        for row in connection.execute(query)
    ]


def _as_stored(connection: Connection) -> Select[Any]:
    """Return the query of all entries; on SQLite as bytes, so that each of them counts."""
    table = tables.audit
    columns = [column for column in table.c if column.name != "position"]
    if connection.dialect.name == "sqlite":
        stored: list[Any] = [cast(each, LargeBinary).label(each.name) for each in columns]
    else:
        stored = list(columns)
    return select(table.c.position, *stored).order_by(table.c.position)


def _wrong(row: Row[Any], position: int, previous: str) -> str | None:
    """Return what is wrong with a row that should be entry `position`, None for nothing."""
    if row.position != position:
        return f"it is missing, and entry {row.position} follows"
    try:
        entry = {
            "position": row.position,
            "project_id": _number(row.project_id),
            "at": _instant(row.at),
            **{name: _text(getattr(row, name)) for name in ("actor", "action", "subject")},
            **{name: _text(getattr(row, name)) for name in ("detail", "previous")},
        }
        same = row.digest in _forms(_digest(entry))
    except ValueError as error:
        return f"it cannot be read ({error})"
    if not same:
        return "its content is not that of its digest"
    if entry["previous"] != previous:
        return f"it does not follow entry {position - 1} as that is now"
    return None


def _text(stored: str | bytes) -> str:
    return stored.decode() if isinstance(stored, bytes) else stored


def _number(stored: int | bytes | None) -> int | None:
    """Return a number as it stands on PostgreSQL or, as bytes, on SQLite."""
    return int(stored) if isinstance(stored, bytes) else stored


def _only_project(connection: Connection) -> int | None:
    """Return the project where there is one only."""
    found = connection.scalars(select(tables.project.c.id).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _forms(text: str) -> tuple[str, bytes]:
    return text, text.encode()


def _instant(stored: datetime | bytes) -> datetime:
    """Return a time as it stands on PostgreSQL or, as bytes, on SQLite.

    Raises `ValueError` for bytes that this program would not have written.
    """
    if not isinstance(stored, bytes):
        return utc(stored)
    found = datetime.strptime(stored.decode(), STORED).replace(tzinfo=UTC)
    if found.strftime(STORED) != stored.decode():
        raise ValueError(f"{stored!r} is not how a time is written")
    return found


def _digest(entry: Mapping[str, Any]) -> str:
    plain = {**entry, "at": entry["at"].isoformat()}
    if plain["project_id"] == FIRST_PROJECT:
        del plain["project_id"]
    return hashlib.sha256(canonical_json(plain).encode()).hexdigest()
