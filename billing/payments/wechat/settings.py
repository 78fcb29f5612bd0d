"""Settings of a merchant account: names, files, and which variable holds the secret."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydantic import AfterValidator, Field, model_validator

from billing.payments.wechat.account import Account
from billing.payments.wechat.trust import PUBLIC_KEY_PREFIX, PlatformKey
from meters.definition import Definition, DefinitionError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

API_V3_KEY_BYTES = 32
SMALLEST_KEY_BITS = 2048


def _secure(url: str) -> str:
    """Return `url` if it is https, or http on this machine (a simulator)."""
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be a plain address such as https://pay.example.com/notices")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError("must begin with https://; http:// is for this machine only")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Address = Annotated[str, AfterValidator(_secure)]


class WechatSettings(Definition):
    """One merchant account at WeChat Pay. Get all of it on the merchant platform, API 安全."""

    merchant: str = Field(pattern=r"^[0-9]{8,32}$")
    """商户号."""
    app: str = Field(pattern=r"^[0-9A-Za-z]{8,32}$")
    """The appid that is bound to the merchant."""
    key_file: Path
    """The merchant's private key, `apiclient_key.pem`."""
    key_serial: str = Field(pattern=r"^[0-9A-Fa-f]{8,40}$")
    """The serial of the merchant's certificate."""
    api_v3_key_env: str = Field(default="TALLYGATE_WECHAT_API_V3_KEY", pattern=r"^[A-Z][A-Z0-9_]*$")
    """The environment variable that holds the APIv3 key."""
    notify_url: Address
    """Where notices of payments and refunds are to come in, as WeChat Pay reaches it."""
    base_url: Address = "https://api.mch.weixin.qq.com"
    public_key_file: Path | None = None
    """The WeChat Pay public key, `pub_key.pem`, of accounts that have one."""
    public_key_id: str | None = Field(default=None, pattern=rf"^{PUBLIC_KEY_PREFIX}[0-9A-Za-z]+$")
    certificate_files: tuple[Path, ...] = ()
    """Platform certificates that are known already; others are fetched."""

    @model_validator(mode="after")
    def _key_with_its_id(self) -> WechatSettings:
        if (self.public_key_file is None) != (self.public_key_id is None):
            raise ValueError("public_key_file and public_key_id belong together; state both")
        return self


def load_account(
    settings: WechatSettings, environment: Mapping[str, str], *, source: str
) -> Account:
    """Return the account of `settings`, which stand in `source`, with the keys in its files.

    Raises `DefinitionError` that names the setting, never its secret.
    """
    keys = []
    if settings.public_key_file is not None and settings.public_key_id is not None:
        public = _public_key(settings.public_key_file, f"{source}: public_key_file")
        keys.append(PlatformKey(settings.public_key_id, public))
    for number, path in enumerate(settings.certificate_files, 1):
        keys.append(_certificate(path, f"{source}: certificate_files[{number}]"))
    return Account(
        merchant=settings.merchant,
        app=settings.app,
        key_serial=settings.key_serial.upper(),
        private_key=_private_key(settings.key_file, f"{source}: key_file"),
        api_v3_key=_api_v3_key(settings.api_v3_key_env, environment, source),
        notify_url=settings.notify_url,
        base_url=settings.base_url.rstrip("/"),
        public_key_id=settings.public_key_id,
        keys=tuple(keys),
    )


def _api_v3_key(variable: str, environment: Mapping[str, str], source: str) -> bytes:
    value = environment.get(variable, "").encode()
    if len(value) != API_V3_KEY_BYTES:
        state = f"has {len(value)} bytes" if value else "is not set"
        raise _problem(
            f"{source}: api_v3_key_env",
            f"the environment variable {variable} {state}; put the account's APIv3 key there, "
            f"{API_V3_KEY_BYTES} bytes",
        )
    return value


def _private_key(path: Path, where: str) -> RSAPrivateKey:
    content = _content(path, where)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _problem(
            where, f"{path} is no private key without a password; take apiclient_key.pem"
        ) from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < SMALLEST_KEY_BITS:
        raise _problem(where, f"{path} is no RSA key of {SMALLEST_KEY_BITS} bits or more")
    return key


def _public_key(path: Path, where: str) -> RSAPublicKey:
    content = _content(path, where)
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _problem(where, f"{path} is no public key; take pub_key.pem") from error
    if not isinstance(key, RSAPublicKey):
        raise _problem(where, f"{path} is no RSA key")
    return key


def _certificate(path: Path, where: str) -> PlatformKey:
    content = _content(path, where)
    try:
        return PlatformKey.of_certificate(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _problem(
            where, f"{path} is no certificate; take WeChat Pay's, not apiclient_cert.pem"
        ) from error


def _content(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _problem(where, f"{path} cannot be read: {error.strerror}") from error


def _problem(where: str, what: str) -> DefinitionError:
    source, _, key = where.rpartition(": ")
    return DefinitionError([Problem(source, key, what)])
