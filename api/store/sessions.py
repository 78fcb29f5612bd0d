"""Sessions: open logins, found by the digest of their token."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select

from api import tables
from api.permission import BOUND, ROLE_PERMISSIONS, Role
from api.principal import Principal, Session

if TYPE_CHECKING:
    from datetime import datetime


class Kind(StrEnum):
    """Where a session's token is taken: a page's cookie never opens the API, nor the reverse."""

    PAGE = "page"
    API = "api"


def open_session(
    connection: Connection,
    *,
    token_digest: str,
    login_id: int,
    kind: Kind,
    csrf: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Store a session, and drop those that have expired."""
    table = tables.session
    connection.execute(delete(table).where(table.c.expires_at <= now))
    connection.execute(
        insert(table).values(
            token_digest=token_digest,
            login_id=login_id,
            kind=str(kind),
            csrf=csrf,
            created_at=now,
            expires_at=expires_at,
        )
    )


def find_principal(
    connection: Connection, token_digest: str, kind: Kind, *, now: datetime
) -> Principal | None:
    """Return who holds the session, None if it does not exist or has expired."""
    session, login, linked = tables.session, tables.login, tables.login_account
    row = connection.execute(
        select(login.c.id, login.c.name, login.c.role, login.c.project_id, session.c.csrf)
        .join(session, session.c.login_id == login.c.id)
        .where(
            session.c.token_digest == token_digest,
            session.c.kind == str(kind),
            session.c.expires_at > now,
        )
    ).one_or_none()
    if row is None:
        return None
    role = Role(row.role)
    accounts = None
    if role in BOUND:
        held = select(linked.c.account_id).where(linked.c.login_id == row.id)
        accounts = frozenset(connection.scalars(held))
    return Principal(
        name=row.name,
        permissions=ROLE_PERMISSIONS[role],
        accounts=accounts,
        role=role,
        session=Session(token_digest, row.csrf),
        project=row.project_id,
    )


def close_session(connection: Connection, token_digest: str) -> None:
    """End a session; do nothing if it has ended."""
    table = tables.session
    connection.execute(delete(table).where(table.c.token_digest == token_digest))
