"""Signing in, with a brake on guessing: failures are counted by name and by address.

Who has a second factor proves the password first and then a code. A right password opens nothing
then, and forgives nothing; wrong codes are counted by themselves too, as there are few codes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

from api import problems, second_factor
from api.credentials import TOKEN_BYTES, digest, new_token
from api.problems import ProblemError
from api.store import logins, second_factors, sessions
from api.store.sessions import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from api.resources import Resources
    from api.store.logins import Login

WINDOW = timedelta(minutes=15)
PER_NAME_AND_ADDRESS = 5
PER_ADDRESS = 50
PER_NAME = 100
"""High: whoever knows a name could otherwise keep its owner out."""
CODES_PER_NAME = 5
"""Low, from wherever they come: a million codes, three of them right, and only who knows the
password gets to guess one."""
PENDING_LASTS = timedelta(minutes=5)
"""How long a code is waited for."""

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened. `token` is shown once and kept by the caller only."""

    token: str
    login: Login
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that waits for a code. `token` opens nothing but the page that asks for it."""

    token: str


@dataclass(frozen=True, slots=True)
class _Proven:
    """Whose password was right. `rehashed`: a newer hash of it to keep."""

    login: Login
    rehashed: str | None
    needs_code: bool


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What is counted of an attempt: digests, since names and addresses are personal data."""

    together: str
    address: str
    name: str
    code: str

    @classmethod
    def of(cls, name: str, address: str) -> _Attempt:
        return cls(
            together=digest(f"both\n{name}\n{address}"),
            address=digest(f"address\n{address}"),
            name=digest(f"name\n{name}"),
            code=digest(f"code\n{name}"),
        )


async def sign_in(
    resources: Resources,
    *,
    name: str,
    password: str,
    code: str | None,
    address: str,
    lasts: timedelta | None = None,
    kept_as: Callable[[str], str] = digest,
) -> Opened:
    """Open a session of the API for `name` that `lasts`, None: as long as the settings say.

    Raises `ProblemError`: `wrong-password`, `second-factor-needed` where only `code` is missing,
    `wrong-code`, `second-factor-missing` where one must be set up on the pages first, or
    `too-many-attempts` whatever was sent.
    """
    proven = await _prove_password(resources, name, password, address)
    login = proven.login
    if proven.needs_code and code is None:
        raise ProblemError(problems.SECOND_FACTOR_NEEDED)
    if not proven.needs_code and login.role in resources.settings.second_factor_required_for:
        raise ProblemError(problems.SECOND_FACTOR_MISSING)
    opened = _to_open(resources, login, lasts)

    def keep(connection: Connection) -> None:
        _keep_hash(connection, proven)
        _open(connection, resources, opened, Kind.API, kept_as(opened.token))

    if proven.needs_code:
        await with_code(resources, login, code or "", address, keep)
    else:
        await _forgiving(resources, _Attempt.of(name, address), keep)
    return opened


async def sign_in_on_pages(
    resources: Resources, *, name: str, password: str, address: str
) -> Opened | Pending:
    """Open a session of the pages for `name`, or wait for a code where one is needed.

    Raises `ProblemError`: `wrong-password`, or `too-many-attempts` whatever the password.
    """
    proven = await _prove_password(resources, name, password, address)
    if not proven.needs_code:
        opened = _to_open(resources, proven.login)

        def keep(connection: Connection) -> None:
            _keep_hash(connection, proven)
            _open(connection, resources, opened, Kind.PAGE, digest(opened.token))

        await _forgiving(resources, _Attempt.of(name, address), keep)
        return opened
    pending, now = Pending(new_token("pending")), resources.now()

    def wait() -> None:
        with resources.database.transaction() as connection:
            _keep_hash(connection, proven)
            second_factors.open_pending(
                connection,
                token_digest=digest(pending.token),
                login_id=proven.login.id,
                now=now,
                expires_at=now + PENDING_LASTS,
            )

    await anyio.to_thread.run_sync(wait)
    return pending


async def finish(resources: Resources, *, token: str, code: str, address: str) -> Opened | None:
    """Open the session that a sign-in waits for, None where it waits no longer.

    `token`: that of `Pending`. Raises `ProblemError`: `wrong-code` or `too-many-attempts`.
    """
    with resources.database.snapshot() as connection:
        login = second_factors.find_pending(connection, digest(token), now=resources.now())
    if login is None:
        return None
    opened = _to_open(resources, login)

    def keep(connection: Connection) -> None:
        second_factors.close_pending(connection, login.id)
        _open(connection, resources, opened, Kind.PAGE, digest(opened.token))

    await with_code(resources, login, code, address, keep)
    return opened


async def with_code(
    resources: Resources,
    login: Login,
    code: str,
    address: str,
    work: Callable[[Connection], Done],
) -> Done:
    """Do `work` in the transaction in which `code` proves the second factor of `login`.

    Raises `ProblemError`: `wrong-code`, or `too-many-attempts` whatever the code.
    """
    attempt, now = _Attempt.of(login.name, address), resources.now()

    def tried() -> tuple[Done] | None:
        with resources.database.transaction() as connection:
            # whoever tries at the same time waits here, so that no guess is missed in the count
            second_factors.find(connection, login.id, locked=True)
            _assert_patient(connection, attempt, now)
            if logins.failures_since(connection, attempt.code, now - WINDOW) >= CODES_PER_NAME:
                raise _too_many()
            if second_factor.takes(connection, resources.seal, login, code, now=now):
                for subject in (attempt.together, attempt.code):
                    logins.forget_failures(connection, subject=subject, before=now - WINDOW)
                return (work(connection),)
            subjects = (attempt.together, attempt.address, attempt.name, attempt.code)
            logins.record_failures(connection, subjects, now=now)
            return None

    done = await anyio.to_thread.run_sync(tried)
    if done is None:
        raise ProblemError(problems.WRONG_CODE)
    return done[0]


async def _prove_password(resources: Resources, name: str, password: str, address: str) -> _Proven:
    """Return whose password it is; raise `ProblemError`."""
    attempt, now = _Attempt.of(name, address), resources.now()
    with resources.database.snapshot() as connection:
        _assert_patient(connection, attempt, now)
        login = logins.find_login(connection, name)
        needs_code = login is not None and second_factors.is_confirmed(connection, login.id)
    checked = await resources.passwords.check(
        password, None if login is None else login.password_hash
    )
    if login is None or not checked.right:
        await anyio.to_thread.run_sync(_record_failure, resources, attempt, now)
        raise ProblemError(problems.WRONG_PASSWORD)
    return _Proven(login, checked.rehashed, needs_code)


async def _forgiving(
    resources: Resources, attempt: _Attempt, work: Callable[[Connection], None]
) -> None:
    """Do `work` in the transaction that forgets what failed here before."""

    def change() -> None:
        with resources.database.transaction() as connection:
            before = resources.now() - WINDOW
            logins.forget_failures(connection, subject=attempt.together, before=before)
            work(connection)

    await anyio.to_thread.run_sync(change)


def _to_open(resources: Resources, login: Login, lasts: timedelta | None = None) -> Opened:
    lasting = lasts or timedelta(hours=resources.settings.session_hours)
    return Opened(new_token("session"), login, resources.now() + lasting)


def _open(
    connection: Connection, resources: Resources, opened: Opened, kind: Kind, token_digest: str
) -> None:
    sessions.open_session(
        connection,
        token_digest=token_digest,
        login_id=opened.login.id,
        kind=kind,
        csrf=secrets.token_urlsafe(TOKEN_BYTES),
        now=resources.now(),
        expires_at=opened.expires_at,
    )


def _keep_hash(connection: Connection, proven: _Proven) -> None:
    if proven.rehashed is not None:
        logins.change_hash(connection, proven.login.id, proven.rehashed)


def _assert_patient(connection: Connection, attempt: _Attempt, now: datetime) -> None:
    """Raise `ProblemError` where too many attempts have failed in the last minutes."""
    limits = (
        (attempt.together, PER_NAME_AND_ADDRESS),
        (attempt.address, PER_ADDRESS),
        (attempt.name, PER_NAME),
    )
    for subject, allowed in limits:
        if logins.failures_since(connection, subject, now - WINDOW) >= allowed:
            raise _too_many()


def _too_many() -> ProblemError:
    retry_s = int(WINDOW.total_seconds())
    return ProblemError(problems.TOO_MANY_ATTEMPTS, headers={"Retry-After": str(retry_s)})


def _record_failure(resources: Resources, attempt: _Attempt, now: datetime) -> None:
    subjects = (attempt.together, attempt.address, attempt.name)
    with resources.database.transaction() as connection:
        logins.record_failures(connection, subjects, now=now)
