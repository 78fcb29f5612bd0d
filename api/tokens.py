"""Short tokens of people (JWT, RFC 7519): signed, for ten minutes, and ended with their session.

A token names a session, so whoever signs out, or loses the login, loses it too: the signature only
spares guessing, the session decides. HS256 with the keys of the settings: the first signs, the
others still prove, and `kid` says which one it was, so that keys are changed without a gap.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import jwt

from api.credentials import TOKEN_BYTES, digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

LASTS = timedelta(minutes=10)
ALGORITHM = "HS256"
ISSUER = "tallygate"
AUDIENCE = "tallygate-api"
CLAIMS = ("iss", "aud", "sub", "iat", "exp", "sid")
MIN_KEY_LENGTH = 32
"""Characters of a key: as many bits as its hash has at the least (RFC 7518, 3.2)."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a proven token says: whose it is, and the digest of its session."""

    name: str
    session_digest: str


class Tokens:
    """Signs and proves with `keys`, the newest first; with one of its own where there are none.

    A key of its own is this process's: with several processes the settings must give keys.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        made = tuple(keys) or (secrets.token_urlsafe(TOKEN_BYTES),)
        self._keys = {hashlib.sha256(key.encode()).hexdigest()[:16]: key for key in made}
        self._newest = next(iter(self._keys))

    def sign(self, name: str, session: str, *, now: datetime) -> str:
        """Return a token of `name` that opens what the secret `session` opens, while that lasts."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": name,
            "iat": int(now.timestamp()),
            "exp": int((now + LASTS).timestamp()),
            "sid": session,
        }
        headers = {"kid": self._newest}
        return jwt.encode(claims, self._keys[self._newest], ALGORITHM, headers=headers)

    def proven(self, token: str, *, now: datetime) -> Named | None:
        """Return what `token` says, None for one that was not signed here or is over `now`."""
        try:
            key = self._keys.get(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # the clock of requests decides, which tests set
                options={"require": list(CLAIMS), "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return None
        issued, ends = claims["iat"], claims["exp"]
        if not isinstance(issued, int) or not isinstance(ends, int):
            return None
        if not issued <= now.timestamp() < ends:
            return None
        return Named(str(claims["sub"]), session_digest(str(claims["sid"])))


def session_digest(session: str) -> str:
    """Return what is kept of a token's session: another than if it came as a token by itself."""
    return digest(f"jwt {session}")
