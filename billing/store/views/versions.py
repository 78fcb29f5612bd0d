"""Stored definitions, parsed once a process: the text of a version is its identity."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from billing.canonical import from_canonical, read_json
from billing.pools.pool import Pool
from billing.tariff import Tariff

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSIONS_KEPT = 512


@lru_cache(maxsize=VERSIONS_KEPT)
def tariff(document: str) -> Tariff:
    """Return the tariff whose canonical text is `document`."""
    return from_canonical(Tariff, document)


@lru_cache(maxsize=VERSIONS_KEPT)
def title(text: str) -> Mapping[str, str]:
    """Return the title whose stored text is `text`."""
    found: Mapping[str, str] = read_json(text)
    return found


@lru_cache(maxsize=VERSIONS_KEPT)
def pool(document: str) -> Pool:
    """Return the pool whose canonical text is `document`."""
    return from_canonical(Pool, document)
