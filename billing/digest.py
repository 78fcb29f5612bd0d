"""The digest of a run: equal bills on equal evidence give equal digests (I6)."""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


BLOCK = 1024
"""Records that are encoded in one piece."""


def records_digest(records: Iterable[str]) -> str:
    """Return the SHA-256 over records of one kind, one a line, in their order, as hex."""
    digest, between = hashlib.sha256(), ""
    every = iter(records)
    while block := list(islice(every, BLOCK)):
        digest.update((between + "\n".join(block)).encode())
        between = "\n"
    return digest.hexdigest()


def community_digest(kinds: Mapping[str, str]) -> str:
    """Return the digest over all that a run made of a community, as hex.

    `kinds` are the digests of its usages, statements, shares, bills and lines, by their names.
    """
    lines = "".join(f"{kind} {digest}\n" for kind, digest in sorted(kinds.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def run_digest(communities: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a run from its communities' codes and digests, in any order."""
    lines = "".join(f"{code} {digest}\n" for code, digest in sorted(communities))
    return hashlib.sha256(lines.encode()).hexdigest()
