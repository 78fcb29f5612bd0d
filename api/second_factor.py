"""The second factor of a login: set up, proven, turned off, taken away, each told to the audit log.

Every function works in the transaction of its caller; the brake on guessing is `attempts.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from api import problems, totp
from api.credentials import digest, new_password
from api.problems import ProblemError
from api.store import second_factors, sessions
from billing.sealing import NoSealKeyError, Seal, SealError
from billing.store import audit
from meters.told import text_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from api.store.logins import Login
    from api.store.second_factors import Factor

LOG = logging.getLogger(__name__)

RECOVERY_CODES = 10


def begin(connection: Connection, seal: Seal, login: Login, *, now: datetime) -> None:
    """Make a secret for `login` that a first code is to confirm.

    Raises `ProblemError`: there is a second factor already, or no key to seal one with.
    """
    if second_factors.is_confirmed(connection, login.id):
        raise ProblemError(problems.SECOND_FACTOR_CHANGED)
    try:
        sealed = seal.close(totp.new_secret(), _whose(login))
    except NoSealKeyError as error:
        raise ProblemError(problems.NO_SECOND_FACTORS, text_of(error)) from error
    second_factors.begin(connection, login.id, sealed, now=now)


def confirm(
    connection: Connection,
    seal: Seal,
    login: Login,
    code: str,
    *,
    session: str,
    now: datetime,
) -> list[str]:
    """Let the second factor of `login` count; return its recovery codes, which are shown once.

    Other sessions than the one of the digest `session` end: a password alone opened them. Raises
    `ProblemError`: the code is wrong, or nothing is to be confirmed.
    """
    factor = second_factors.find(connection, login.id, locked=True)
    if factor is None or factor.confirmed_at is not None:
        raise ProblemError(problems.SECOND_FACTOR_CHANGED)
    secret = opened(seal, login, factor)
    step = totp.matching_step(secret, _plain(code), now=now, last_step=None)
    if step is None:
        raise ProblemError(problems.WRONG_CODE)
    codes = [new_password() for _ in range(RECOVERY_CODES)]
    digests = [digest(_plain(each)) for each in codes]
    second_factors.confirm(connection, login.id, step=step, codes=digests, now=now)
    sessions.close_sessions(connection, login.id, but=session)
    second_factors.close_pending(connection, login.id)
    _tell(connection, login, "second-factor.add", actor=login.name, now=now)
    return codes


def takes(connection: Connection, seal: Seal, login: Login, code: str, *, now: datetime) -> bool:
    """Return whether `code` proves the second factor of `login`, and use it up.

    It is the authenticator's or a recovery code. Raises `ProblemError` where no key opens the
    secret.
    """
    factor = second_factors.find(connection, login.id, locked=True)
    if factor is None or factor.confirmed_at is None:
        return False
    said = _plain(code)
    if len(said) != totp.DIGITS:
        if not second_factors.take_recovery_code(connection, login.id, digest(said), now=now):
            return False
        _tell(connection, login, "second-factor.recover", actor=login.name, now=now)
        return True
    secret = opened(seal, login, factor)
    step = totp.matching_step(secret, said, now=now, last_step=factor.last_step)
    if step is None or not second_factors.take_step(connection, login.id, step):
        return False
    if not seal.is_newest(factor.secret):
        second_factors.keep_sealed(connection, login.id, seal.close(secret, _whose(login)))
    return True


def turn_off(connection: Connection, login: Login, *, now: datetime) -> None:
    """Have `login` sign in by its password alone again, which it asks for itself."""
    second_factors.drop(connection, login.id)
    second_factors.close_pending(connection, login.id)
    _tell(connection, login, "second-factor.remove", actor=login.name, now=now)


def reset(connection: Connection, login: Login, *, actor: str, now: datetime) -> bool:
    """Take the second factor of `login` away, for who has lost it; return whether there was one.

    All its sessions end.
    """
    if not second_factors.drop(connection, login.id):
        return False
    second_factors.close_pending(connection, login.id)
    sessions.close_sessions(connection, login.id)
    _tell(connection, login, "second-factor.reset", actor=actor, now=now)
    return True


def opened(seal: Seal, login: Login, factor: Factor) -> bytes:
    """Return the secret of `factor`; raise `ProblemError` where no key of the settings opens it."""
    try:
        return seal.open(factor.secret, _whose(login))
    except SealError as error:
        LOG.error("the second factor of login %s does not open: %s", login.id, error)  # noqa: TRY400  no fault of the program
        raise ProblemError(problems.NO_SECOND_FACTORS) from error


def _whose(login: Login) -> str:
    return f"login {login.id}"


def _plain(code: str) -> str:
    """Return `code` without what people put between its letters."""
    return "".join(code.split()).replace("-", "").lower()


def _tell(connection: Connection, login: Login, action: str, *, actor: str, now: datetime) -> None:
    audit.append(
        connection, at=now, actor=actor, action=action, subject=login.name, project=login.project
    )
