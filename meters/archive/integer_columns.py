"""Columns of integers, of many blocks at once: their differences, in as few bytes as they need.

A column is `width 1 B · unit 8 B · first 8 B` and, unless the width is 0, the zigzag differences
divided by the unit, their low bytes first. Width 0 says that all differences equal the unit.
Differences wrap at 64 bits, and sums wrap back.

Many columns lie one behind the other in one array; `starts` says where each begins, and at its end
where the last one ends.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

_HEAD = struct.Struct("<Bqq")
_WIDTHS = np.array([1, 2, 4, 8])


def starts_of(counts: Iterable[int]) -> Int64s:
    """Return where columns of so many integers begin, and where the last one ends."""
    return np.cumsum([0, *counts], dtype=np.int64)


def members(starts: Int64s, chosen: Sequence[int]) -> Int64s:
    """Return the positions of the `chosen` columns' integers, column by column."""
    if len(chosen) == len(starts) - 1:
        return np.arange(starts[-1])
    return np.concatenate([np.arange(starts[n], starts[n + 1]) for n in chosen])


def pack_columns(numbers: Int64s, starts: Int64s) -> list[bytes]:
    """Return each column packed; none may be empty."""
    heads, lasts = starts[:-1], starts[1:] - 1
    differences = np.diff(numbers, append=0)
    differences[lasts] = 0
    differences[lasts] = differences[heads]  # in place of what leads to the next column
    steps = differences[heads]
    even = np.minimum.reduceat(differences, heads) == np.maximum.reduceat(differences, heads)
    units = np.gcd.reduceat(differences, heads)
    units[even | (units < 1)] = 1  # the greatest common divisor of the smallest integer wraps
    differences //= np.repeat(units, np.diff(starts))
    zigzag = zigzagged(differences)
    widths = _WIDTHS[_wider_than(np.maximum.reduceat(zigzag, heads))]
    low_bytes_first = zigzag.astype("<u8").view(np.uint8).reshape(-1, 8)
    return [
        _HEAD.pack(0, step, first)
        if one
        else _HEAD.pack(width, unit, first) + low_bytes_first[head:last, :width].T.tobytes()
        for one, step, first, unit, width, head, last in zip(
            even.tolist(),
            steps.tolist(),
            numbers[heads].tolist(),
            units.tolist(),
            widths.tolist(),
            heads.tolist(),
            lasts.tolist(),
            strict=True,
        )
    ]


def unpack_columns(
    contents: Sequence[bytes], places: Sequence[int], starts: Int64s, chosen: Sequence[int]
) -> Int64s:
    """Return the `chosen` columns, each at its own positions; what is between them means nothing.

    Column n begins at byte `places[n]` of `contents[n]`. Those of one shape are unpacked at once.
    """
    counts = np.diff(starts).tolist()
    shapes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for n in chosen:
        shapes[contents[n][places[n]], counts[n]].append(n)
    unpacked = np.zeros(starts[-1], np.int64)
    for (width, count), alike in shapes.items():
        heads = [_HEAD.unpack_from(contents[n], places[n]) for n in alike]
        _, units, firsts = np.array(heads, np.int64).T
        numbers = np.empty((len(alike), count), np.int64)
        numbers[:, 1:] = units[:, np.newaxis]
        if width:
            parts = []
            for n in alike:
                begin = places[n] + _HEAD.size
                parts.append(contents[n][begin : begin + width * (count - 1)])
            planes = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, width, count - 1)
            low_bytes_first = np.ascontiguousarray(planes.transpose(0, 2, 1))
            wide = low_bytes_first.view(f"<u{width}")[:, :, 0].astype(np.int64)
            numbers[:, 1:] *= ((wide >> 1) & np.int64(2**63 - 1)) ^ -(wide & 1)
        numbers[:, 0] = firsts
        numbers.cumsum(axis=1, out=numbers)
        unpacked[members(starts, alike)] = numbers.ravel()
    return unpacked


def end_of_column(content: bytes, at: int, count: int) -> int:
    """Return where the column of `count` integers ends that begins at `at`."""
    return at + _HEAD.size + content[at] * (count - 1)


def zigzagged(differences: Int64s) -> NDArray[np.uint64]:
    """Return small unsigned integers for small ones of either sign."""
    return ((differences << 1) ^ (differences >> 63)).view(np.uint64)


def _wider_than(largest: NDArray[np.uint64]) -> Int64s:
    """Return for each number how many of the widths, but the widest, are too narrow for it."""
    narrow = np.array([1 << 8, 1 << 16, 1 << 32], np.uint64)
    return np.searchsorted(narrow, largest, "right")
