"""What the platform signs with: it once moved from certificates to public keys."""

from __future__ import annotations

from enum import StrEnum


class KeyMode(StrEnum):
    """What the platform signs with."""

    CERTIFICATE = "certificate"
    """Platform certificates, as accounts from before 2024 have them."""
    MIXED = "mixed"
    """On the way to the public key: notices by either, answers by what the request names."""
    PUBLIC_KEY = "public-key"
    """The account's public key only; there are no certificates."""
