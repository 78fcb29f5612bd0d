"""The digest of a run: equal bills on equal evidence give equal digests (I6)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from billing.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def community_digest(records: Iterable[Sequence[object]]) -> str:
    """Return the SHA-256 over all that a run made of a community, as hex.

    `records` are the usages, statements, shares, bills and lines, each a row of texts and integers.
    """
    digest = hashlib.sha256()
    for record in records:
        digest.update(canonical_json(record).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def run_digest(communities: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a run from its communities' codes and digests, in any order."""
    lines = "".join(f"{code} {digest}\n" for code, digest in sorted(communities))
    return hashlib.sha256(lines.encode()).hexdigest()
