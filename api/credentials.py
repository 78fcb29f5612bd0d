"""Passwords and tokens: made at random, kept as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import cache

import anyio
import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

TOKEN_BYTES = 32
PASSWORD_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # noqa: S105  the letters that are no 0/O, 1/l
PASSWORD_GROUPS = 4
GROUP_LETTERS = 5
MIN_PASSWORD_LENGTH = 10
HASHES_AT_ONCE = 2
"""A hash takes 64 MiB for a moment: a flood of logins must wait, not fill the memory."""


class WeakPasswordError(ValueError):
    """A password is too short to be kept."""


def new_token(kind: str) -> str:
    """Return a new secret of 256 bits; `kind` says at sight what it is for."""
    return f"tg_{kind}_{secrets.token_urlsafe(TOKEN_BYTES)}"


def digest(token: str) -> str:
    """Return what is kept of a token. It is random, so one SHA-256 hides it.

    A stored token is found by its digest; to search it through the time that takes, one would have
    to choose digests, not tokens.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def new_password() -> str:
    """Return a random password of about 99 bits that can be read out on the telephone."""
    groups = (
        "".join(secrets.choice(PASSWORD_LETTERS) for _ in range(GROUP_LETTERS))
        for _ in range(PASSWORD_GROUPS)
    )
    return "-".join(groups)


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password was right, and a newer hash to keep where the stored one is outdated."""

    right: bool
    rehashed: str | None = None


class Passwords:
    """Hashes passwords with Argon2id (RFC 9106) off the event loop, a few at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._limit = anyio.CapacityLimiter(HASHES_AT_ONCE)
        _hash_of_nobody()

    def hash(self, password: str) -> str:
        """Return the hash to keep; raise `WeakPasswordError` for a short password."""
        if len(password) < MIN_PASSWORD_LENGTH:
            raise WeakPasswordError(
                f"the password has {len(password)} characters; choose one of at least "
                f"{MIN_PASSWORD_LENGTH}"
            )
        return self._hasher.hash(password)

    async def check(self, password: str, stored: str | None) -> Checked:
        """Return whether `password` has the hash `stored`; None takes as long and is wrong."""
        return await anyio.to_thread.run_sync(self._check, password, stored, limiter=self._limit)

    def _check(self, password: str, stored: str | None) -> Checked:
        try:
            self._hasher.verify(stored or _hash_of_nobody(), password)
        except (VerificationError, InvalidHashError):
            return Checked(right=False)
        if stored is None:
            return Checked(right=False)
        outdated = self._hasher.check_needs_rehash(stored)
        return Checked(right=True, rehashed=self._hasher.hash(password) if outdated else None)


@cache
def _hash_of_nobody() -> str:
    """Return what an unknown name's password is held against, so that it takes as long."""
    return PasswordHasher().hash(secrets.token_urlsafe(TOKEN_BYTES))
