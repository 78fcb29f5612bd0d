"""Chance that is the same on every machine: integers drawn from a key, never from a state.

`draw` hashes its key (BLAKE2b), so that what one key gives does not depend on what was drawn
before. `noise` does the same for many numbers at once (SplitMix64: Steele, Lea, Flood, "Fast
splittable pseudorandom number generators", 2014).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Option = TypeVar("Option")

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def draw(*key: int | str) -> int:
    """Return a number of 64 bits that depends on `key` alone."""
    text = "\x1f".join(map(str, key))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def between(low: int, high: int, *key: int | str) -> int:
    """Return a whole number from `low` to `high`, both possible, drawn by `key`."""
    return low + draw(*key) % (high - low + 1)


def pick(options: Sequence[Option], *key: int | str) -> Option:
    """Return one of `options`, drawn by `key`."""
    return options[draw(*key) % len(options)]


def noise(source: int, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number of 63 bits for each of `indices`, drawn by (`source`, index).

    `source` has 64 bits.
    """
    mixed = np.uint64(source) + indices.astype(np.uint64) * _GAMMA
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(1)).astype(np.int64)
