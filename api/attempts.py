"""Signing in, with a brake on guessing: failures are counted by name and by address."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio.to_thread

from api import problems
from api.credentials import TOKEN_BYTES, digest, new_token
from api.problems import ProblemError
from api.store import logins, sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from api.resources import Resources
    from api.store.logins import Login
    from api.store.sessions import Kind

WINDOW = timedelta(minutes=15)
PER_NAME_AND_ADDRESS = 5
PER_ADDRESS = 50
PER_NAME = 100
"""High: whoever knows a name could otherwise keep its owner out."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened. `token` is shown once and kept by the caller only."""

    token: str
    login: Login
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What is counted of an attempt: digests, since names and addresses are personal data."""

    together: str
    address: str
    name: str

    @classmethod
    def of(cls, name: str, address: str) -> _Attempt:
        return cls(
            together=digest(f"both\n{name}\n{address}"),
            address=digest(f"address\n{address}"),
            name=digest(f"name\n{name}"),
        )


async def sign_in(
    resources: Resources,
    *,
    name: str,
    password: str,
    address: str,
    kind: Kind,
    lasts: timedelta | None = None,
    kept_as: Callable[[str], str] = digest,
) -> Opened:
    """Open a session for the login `name` that `lasts`, None: as long as the settings say.

    Raises `ProblemError`: `wrong-password`, or `too-many-attempts` whatever the password.
    """
    attempt, now = _Attempt.of(name, address), resources.now()
    with resources.database.snapshot() as connection:
        _assert_patient(connection, attempt, now)
        login = logins.find_login(connection, name)
    checked = await resources.passwords.check(
        password, None if login is None else login.password_hash
    )
    if login is None or not checked.right:
        await anyio.to_thread.run_sync(_record_failure, resources, attempt, now)
        raise ProblemError(problems.WRONG_PASSWORD)
    opened = Opened(
        token=new_token("session"),
        login=login,
        expires_at=now + (lasts or timedelta(hours=resources.settings.session_hours)),
    )

    def keep() -> None:
        with resources.database.transaction() as connection:
            if checked.rehashed is not None:
                logins.change_hash(connection, login.id, checked.rehashed)
            logins.forget_failures(connection, subject=attempt.together, before=now - WINDOW)
            sessions.open_session(
                connection,
                token_digest=kept_as(opened.token),
                login_id=login.id,
                kind=kind,
                csrf=secrets.token_urlsafe(TOKEN_BYTES),
                now=now,
                expires_at=opened.expires_at,
            )

    await anyio.to_thread.run_sync(keep)
    return opened


def _assert_patient(connection: Connection, attempt: _Attempt, now: datetime) -> None:
    """Raise `ProblemError` where too many attempts have failed in the last minutes."""
    limits = (
        (attempt.together, PER_NAME_AND_ADDRESS),
        (attempt.address, PER_ADDRESS),
        (attempt.name, PER_NAME),
    )
    for subject, allowed in limits:
        if logins.failures_since(connection, subject, now - WINDOW) >= allowed:
            retry_s = int(WINDOW.total_seconds())
            raise ProblemError(problems.TOO_MANY_ATTEMPTS, headers={"Retry-After": str(retry_s)})


def _record_failure(resources: Resources, attempt: _Attempt, now: datetime) -> None:
    subjects = (attempt.together, attempt.address, attempt.name)
    with resources.database.transaction() as connection:
        logins.record_failures(connection, subjects, now=now)
