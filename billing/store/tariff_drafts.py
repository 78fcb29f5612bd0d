"""Drafts of tariffs: kept by one person, published by another; then they are versions for ever."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Select, select, text

from billing.scoping import beyond, scope_of
from billing.store import audit, definitions
from billing.store.ids import insert
from billing.tariff import read_tariff
from billing.work_tables import tariff_draft
from meters.told import StateName, told

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from billing.tariff import Tariff


class DraftState(StrEnum):
    """What became of a draft."""

    OPEN = "open"
    PUBLISHED = "published"
    DROPPED = "dropped"


class DraftError(ValueError):
    """A draft does not take this step; the message says what to do."""


class DraftEyesError(PermissionError):
    """Who has drafted a tariff does not publish it."""


class SharedTariffError(PermissionError):
    """Another project is billed by a tariff, so one alone does not change it."""


class UnknownDraftError(LookupError):
    """No draft has this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A tariff that is not in force: `document` is its file as it was uploaded."""

    id: int
    code: str
    version: int
    document: str
    state: DraftState
    drafted_by: str
    drafted_at: datetime
    decided_by: str | None
    decided_at: datetime | None

    @property
    def tariff(self) -> Tariff:
        """The tariff that its file says; its examples hold."""
        return read_tariff(self.document, f"draft {self.id}")


def add(connection: Connection, document: str, *, actor: str, now: datetime) -> Draft:
    """Keep a draft that its examples prove, and return it.

    Raises `DefinitionError` with everything that is wrong with the file, `VersionExistsError` where
    its version is published with other content, and `SharedTariffError`.
    """
    tariff = read_tariff(document, "the draft")
    definitions.assert_new(connection, tariff)
    _assert_own(connection, tariff.id)
    draft_id = insert(
        connection,
        tariff_draft,
        code=tariff.id,
        version=tariff.version,
        document=document,
        state=str(DraftState.OPEN),
        drafted_by=actor,
        drafted_at=now,
    )
    found = read(connection, draft_id)
    _log(connection, "tariff.draft", found, actor=actor, now=now)
    return found


def publish(connection: Connection, draft_id: int, *, actor: str, now: datetime) -> Draft:
    """Make a version of a draft that somebody else has drafted, in force from its day on."""
    found = _open(connection, draft_id)
    if actor == found.drafted_by:
        raise DraftEyesError(
            told(
                "{person} has drafted {tariff}, version {version}, so somebody else "
                "publishes it (four eyes)",
                person=actor,
                tariff=found.code,
                version=found.version,
            )
        )
    _assert_own(connection, found.code)
    definitions.add_tariff(connection, found.tariff)
    return _decide(connection, found, DraftState.PUBLISHED, actor=actor, now=now)


def drop(connection: Connection, draft_id: int, *, actor: str, now: datetime) -> Draft:
    """Give a draft up; it stays to be seen."""
    found = _open(connection, draft_id)
    return _decide(connection, found, DraftState.DROPPED, actor=actor, now=now)


def read(connection: Connection, draft_id: int) -> Draft:
    """Return a draft; raise `UnknownDraftError`."""
    found = _drafts(connection, select(tariff_draft).where(tariff_draft.c.id == draft_id))
    if not found:
        raise UnknownDraftError(told("there is no draft {draft}", draft=draft_id))
    return found[0]


def waiting(connection: Connection) -> list[Draft]:
    """Return the drafts that are open, the oldest first."""
    query = select(tariff_draft).where(tariff_draft.c.state == DraftState.OPEN.value)
    return _drafts(connection, query.order_by(tariff_draft.c.id))


def _drafts(connection: Connection, query: Select[Any]) -> list[Draft]:
    return [
        Draft(
            id=row.id,
            code=row.code,
            version=row.version,
            document=row.document,
            state=DraftState(row.state),
            drafted_by=row.drafted_by,
            drafted_at=row.drafted_at,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
        )
        for row in connection.execute(query)
    ]


ELSEWHERE = text("""
    SELECT 1 FROM community WHERE project_id <> :project AND (
        tariffs LIKE :named
        OR id IN (SELECT community_id FROM pool_version WHERE document LIKE :named)
        OR id IN (
            SELECT unit.community_id FROM unit JOIN unit_tariffs ON unit_tariffs.unit_id = unit.id
            WHERE unit_tariffs.tariffs LIKE :named
        )
    ) LIMIT 1
""")
"""Whether a community of another project names a tariff: for a class, a unit or a supply."""


def _assert_own(connection: Connection, code: str) -> None:
    """Raise `SharedTariffError` where the caller's project is not the only one that is billed so.

    Tariffs are common to all projects; whoever runs the installation publishes those of several.
    """
    project = scope_of(connection)
    if project is None:
        return
    with beyond(connection):
        shared = connection.scalar(ELSEWHERE, {"project": project, "named": f'%"{code}"%'})
    if shared is not None:
        raise SharedTariffError(
            told(
                "tariff {tariff} is charged by another company too; give yours an id of "
                "its own, or ask whoever runs the installation (tallygate billing define)",
                tariff=code,
            )
        )


def _open(connection: Connection, draft_id: int) -> Draft:
    locked = select(tariff_draft).where(tariff_draft.c.id == draft_id).with_for_update()
    connection.execute(locked).one_or_none()
    found = read(connection, draft_id)
    if found.state is not DraftState.OPEN:
        raise DraftError(
            told(
                "draft {draft} is {state}; upload the tariff again",
                draft=draft_id,
                state=StateName(found.state),
            )
        )
    return found


def _decide(
    connection: Connection, found: Draft, state: DraftState, *, actor: str, now: datetime
) -> Draft:
    connection.execute(
        tariff_draft.update()
        .where(tariff_draft.c.id == found.id)
        .values(state=str(state), decided_by=actor, decided_at=now)
    )
    verb = "publish" if state is DraftState.PUBLISHED else "drop"
    _log(connection, f"tariff.{verb}", found, actor=actor, now=now)
    return read(connection, found.id)


def _log(connection: Connection, action: str, found: Draft, *, actor: str, now: datetime) -> None:
    tariff = found.tariff
    audit.append(
        connection,
        at=now,
        actor=actor,
        action=action,
        subject=f"tariff:{found.code}",
        detail={
            "draft": found.id,
            "version": found.version,
            "valid_from": tariff.valid_from,
            "digest": tariff.digest,
        },
    )
