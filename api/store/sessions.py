"""Sessions: open logins, found by the digest of their token."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, bindparam, delete, insert, select

from api import tables
from api.permission import BOUND, ROLE_PERMISSIONS, Role
from api.principal import Principal, Session
from api.store.second_factors import is_confirmed

if TYPE_CHECKING:
    from collections.abc import Collection
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
    connection: Connection,
    token_digest: str,
    kind: Kind,
    *,
    now: datetime,
    needing: Collection[Role] = (),
) -> Principal | None:
    """Return who holds the session, None if it does not exist or has expired.

    Somebody of a role of `needing` without a second factor has no permissions before there is one.
    """
    values = {"token_digest": token_digest, "kind": str(kind), "now": now}
    rows = connection.execute(_holder(), values).all()
    if not rows:
        return None
    row = rows[0]
    role = Role(row.role)
    held = frozenset(each.account_id for each in rows if each.account_id is not None)
    must_enrol = role in needing and not is_confirmed(connection, row.id)
    return Principal(
        name=row.name,
        permissions=frozenset() if must_enrol else ROLE_PERMISSIONS[role],
        accounts=held if role in BOUND else None,
        role=role,
        session=Session(token_digest, row.csrf),
        project=row.project_id,
        must_enrol=must_enrol,
    )


@cache
def _holder() -> Select[Any]:
    """Return the statement of whose a live session is: a row for each account of the login."""
    session, login, linked = tables.session, tables.login, tables.login_account
    return (
        select(
            *(login.c.id, login.c.name, login.c.role, login.c.project_id),
            *(session.c.csrf, linked.c.account_id),
        )
        .join(session, session.c.login_id == login.c.id)
        .outerjoin(linked, linked.c.login_id == login.c.id)
        .where(
            session.c.token_digest == bindparam("token_digest"),
            session.c.kind == bindparam("kind"),
            session.c.expires_at > bindparam("now"),
        )
    )


def close_session(connection: Connection, token_digest: str) -> None:
    """End a session; do nothing if it has ended."""
    table = tables.session
    connection.execute(delete(table).where(table.c.token_digest == token_digest))


def close_sessions(connection: Connection, login_id: int, *, but: str | None = None) -> None:
    """End the sessions of a login, all or all but the one of the digest `but`."""
    table = tables.session
    ended = delete(table).where(table.c.login_id == login_id)
    connection.execute(ended if but is None else ended.where(table.c.token_digest != but))
