"""What WeChat Pay encrypts for one account: notices, and the certificates that it hands out.

AES-256-GCM (RFC 5116) by the account's APIv3 key; the tag stands at the end of the ciphertext.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from billing.payments.provider import MalformedNoticeError

if TYPE_CHECKING:
    from billing.payments.wechat.document import Document

ALGORITHM = "AEAD_AES_256_GCM"
NONCE_BYTES = 12


def opened(resource: Document, key: bytes) -> bytes:
    """Return what `resource` holds; raise `MalformedNoticeError` where `key` does not open it."""
    if (algorithm := resource.text("algorithm")) != ALGORITHM:
        raise MalformedNoticeError(f"{resource.where('algorithm')} is {algorithm!r}: update us")
    nonce = resource.text("nonce")
    if len(nonce) != NONCE_BYTES or not nonce.isascii():
        raise MalformedNoticeError(f"{resource.where('nonce')} has not {NONCE_BYTES} bytes")
    try:
        return AESGCM(key).decrypt(
            nonce.encode(),
            base64.b64decode(resource.text("ciphertext"), validate=True),
            resource.text_or_empty("associated_data").encode(),
        )
    except (binascii.Error, InvalidTag, ValueError):
        raise MalformedNoticeError(
            f"{resource.where('ciphertext')} cannot be decrypted: it was cut or changed, or the "
            "APIv3 key is not the account's; compare it with the merchant platform's"
        ) from None
