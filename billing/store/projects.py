"""Projects: the property companies of an installation, each with its own communities and people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing import tables
from billing.scoping import scope_of
from billing.store import audit
from billing.store.ids import insert
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


class ProjectExistsError(ValueError):
    """A project of this code was added before."""


class UnknownProjectError(LookupError):
    """No project has this code, or several could be meant."""


@dataclass(frozen=True, slots=True)
class Project:
    """A property company: its `code` is for commands and programs, its `name` for people."""

    id: int
    code: str
    name: str


def listed(connection: Connection) -> list[Project]:
    """Return the projects by code."""
    table = tables.project
    query = select(table.c.id, table.c.code, table.c.name).order_by(table.c.code)
    return [Project(*row) for row in connection.execute(query)]


def add(connection: Connection, code: str, name: str, *, actor: str, now: datetime) -> int:
    """Add a project and return its id; raise `ProjectExistsError`."""
    if any(each.code == code for each in listed(connection)):
        raise ProjectExistsError(f"project {code!r} is there already; choose another code")
    found = insert(connection, tables.project, code=code, name=name)
    audit.append(connection, at=now, actor=actor, action="project.add", subject=code, project=found)
    return found


def chosen(connection: Connection, code: str | None) -> int:
    """Return the id of the project `code`; without one that of the connection, or the only one.

    Raises `UnknownProjectError`, which lists the choices.
    """
    known = {each.code: each.id for each in listed(connection)}
    if code is None:
        meant = [scope_of(connection)] if scope_of(connection) is not None else [*known.values()]
        if len(meant) == 1 and meant[0] is not None:
            return meant[0]
        raise UnknownProjectError(
            told("there are several projects; say which: {known}", known=", ".join(known))
        )
    if code not in known:
        raise UnknownProjectError(
            told(
                "there is no project '{project}'; there is: {known}",
                project=code,
                known=", ".join(known),
            )
        )
    return known[code]


def of_communities(connection: Connection, community_ids: list[int]) -> set[int]:
    """Return whose the communities are."""
    table = tables.community
    return set(connection.scalars(select(table.c.project_id).where(table.c.id.in_(community_ids))))
