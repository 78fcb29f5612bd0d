"""Templates that somebody has changed: in place of those that Tallygate brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select

from billing.canonical import canonical_json, read_json
from billing.delivery.wording import Texts, check, parts_of
from billing.delivery_tables import delivery_texts
from billing.store import audit
from billing.store.ids import insert

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from billing.delivery.event import Kind


def find(connection: Connection, project: int, kind: Kind, language: str) -> Texts | None:
    """Return the texts that a project has stored for `kind`, None where it has stored none."""
    text = connection.scalar(select(delivery_texts.c.texts).where(_of(project, kind, language)))
    return None if text is None else Texts(**read_json(text))


def put(
    connection: Connection,
    project: int,
    kind: Kind,
    language: str,
    texts: Texts,
    *,
    actor: str,
    now: datetime,
) -> None:
    """Store texts in place of those before. Raises `TemplateRefusedError`."""
    check(kind, texts)
    connection.execute(delete(delivery_texts).where(_of(project, kind, language)))
    insert(
        connection,
        delivery_texts,
        project_id=project,
        kind=kind.value,
        language=language,
        texts=canonical_json(parts_of(texts)),
        changed_by=actor,
        changed_at=now,
    )
    _log(connection, "texts.put", project, f"{kind} {language}", actor=actor, now=now)


def drop(
    connection: Connection, project: int, kind: Kind, language: str, *, actor: str, now: datetime
) -> bool:
    """Go back to the texts that Tallygate brings; return whether there were others."""
    dropped = connection.execute(
        delete(delivery_texts).where(_of(project, kind, language))
    ).rowcount
    if dropped:
        _log(connection, "texts.drop", project, f"{kind} {language}", actor=actor, now=now)
    return bool(dropped)


def _of(project: int, kind: Kind, language: str) -> ColumnElement[bool]:
    of_project = delivery_texts.c.project_id == project
    said = (delivery_texts.c.kind == kind.value) & (delivery_texts.c.language == language)
    return of_project & said


def _log(
    connection: Connection, action: str, project: int, subject: str, *, actor: str, now: datetime
) -> None:
    audit.append(connection, at=now, actor=actor, action=action, subject=subject, project=project)
