r"""What proves that an answer or a notice is WeChat Pay's: a signature, its key, and its age.

Signed is `timestamp\nnonce\nbody\n`, SHA-256 with RSA (PKCS#1 v1.5), in base64. The serial names
the key: a platform certificate (hexadecimal) or the account's WeChat Pay public key
(`PUB_KEY_ID_…`); while an account moves from one to the other, both occur.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from billing.payments.provider import NotAuthenticError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

OLDEST_S = 300
"""How far the time of a signature may be from ours, either way."""
PUBLIC_KEY_PREFIX = "PUB_KEY_ID_"
LONGEST_HEADER = 1024


class UnknownKeyError(NotAuthenticError):
    """A signature names a key that is not known here, or not any more."""


@dataclass(frozen=True, slots=True)
class PlatformKey:
    """A public key of WeChat Pay. A certificate's is good in a half-open span of time."""

    serial: str
    key: RSAPublicKey
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @classmethod
    def of_certificate(cls, pem: bytes) -> PlatformKey:
        """Return the key of a platform certificate; raise `ValueError` if there is none."""
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise ValueError("the certificate holds no RSA key")
        return cls(
            normal(f"{certificate.serial_number:X}"),
            key,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )

    def is_valid_at(self, moment: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= moment) and (
            self.valid_until is None or moment < self.valid_until
        )


def normal(serial: str) -> str:
    """Return `serial` as keys are kept by: hexadecimal ones are numbers, whatever their case."""
    return serial if serial.startswith(PUBLIC_KEY_PREFIX) else serial.upper().lstrip("0")


def prove(
    headers: Mapping[str, str], body: bytes, keys: Mapping[str, PlatformKey], *, now: datetime
) -> None:
    """Return if `headers` (by lower-case name) prove `body`, which is as it came, at `now`.

    Raises `UnknownKeyError`, or `NotAuthenticError` for anything else.
    """
    timestamp = _header(headers, "wechatpay-timestamp")
    nonce = _header(headers, "wechatpay-nonce")
    signature = _header(headers, "wechatpay-signature")
    serial = normal(_header(headers, "wechatpay-serial"))
    if not timestamp.isdigit():
        raise NotAuthenticError("the time of WeChat Pay's signature is no number of seconds")
    age_s = int(now.timestamp()) - int(timestamp)
    if abs(age_s) > OLDEST_S:
        raise NotAuthenticError(
            f"the signature is {age_s} s old, and counts for {OLDEST_S} s: it was kept and sent "
            "again, or this machine's clock is wrong"
        )
    key = keys.get(serial)
    if key is None or not key.is_valid_at(now):
        raise UnknownKeyError(
            f"no key of WeChat Pay is known as {serial!r} at this time: it changed its "
            "certificate, or public_key_id is another account's"
        )
    try:
        key.key.verify(
            base64.b64decode(signature, validate=True),
            f"{timestamp}\n{nonce}\n".encode() + body + b"\n",
            PKCS1v15(),
            SHA256(),
        )
    except (binascii.Error, InvalidSignature):
        raise NotAuthenticError(
            "the signature is not WeChat Pay's: something was changed on the way, or this is a "
            "probe (WECHATPAY/SIGNTEST/), which has to fail"
        ) from None


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value or not value.isascii() or len(value) > LONGEST_HEADER:
        raise NotAuthenticError(f"the header {name} is missing, or not what WeChat Pay sends")
    return value
