"""What meters showed, as packed beside the values: most of it follows from them.

Raw words are integers in the word order that makes the differences smallest, less what the value
as a binary float (IEEE 754) has led to expect; or the value's own digits, or one text for all, or
texts.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from decimal import Decimal
from enum import IntEnum
from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meters.archive.integer_columns import (
    members,
    pack_columns,
    starts_of,
    unpack_columns,
    zigzagged,
)
from meters.quantity import PER_UNIT, SCALE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from meters.archive.integer_columns import Int64s

_LENGTH = struct.Struct("<I")
_WORD_CHARACTERS = 5  # "462a "
_WORDS_MAX = 4


class _Raw(IntEnum):
    TEXTS = 0
    ONE_TEXT = 1
    DIGITS = 2
    WORDS = 3


_WORDS = int(_Raw.WORDS)  # looked up once: on an enumeration it is slow


class _Order(NamedTuple):
    """How a register's words make one integer."""

    words_reversed: bool
    bytes_swapped: bool


_ORDERS = tuple(_Order(*map(bool, divmod(code, 2))) for code in range(4))
_FLOATS = {2: ("<f4", "<i4"), 4: ("<f8", "<i8")}
"""Words of a register → the float that they may hold, and the integer of the same bits."""
_FACTORS = (0, 1, 1000)
"""Registers hold no float, or one in the archive's unit, or in a thousandth of it (Wh, L)."""
_EXPECTED_NEAR = 1 << 24


def pack_raw(raws: Sequence[str], values: Int64s, starts: Int64s) -> list[bytes]:
    """Return what was shown in each block packed; `values` are what the blocks hold beside it."""
    packed: dict[int, bytes] = {}
    registers: dict[int, dict[int, bytes]] = defaultdict(dict)
    bounds = starts.tolist()
    for n, (start, end) in enumerate(pairwise(bounds)):
        shown = raws[start:end]
        if shown.count(shown[0]) == len(shown):
            packed[n] = bytes([_Raw.ONE_TEXT]) + pack_texts(shown[:1])
        elif words := _words_in(shown):
            registers[(len(shown[0]) + 1) // _WORD_CHARACTERS][n] = words
        else:
            packed[n] = _pack_text(shown, values[start:end])
    for count, words_of in registers.items():
        columns = _pack_words(count, words_of, values[members(starts, list(words_of))])
        packed |= zip(words_of, columns, strict=True)
    return [packed[n] for n in range(len(starts) - 1)]


def unpack_raw(
    content: bytes, places: Int64s, values: Int64s, starts: Int64s, positions: Int64s
) -> list[str]:
    """Return what was shown at `positions` (ascending); `places` are where it is in `content`."""
    cuts = np.searchsorted(positions, starts).tolist()
    texts = np.full(len(positions), "", np.object_)
    registers: dict[bytes, list[int]] = defaultdict(list)
    for n, at in enumerate(places.tolist()):
        first, after = cuts[n], cuts[n + 1]
        if first == after:
            continue
        if content[at] == _WORDS:
            registers[content[at + 1 : at + 4]].append(n)
        else:
            asked = positions[first:after]
            texts[first:after] = _unpack_text(content, at, values[asked], asked - starts[n])
    for (count, order, factor), alike in registers.items():
        column = unpack_columns(np.frombuffer(content, np.uint8), places + 4, starts, alike)
        where = members(np.array(cuts), alike)
        asked = positions[where]
        joined = column[asked]
        if _FACTORS[factor]:
            joined = joined + _expected(values[asked], count, _FACTORS[factor])
        shown = _as_texts(_parted(joined, count, _ORDERS[order]))
        texts[where] = shown
    return texts.tolist()


# texts


def pack_texts(texts: Sequence[str]) -> bytes:
    encoded = json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode()
    return _LENGTH.pack(len(encoded)) + encoded


def read_texts(content: bytes, at: int) -> list[str]:
    encoded = content[at + _LENGTH.size : end_of_texts(content, at)]
    texts: list[str] = json.loads(encoded, parse_float=Decimal)
    return texts


def end_of_texts(content: bytes, at: int) -> int:
    (length,) = _LENGTH.unpack_from(content, at)
    return at + _LENGTH.size + int(length)


def _pack_text(shown: Sequence[str], values: Int64s) -> bytes:
    _, _, decimals = shown[0].partition(".")
    if len(decimals) <= SCALE and _digits(values, len(decimals)) == shown:
        return bytes([_Raw.DIGITS, len(decimals)])
    return bytes([_Raw.TEXTS]) + pack_texts(shown)


def _unpack_text(content: bytes, at: int, values: Int64s, places: Int64s) -> list[str]:
    if content[at] == _Raw.DIGITS:
        return _digits(values, content[at + 1])
    texts = read_texts(content, at + 1)
    if content[at] == _Raw.ONE_TEXT:
        return texts * len(places)
    return [texts[place] for place in places.tolist()]


def _digits(values: Int64s, decimals: int) -> list[str]:
    """Return the values as text with so many decimals; those that have more come out wrong."""
    texts = []
    for value in values.tolist():
        whole, part = divmod(abs(value), 10**SCALE)
        tail = f".{part:0{SCALE}d}"[: decimals + 1] if decimals else ""
        texts.append(f"{'-' if value < 0 else ''}{whole}{tail}")
    return texts


# words


def _words_in(shown: Sequence[str]) -> bytes | None:
    """Return the bytes of registers shown as `462a 7521`, or None where one is no such text."""
    length = len(shown[0])
    count, rest = divmod(length + 1, _WORD_CHARACTERS)
    if rest or not 1 <= count <= _WORDS_MAX or set(map(len, shown)) != {length}:
        return None
    joined = " ".join(shown)
    try:
        words = bytes.fromhex(joined)
    except ValueError:
        return None
    return words if words.hex(" ", 2) == joined else None


def _pack_words(count: int, words_of: dict[int, bytes], values: Int64s) -> list[bytes]:
    words = np.frombuffer(b"".join(words_of.values()), ">u2").reshape(-1, count)
    starts = starts_of(len(part) // (2 * count) for part in words_of.values())
    heads, lasts = starts[:-1], starts[1:] - 1
    factors = range(len(_FACTORS) if count in _FLOATS else 1)
    ways = list(product(range(len(_ORDERS)), factors))
    residues, largest = [], []
    expected = [_expected(values, count, _FACTORS[factor]) if factor else 0 for factor in factors]
    for code, factor in ways:
        residue = _joined(words, _ORDERS[code]) - expected[factor]
        steps = zigzagged(np.diff(residue, append=0))
        steps[lasts] = 0
        most = np.maximum.reduceat(steps, heads)
        if factor:
            far = (residue[heads] >= _EXPECTED_NEAR) | (residue[heads] <= -_EXPECTED_NEAR)
            most[far] = np.iinfo(np.uint64).max
        residues.append(residue)
        largest.append(most)
    best = np.argmin(largest, axis=0)
    chosen = np.choose(np.repeat(best, np.diff(starts)), residues)
    columns = pack_columns(chosen, starts)
    heads_of = [bytes([_WORDS, count, *way]) for way in ways]
    return [heads_of[way] + column for way, column in zip(best.tolist(), columns, strict=True)]


def _expected(values: Int64s, count: int, factor: int) -> Int64s:
    """Return the bits, as integers, of the floats that would show `values`."""
    held, bits = _FLOATS[count]
    return (values * factor / PER_UNIT).astype(held).view(bits).astype(np.int64)


def _joined(words: NDArray[np.uint16], order: _Order) -> Int64s:
    if order.words_reversed:
        words = words[:, ::-1]
    if order.bytes_swapped:
        words = words.byteswap()
    joined = np.zeros(len(words), np.uint64)
    for column in words.T:
        joined = (joined << np.uint64(16)) | column.astype(np.uint64)
    return joined.view(np.int64)


def _parted(joined: Int64s, count: int, order: _Order) -> NDArray[np.uint16]:
    words = joined.astype(">i8").view(">u2").reshape(-1, _WORDS_MAX)[:, _WORDS_MAX - count :]
    if order.bytes_swapped:
        words = words.byteswap()
    return words[:, ::-1] if order.words_reversed else words


def _as_texts(words: NDArray[np.uint16]) -> list[str]:
    size = _WORD_CHARACTERS * words.shape[1]
    text = np.ascontiguousarray(words, ">u2").tobytes().hex(" ", 2)
    return [text[at : at + size - 1] for at in range(0, len(text), size)]
