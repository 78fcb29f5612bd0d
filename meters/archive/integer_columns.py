"""Columns of integers, of many blocks at once: their differences, in as few bytes as they need.

A column is `width 1 B · unit 8 B · first 8 B` and, unless the width is 0, the zigzag differences
divided by the unit, their low bytes first. Width 0 says that all differences equal the unit.
Differences wrap at 64 bits, and sums wrap back.

Many columns lie one behind the other in one array; `starts` says where each begins, and at its end
where the last one ends.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

_HEAD = struct.Struct("<Bqq")
_WIDTHS = np.array([1, 2, 4, 8])
_OF_ONE_BYTE = np.array([(byte >> 1) ^ -(byte & 1) for byte in range(256)], np.int64)
"""The steps that one byte can stand for."""


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
    content: NDArray[np.uint8], places: Int64s, starts: Int64s, chosen: Sequence[int]
) -> Int64s:
    """Return the `chosen` columns, each at its own positions; what is between them means nothing.

    Column n begins at byte `places[n]` of `content`. Those of one shape are unpacked at once.
    """
    picked = np.array(chosen, np.int64)
    unpacked = np.zeros(starts[-1], np.int64)
    if not len(picked):
        return unpacked
    heads = content[places[picked, np.newaxis] + np.arange(_HEAD.size)]
    widths = heads[:, 0].astype(np.int64)
    units, firsts = np.ascontiguousarray(heads[:, 1:]).view("<i8").T
    counts = np.diff(starts)[picked]
    shapes, alike_of = np.unique((counts << 4) | widths, return_inverse=True)
    for place, shape in enumerate(shapes.tolist()):
        count, width = shape >> 4, shape & 15
        alike = np.flatnonzero(alike_of == place)
        numbers = np.empty((len(alike), count), np.int64)
        numbers[:, 0] = firsts[alike]
        steps = numbers[:, 1:]
        if width:
            _unzigzag(_planes(content, places[picked[alike]] + _HEAD.size, width, count - 1), steps)
            steps *= units[alike, np.newaxis]
        else:
            steps[:] = units[alike, np.newaxis]
        numbers.cumsum(axis=1, out=numbers)
        if len(alike) == len(starts) - 1:  # all of one shape, one behind the other
            return numbers.reshape(-1)
        unpacked[starts[picked[alike], np.newaxis] + np.arange(count)] = numbers
    return unpacked


def _planes(content: NDArray[np.uint8], begin: Int64s, width: int, count: int) -> NDArray[Any]:
    """Return the `count` unsigned integers of `width` bytes that begin at each byte of `begin`."""
    if not count:
        return np.empty((len(begin), 0), np.uint8)
    planes = sliding_window_view(content, width * count)[begin]  # rows are copied, not bytes
    if width == 1:
        return planes
    parted = planes.reshape(-1, width, count).transpose(0, 2, 1)
    return np.ascontiguousarray(parted).view(f"<u{width}")[:, :, 0]


def _unzigzag(numbers: NDArray[Any], steps: Int64s) -> None:
    """Put the integers of either sign that `zigzagged` made `numbers` of into `steps`."""
    if numbers.dtype == np.uint8:
        np.take(_OF_ONE_BYTE, numbers, out=steps, mode="clip")
        return
    wide = numbers.astype(np.int64)
    np.bitwise_xor((wide >> 1) & np.int64(2**63 - 1), -(wide & 1), out=steps)


def ends_of_columns(content: NDArray[np.uint8], places: Int64s, counts: Int64s) -> Int64s:
    """Return where the columns of `counts` integers end that begin at `places`."""
    return places + _HEAD.size + content[places].astype(np.int64) * (counts - 1)


def zigzagged(differences: Int64s) -> NDArray[np.uint64]:
    """Return small unsigned integers for small ones of either sign."""
    return ((differences << 1) ^ (differences >> 63)).view(np.uint64)


def _wider_than(largest: NDArray[np.uint64]) -> Int64s:
    """Return for each number how many of the widths, but the widest, are too narrow for it."""
    narrow = np.array([1 << 8, 1 << 16, 1 << 32], np.uint64)
    return np.searchsorted(narrow, largest, "right")
