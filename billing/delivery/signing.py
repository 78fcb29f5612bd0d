"""Signatures of webhooks by the Standard Webhooks convention, version v1 (HMAC-SHA256).

The signed text is `{id}.{timestamp}.{body}`; a secret is `whsec_` and 24 to 64 bytes in base64.
While a secret is replaced both sign: the header then lists two signatures, and one that fits is
enough.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32
SHORTEST, LONGEST = 24, 64
TOLERANCE_S = 300
"""How far the timestamp of a message may be from a receiver's clock."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class SecretError(ValueError):
    """A secret is not one of a webhook."""


class SignatureError(ValueError):
    """A message is not what its signature says, or too old; the message says why."""


def new_secret() -> str:
    """Return a new secret at random."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(message: str, at_s: int, body: bytes, known: Sequence[str]) -> dict[str, str]:
    """Return the headers that sign `body` by each of the secrets `known`; `at_s`: Unix time."""
    signatures = [f"v1,{_signature(message, at_s, body, secret)}" for secret in known]
    return {ID: message, TIMESTAMP: str(at_s), SIGNATURE: " ".join(signatures)}


def verify(received: Mapping[str, str], body: bytes, secret: str, *, now_s: int) -> str:
    """Return the id of a message that `secret` has signed; raise `SignatureError`.

    For receivers, and the tests. `received` holds the headers by their names in lower case.
    """
    try:
        message, at, offered = received[ID], received[TIMESTAMP], received[SIGNATURE]
    except KeyError as error:
        raise SignatureError(f"the header {error.args[0]} is missing") from error
    if not at.isascii() or not at.isdecimal() or len(at) > 12:
        raise SignatureError("the timestamp is no Unix time")
    if abs(now_s - int(at)) > TOLERANCE_S:
        raise SignatureError("the timestamp is too far from this clock")
    expected = _signature(message, int(at), body, secret)
    for each in offered.split(" "):
        version, _, signature = each.partition(",")
        if version == "v1" and hmac.compare_digest(signature.encode(), expected.encode()):
            return message
    raise SignatureError("no signature fits")


def _signature(message: str, at_s: int, body: bytes, secret: str) -> str:
    signed = f"{message}.{at_s}.".encode() + body
    return base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise SecretError("a secret is whsec_ and base64") from error
    if not secret.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise SecretError(f"a secret is {PREFIX} and {SHORTEST} to {LONGEST} bytes in base64")
    return key
