"""Giving and taking access: logins and API keys, each change with its entry in the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from api.credentials import digest, new_token
from api.permission import BOUND, Permission, Role
from api.store import keys, logins
from billing.store import audit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

COMMAND_LINE = "command line"
"""The actor of what is done on the server itself."""


class AccessError(ValueError):
    """Access cannot be given so; the message says what to change."""


class UnknownKeyError(LookupError):
    """There is no live key of this name or number."""


def add_login(
    connection: Connection,
    *,
    name: str,
    password_hash: str,
    role: Role,
    accounts: Sequence[str],
    actor: str,
    now: datetime,
) -> None:
    """Add a login that is bound to `accounts`, by their codes.

    Raises `AccessError`, `LoginExistsError` and `UnknownAccountError`.
    """
    if (role in BOUND) != bool(accounts):
        raise AccessError(
            f"a login of role {role} needs an account, so that it is known whose bills to show"
            if role in BOUND
            else f"a login of role {role} is not bound to accounts; leave them out"
        )
    logins.add_login(
        connection,
        name=name,
        password_hash=password_hash,
        role=role,
        accounts=[logins.account_id(connection, code) for code in accounts],
        now=now,
    )
    detail = {"role": str(role), "accounts": list(accounts)}
    audit.append(connection, at=now, actor=actor, action="login.add", subject=name, detail=detail)


def add_key(
    connection: Connection,
    *,
    name: str,
    scopes: Collection[Permission],
    gateway: str | None,
    days: int | None,
    actor: str,
    now: datetime,
) -> str:
    """Add a key and return it: it is shown once. `days`: after how many it expires.

    A key that reports as a gateway is of the gateway `name` where `gateway` says none. Raises
    `AccessError`.
    """
    reports = Permission.GATEWAY_REPORT in scopes
    if gateway is not None and not reports:
        raise AccessError(f"a gateway is for keys with the scope {Permission.GATEWAY_REPORT}")
    token = new_token("key")
    keys.add_key(
        connection,
        name=name,
        key_digest=digest(token),
        scopes=scopes,
        gateway=(gateway or name) if reports else None,
        now=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    detail = {"scopes": sorted(scopes), "gateway": gateway, "days": days}
    audit.append(connection, at=now, actor=actor, action="key.add", subject=name, detail=detail)
    return token


def rotate_key(
    connection: Connection,
    name: str,
    *,
    overlap: timedelta,
    days: int | None,
    actor: str,
    now: datetime,
) -> str:
    """Add a key in place of the newest one called `name`, and return it: it is shown once.

    That one works for `overlap` more, so that nothing stops while it is replaced; those before it
    end now: at most two live. Raises `UnknownKeyError`.
    """
    live = [each for each in keys.listed(connection, name) if each.live(now)]
    if not live:
        raise UnknownKeyError(f"there is no live key called {name!r}; add one")
    newest, *older = live
    for each in older:
        keys.end_key(connection, each.id, at=now)
    keys.end_key(connection, newest.id, at=now + overlap)
    token = new_token("key")
    keys.add_key(
        connection,
        name=name,
        key_digest=digest(token),
        scopes=newest.scopes,
        gateway=newest.gateway,
        now=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    detail = {"replaces": newest.id, "until": (now + overlap).isoformat(), "days": days}
    audit.append(connection, at=now, actor=actor, action="key.rotate", subject=name, detail=detail)
    return token


def end_keys(connection: Connection, name: str, *, actor: str, now: datetime) -> int:
    """End every live key called `name` now; return how many. Raises `UnknownKeyError`."""
    ended = [
        each.id
        for each in keys.listed(connection, name)
        if keys.end_key(connection, each.id, at=now)
    ]
    if not ended:
        raise UnknownKeyError(f"there is no live key called {name!r}")
    detail = {"keys": ended}
    audit.append(connection, at=now, actor=actor, action="key.revoke", subject=name, detail=detail)
    return len(ended)


def end_key(connection: Connection, number: int, *, actor: str, now: datetime) -> None:
    """End one key now. Raises `UnknownKeyError`."""
    found = next((each for each in keys.listed(connection) if each.id == number), None)
    if found is None or not keys.end_key(connection, number, at=now):
        raise UnknownKeyError(f"there is no live key {number}")
    detail = {"keys": [number]}
    audit.append(
        connection, at=now, actor=actor, action="key.revoke", subject=found.name, detail=detail
    )
