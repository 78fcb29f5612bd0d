"""The platform's keys: certificates that change, and the public key that replaces them."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulators.chance import draw
from simulators.wechat_pay.key_mode import KeyMode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PROBE = "WECHATPAY/SIGNTEST/"
"""How a signature begins that is wrong on purpose."""
KEY_BITS = 2048
CERTIFICATE_YEARS = timedelta(days=5 * 365)


def new_key() -> RSAPrivateKey:
    """Return a new RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def private_pem(key: RSAPrivateKey) -> bytes:
    """Return `key` as `apiclient_key.pem` holds it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(key: RSAPrivateKey) -> bytes:
    """Return the public half of `key` as `pub_key.pem` holds it."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key by the serial that names it, with its certificate where it has one."""

    serial: str
    key: RSAPrivateKey
    certificate: bytes = b""
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def sign(self, message: bytes) -> str:
        """Return the signature of `message` in base64."""
        signature = self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return base64.b64encode(signature).decode("ascii")

    def headers(self, body: bytes, now: datetime, *, probe: bool) -> dict[str, str]:
        """Return the headers that prove `body` at `now`; those of a `probe` prove nothing."""
        timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(16)
        signature = self.sign(f"{timestamp}\n{nonce}\n".encode() + body + b"\n")
        return {
            "Content-Type": "application/json",
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": PROBE + signature[len(PROBE) :] if probe else signature,
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
            "Wechatpay-Serial": self.serial,
        }


def certified(now: datetime) -> SigningKey:
    """Return a new key with a certificate that begins at `now`."""
    key = new_key()
    number = x509.random_serial_number()
    until = now + CERTIFICATE_YEARS
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Simulated Tenpay Root CA")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Simulated Tenpay")])
    certificate = (
        x509.CertificateBuilder()
        .serial_number(number)
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key.public_key())
        .not_valid_before(now)
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return SigningKey(f"{number:040X}", key, pem, now, until)


class PlatformKeys:
    """Every key that the platform has had; the newest certificate signs."""

    def __init__(self, *, now: datetime, mode: KeyMode, seed: int) -> None:
        self.mode = mode
        self.certificates = [certified(now)]
        self.public = SigningKey(f"PUB_KEY_ID_{draw(seed, 'public key'):020d}", new_key())
        self._seed = seed

    def change_certificate(self, now: datetime) -> str:
        """Sign by a new certificate from now on; return its serial."""
        self.certificates.append(certified(now))
        return self.certificates[-1].serial

    def for_answer(self, wanted: str | None) -> SigningKey:
        """Return the key of an answer to a request that names the key `wanted`."""
        if self.mode is KeyMode.PUBLIC_KEY:
            return self.public
        if self.mode is KeyMode.MIXED and wanted == self.public.serial:
            return self.public
        return self.certificates[-1]

    def for_notice(self, number: int, attempt: int) -> SigningKey:
        """Return the key of one try to deliver a notice."""
        match self.mode:
            case KeyMode.PUBLIC_KEY:
                return self.public
            case KeyMode.MIXED if draw(self._seed, "key", number, attempt) % 2:
                return self.public
        return self.certificates[-1]

    def knows(self, serial: str) -> bool:
        """Return whether a request may name the key `serial`."""
        return serial in {self.public.serial, *(each.serial for each in self.certificates)}
