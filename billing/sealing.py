"""Secrets that must be read again, sealed by AES-256-GCM with keys that the database does not have.

The first of the keys seals and all of them open, so that keys are changed without a gap: put the
new one first, and drop the old one when nothing is sealed by it any more. What is sealed is bound
to whose it is: moved to another row, it does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY_BYTES = 32
NONCE_BYTES = 12
PURPOSE = b"tallygate second factor"
"""What keys are derived for since second factors were all that is sealed."""
NO_KEY = told("set `secret_keys` in the settings")


class SealError(ValueError):
    """What is sealed does not open: no key that is here sealed it for whom it is said to be."""


class NoSealKeyError(SealError):
    """The settings give no key to seal with, and none to open with."""


class Seal:
    """Seals with the first of `keys` (texts of the settings) and opens with all of them."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = {_name(key): AESGCM(_derived(key)) for key in keys}

    @property
    def is_there(self) -> bool:
        """Whether there is a key to seal with."""
        return bool(self._keys)

    def is_newest(self, sealed: str) -> bool:
        """Return whether `sealed` was sealed by the first of the keys."""
        return sealed.partition(".")[0] == next(iter(self._keys), None)

    def close(self, secret: bytes, whose: str) -> str:
        """Return `secret` sealed for `whose`; raise `NoSealKeyError` without a key."""
        if not self._keys:
            raise NoSealKeyError(NO_KEY)
        name = next(iter(self._keys))
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._keys[name].encrypt(nonce, secret, whose.encode())
        return f"{name}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, whose: str) -> bytes:
        """Return the secret that was sealed for `whose`; raise `SealError`, `NoSealKeyError`."""
        if not self._keys:
            raise NoSealKeyError(NO_KEY)
        name, _, text = sealed.partition(".")
        key = self._keys.get(name)
        if key is None:
            raise SealError(told("it was sealed by a key that `secret_keys` no longer lists"))
        try:
            content = base64.urlsafe_b64decode(text)
            return key.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], whose.encode())
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealError(told("it was changed, or belongs to somebody else")) from error


def _name(key: str) -> str:
    return hashlib.sha256(b"name " + key.encode()).hexdigest()[:16]


def _derived(key: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=PURPOSE).derive(key.encode())
