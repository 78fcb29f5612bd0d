"""Codes that change every thirty seconds: TOTP (RFC 6238) over HOTP (RFC 4226).

SHA-1, six digits and thirty seconds, as every authenticator takes them without being told. HMAC is
not weakened by what collisions of SHA-1 allow (RFC 6194, 3.3).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from datetime import datetime

SECRET_BYTES = 20
"""As long as the hash (RFC 4226, 4, R6), and whole letters of base32."""
DIGITS = 6
STEP_S = 30
SKEW_STEPS = 1
"""How many steps a clock may be early or late (RFC 6238, 5.2)."""
ISSUER = "Tallygate"


def new_secret() -> bytes:
    """Return a new secret of 160 bits."""
    return secrets.token_bytes(SECRET_BYTES)


def hotp(secret: bytes, counter: int, *, digits: int = DIGITS) -> str:
    """Return the code of `counter` (RFC 4226, 5.3)."""
    made = hmac.digest(secret, counter.to_bytes(8, "big"), hashlib.sha1)
    offset = made[-1] & 0x0F
    number = int.from_bytes(made[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}}"


def step_at(now: datetime) -> int:
    """Return the number of the step that `now` is in."""
    return int(now.timestamp()) // STEP_S


def matching_step(secret: bytes, code: str, *, now: datetime, last_step: int | None) -> int | None:
    """Return the step that `code` is of, None where it is wrong, too old, or was used.

    `last_step`: the newest that was used; it and those before it count no more (RFC 6238, 5.2).
    """
    current = step_at(now)
    found = None
    for step in range(current - SKEW_STEPS, current + SKEW_STEPS + 1):
        # every step is compared, so that the time tells nothing of which it was
        is_right = hmac.compare_digest(hotp(secret, step).encode(), code.encode())
        if is_right and (last_step is None or step > last_step):
            found = step
    return found


def as_text(secret: bytes) -> str:
    """Return `secret` as it is typed into an authenticator: base32 in groups of four."""
    letters = base64.b32encode(secret).decode()
    return " ".join(letters[first : first + 4] for first in range(0, len(letters), 4))


def address(secret: bytes, name: str) -> str:
    """Return what the QR code of the secret of the login `name` says (Key URI Format)."""
    label = f"{quote(ISSUER)}:{quote(name, safe='')}"
    # an authenticator takes these values where none are said; some insist that they are
    parameters = {
        "secret": base64.b32encode(secret).decode(),
        "issuer": ISSUER,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_S,
    }
    return f"otpauth://totp/{label}?{urlencode(parameters)}"
