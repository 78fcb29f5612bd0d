"""A merchant account at WeChat Pay, with the keys by which it and WeChat Pay know each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from billing.payments.wechat.trust import PlatformKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who asks, and how. Secrets are in no `repr`, so that no log shows them."""

    merchant: str
    """商户号, mchid."""
    app: str
    """The appid of the official account, mini program or app that is bound to the merchant."""
    key_serial: str
    """The serial of the merchant's own certificate."""
    private_key: RSAPrivateKey = field(repr=False)
    api_v3_key: bytes = field(repr=False)
    """32 bytes, by which WeChat Pay encrypts for this account."""
    notify_url: str
    base_url: str
    public_key_id: str | None
    """The id of the WeChat Pay public key; None where only platform certificates are in use."""
    keys: tuple[PlatformKey, ...]
    """What is known of WeChat Pay's keys at the start."""
