"""What the platform encrypts for a merchant: AES-256-GCM by the APIv3 key, tag at the end."""

from __future__ import annotations

import base64
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_CHARACTERS = 12


def sealed(content: bytes, key: str, associated_data: str) -> dict[str, str]:
    """Return `content` as an encrypted resource."""
    nonce = secrets.token_urlsafe(NONCE_CHARACTERS)[:NONCE_CHARACTERS]
    ciphertext = AESGCM(key.encode()).encrypt(nonce.encode(), content, associated_data.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(ciphertext).decode("ascii"),
        "associated_data": associated_data,
        "nonce": nonce,
    }
