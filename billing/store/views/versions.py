"""Stored definitions, parsed once a process: the text of a version is its identity."""

from __future__ import annotations

from functools import lru_cache

from billing.canonical import from_canonical
from billing.pools.pool import Pool
from billing.tariff import Tariff

VERSIONS_KEPT = 512


@lru_cache(maxsize=VERSIONS_KEPT)
def tariff(document: str) -> Tariff:
    """Return the tariff whose canonical text is `document`."""
    return from_canonical(Tariff, document)


@lru_cache(maxsize=VERSIONS_KEPT)
def pool(document: str) -> Pool:
    """Return the pool whose canonical text is `document`."""
    return from_canonical(Pool, document)
