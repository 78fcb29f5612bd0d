"""Templates that somebody has changed, version by version, in place of those that Tallygate brings.

The newest version counts; one without texts goes back to Tallygate's. None is changed or removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, func, select

from billing.canonical import canonical_json, read_json
from billing.delivery.event import Kind
from billing.delivery.wording import Texts, check, parts_of
from billing.delivery_tables import delivery_texts
from billing.store import audit
from billing.store.ids import insert
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row, Select


class NewerTextsError(ValueError):
    """Somebody else has stored a version since."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the texts of one kind in one language. `texts`: None for Tallygate's."""

    number: int
    texts: Texts | None
    changed_by: str
    changed_at: datetime


def find(connection: Connection, project: int, kind: Kind, language: str) -> Texts | None:
    """Return the texts that a project has now for `kind`, None where Tallygate's count."""
    newest = connection.execute(_newest_first(project, kind, language).limit(1)).one_or_none()
    return None if newest is None else _version(newest).texts


def newest(connection: Connection, project: int) -> dict[tuple[Kind, str], Version]:
    """Return the newest version of each kind and language that somebody of a project stored."""
    table = delivery_texts
    of = (table.c.kind, table.c.language)
    last = (
        select(*of, func.max(table.c.version).label("version"))
        .where(table.c.project_id == project)
        .group_by(*of)
        .subquery()
    )
    same = [table.c[each.name] == each for each in last.c]
    rows = connection.execute(select(table).join(last, and_(table.c.project_id == project, *same)))
    return {(Kind(row.kind), row.language): _version(row) for row in rows}


def versions(connection: Connection, project: int, kind: Kind, language: str) -> list[Version]:
    """Return what somebody has stored for `kind`, the newest first."""
    return [_version(row) for row in connection.execute(_newest_first(project, kind, language))]


def put(
    connection: Connection,
    project: int,
    kind: Kind,
    language: str,
    texts: Texts,
    *,
    actor: str,
    now: datetime,
    seen: int | None = None,
) -> int:
    """Store texts as a new version and return its number.

    `seen`: the newest version that `actor` knew of, 0 for none; None for whichever there is. Raises
    `TemplateRefusedError`, and `NewerTextsError` where there is a newer one than `seen`.
    """
    check(kind, texts)
    number = _next(connection, project, kind, language, seen)
    _add(connection, project, kind, language, texts, number=number, actor=actor, now=now)
    return number


def drop(
    connection: Connection,
    project: int,
    kind: Kind,
    language: str,
    *,
    actor: str,
    now: datetime,
    seen: int | None = None,
) -> bool:
    """Go back to the texts that Tallygate brings; return whether there were others.

    Raises `NewerTextsError` as `put`.
    """
    number = _next(connection, project, kind, language, seen)
    if find(connection, project, kind, language) is None:
        return False
    _add(connection, project, kind, language, None, number=number, actor=actor, now=now)
    return True


def _next(connection: Connection, project: int, kind: Kind, language: str, seen: int | None) -> int:
    query = _newest_first(project, kind, language).limit(1).with_for_update()
    row = connection.execute(query).one_or_none()
    newest = 0 if row is None else int(row.version)
    if seen is not None and newest != seen:
        raise NewerTextsError(
            told("version {newest} was stored since; look at it first", newest=newest)
        )
    return newest + 1


def _add(
    connection: Connection,
    project: int,
    kind: Kind,
    language: str,
    texts: Texts | None,
    *,
    number: int,
    actor: str,
    now: datetime,
) -> None:
    parts = None if texts is None else parts_of(texts)
    insert(
        connection,
        delivery_texts,
        project_id=project,
        kind=kind.value,
        language=language,
        version=number,
        texts=None if parts is None else canonical_json(parts),
        changed_by=actor,
        changed_at=now,
    )
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="texts.drop" if parts is None else "texts.put",
        subject=f"{kind} {language}",
        detail={"version": number, **({} if parts is None else {"texts": parts})},
        project=project,
    )


def _newest_first(project: int, kind: Kind, language: str) -> Select[Any]:
    table = delivery_texts
    return (
        select(table)
        .where(
            table.c.project_id == project,
            table.c.kind == kind.value,
            table.c.language == language,
        )
        .order_by(table.c.version.desc())
    )


def _version(row: Row[Any]) -> Version:
    texts = None if row.texts is None else Texts(**read_json(row.texts))
    return Version(row.version, texts, row.changed_by, row.changed_at)
