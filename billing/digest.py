"""The digest of a run: equal bills on equal evidence give equal digests (I6)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def community_digest(records: Iterable[Sequence[object]]) -> str:
    """Return the SHA-256 over all that a run made of a community, as hex.

    `records` are the usages, statements, shares, bills and lines, each a row of values. No code,
    name or JSON text holds a control character, so no two rows read alike.
    """
    digest = hashlib.sha256()
    for record in records:
        texts = ["" if value is None else str(value) for value in record]
        digest.update("\x1f".join(texts).encode() + b"\n")
    return digest.hexdigest()


def run_digest(communities: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a run from its communities' codes and digests, in any order."""
    lines = "".join(f"{code} {digest}\n" for code, digest in sorted(communities))
    return hashlib.sha256(lines.encode()).hexdigest()
