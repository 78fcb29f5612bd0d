"""Giving and taking access: logins and API keys, each change with its entry in the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from api import second_factor
from api.credentials import digest, new_token
from api.permission import BOUND, Permission, Role
from api.store import gateways, keys, logins
from billing.scoping import scope_of
from billing.store import audit, projects
from meters.told import text_of, told

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

COMMAND_LINE = "command line"
"""The actor of what is done on the server itself."""


OF_INSTALLATION = frozenset({Permission.LOGINS_MANAGE, Permission.KEYS_MANAGE})
"""What a key may do that is of no project."""


class AccessError(ValueError):
    """Access cannot be given so; the message says what to change."""


class UnknownLoginError(LookupError):
    """There is no login of this name, or none with a second factor."""


class UnknownKeyError(LookupError):
    """There is no live key of this name or number."""


def add_login(
    connection: Connection,
    *,
    name: str,
    password_hash: str,
    role: Role,
    accounts: Sequence[str],
    project: str | None = None,
    actor: str,
    now: datetime,
) -> None:
    """Add a login of `project` (by its code) that is bound to `accounts`, by theirs.

    Raises `AccessError`, `LoginExistsError` and `UnknownAccountError`.
    """
    if (role in BOUND) != bool(accounts):
        raise AccessError(
            told(
                "a login of role {role} needs an account, so that it is known whose bills to show",
                role=role,
            )
            if role in BOUND
            else told("a login of role {role} is not bound to accounts; leave them out", role=role)
        )
    whose = _whose(connection, project, installation=role is Role.ADMIN)
    logins.add_login(
        connection,
        name=name,
        password_hash=password_hash,
        role=role,
        accounts=[logins.account_id(connection, code, project=whose) for code in accounts],
        now=now,
        project=whose,
    )
    detail = {"role": str(role), "accounts": list(accounts)}
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="login.add",
        subject=name,
        detail=detail,
        project=whose,
    )


def reset_second_factor(connection: Connection, name: str, *, actor: str, now: datetime) -> None:
    """Take the second factor of the login `name` away and end its sessions.

    Raises `UnknownLoginError`.
    """
    login = logins.find_login(connection, name)
    if login is None:
        raise UnknownLoginError(f"there is no login {name!r}")
    if not second_factor.reset(connection, login, actor=actor, now=now):
        raise UnknownLoginError(f"the login {name!r} has no second factor")


def add_key(
    connection: Connection,
    *,
    name: str,
    scopes: Collection[Permission],
    gateway: str | None,
    days: int | None,
    project: str | None = None,
    actor: str,
    now: datetime,
) -> str:
    """Add a key of `project` (by its code) and return it: it is shown once.

    `days`: after how many it expires.

    A key that reports as a gateway is of the gateway `name` where `gateway` says none. Raises
    `AccessError`.
    """
    reports = Permission.GATEWAY_REPORT in scopes
    if gateway is not None and not reports:
        raise AccessError(
            told(
                "a gateway is for keys with the scope {scope}",
                scope=Permission.GATEWAY_REPORT,
            )
        )
    whose = _whose(connection, project, installation=frozenset(scopes) <= OF_INSTALLATION)
    reported = (gateway or name) if reports else None
    if reported is not None and gateways.is_of_another(connection, reported, project=whose):
        raise AccessError(
            told("gateway '{gateway}' is of another project; choose another name", gateway=reported)
        )
    token = new_token("key")
    keys.add_key(
        connection,
        name=name,
        key_digest=digest(token),
        scopes=scopes,
        gateway=reported,
        now=now,
        expires_at=None if days is None else now + timedelta(days=days),
        project=whose,
    )
    detail = {"scopes": sorted(scopes), "gateway": gateway, "days": days}
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="key.add",
        subject=name,
        detail=detail,
        project=whose,
    )
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
        raise UnknownKeyError(told("there is no live key called '{name}'; add one", name=name))
    _assert_of_one_project(live)
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
        project=newest.project,
    )
    detail = {"replaces": newest.id, "until": (now + overlap).isoformat(), "days": days}
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="key.rotate",
        subject=name,
        detail=detail,
        project=newest.project,
    )
    return token


def end_keys(connection: Connection, name: str, *, actor: str, now: datetime) -> int:
    """End every live key called `name` now; return how many. Raises `UnknownKeyError`."""
    live = [each for each in keys.listed(connection, name) if each.live(now)]
    _assert_of_one_project(live)
    ended = [each.id for each in live if keys.end_key(connection, each.id, at=now)]
    if not ended:
        raise UnknownKeyError(told("there is no live key called '{name}'", name=name))
    detail = {"keys": ended}
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="key.revoke",
        subject=name,
        detail=detail,
        project=live[0].project,
    )
    return len(ended)


def end_key(connection: Connection, number: int, *, actor: str, now: datetime) -> None:
    """End one key now. Raises `UnknownKeyError`."""
    found = next((each for each in keys.listed(connection) if each.id == number), None)
    if found is None or not keys.end_key(connection, number, at=now):
        raise UnknownKeyError(told("there is no live key {number}", number=number))
    detail = {"keys": [number]}
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="key.revoke",
        subject=found.name,
        detail=detail,
        project=found.project,
    )


def _assert_of_one_project(found: Sequence[keys.Key]) -> None:
    if len({each.project for each in found}) > 1:
        raise UnknownKeyError(told("keys of several projects are called so; say which project's"))


def _whose(connection: Connection, project: str | None, *, installation: bool) -> int | None:
    """Return the id of the project that a login or key is to be of; None for the installation.

    `installation`: whether it may be the installation's, which it is then where no project is said.
    """
    if installation and project is None and scope_of(connection) is None:
        return None
    try:
        return projects.chosen(connection, project)
    except projects.UnknownProjectError as error:
        raise AccessError(text_of(error)) from error
