"""A day of one series in one compressed block, exact to the last character.

Layout of a block, little-endian, deflated without header (RFC 1951):

    format 1 B · how many readings 4 B · what is there 1 B · times · values
    · [missing values, a bit each] · [verdicts, 1 B each] · [reasons, as texts] · raw words

A column of integers is `width 1 B · unit 8 B · first 8 B` and, unless the width is 0, the
zigzag differences divided by the unit, their low bytes first. Width 0 says that all differences
equal the unit. Raw words are integers in the word order that makes the differences smallest, less
what the value as a binary float (IEEE 754) has led to expect; or the value's own digits, or one
text for all, or texts.
"""

from __future__ import annotations

import json
import struct
import zlib
from decimal import Decimal
from enum import IntEnum
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meters.archive.rows import HOUR_S, Row
from meters.quantity import PER_UNIT, SCALE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

_FORMAT = 1
_HEAD = struct.Struct("<BIB")
_COLUMN = struct.Struct("<Bqq")
_LENGTH = struct.Struct("<I")
_WINDOW_BITS = -12  # 4 KiB: a block is smaller, and a small window is set up faster
_MEMORY_LEVEL = 5
_WORD_CHARACTERS = 5  # "462a "
_WORDS_MAX = 4
_MISSING, _VERDICTS, _REASONS = 1, 2, 4
"""What is there. Plain integers: flags of an enumeration are slow to ask."""


class CorruptChunkError(RuntimeError):
    """A block that does not unpack to what was packed; the readings in it need a backup."""


class _Raw(IntEnum):
    TEXTS = 0
    ONE_TEXT = 1
    DIGITS = 2
    WORDS = 3


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


def pack(rows: Sequence[Row]) -> bytes:
    """Return the block of `rows`: one series, at most one reading a second, oldest first.

    The block has been unpacked and compared; raises `CorruptChunkError` where it differs, and
    `ValueError` for rows that are not in this order.
    """
    if not rows or not all(a.series == b.series and a.time < b.time for a, b in pairwise(rows)):
        raise ValueError("a chunk holds readings of one series in the order of their times")
    held = [row.value for row in rows]
    missing = [value is None for value in held]
    values = _filled(held)
    has = 0
    parts = [_packed(np.array([row.time for row in rows], np.int64)), _packed(values)]
    if any(missing):
        has |= _MISSING
        parts.append(np.packbits(missing).tobytes())
    if any(row.verdict for row in rows):
        has |= _VERDICTS
        parts.append(bytes(row.verdict for row in rows))
    if any(row.reasons for row in rows):
        has |= _REASONS
        parts.append(_texts([row.reasons for row in rows]))
    parts.append(_packed_raw([row.raw for row in rows], values))
    squeezer = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
    content = _HEAD.pack(_FORMAT, len(rows), has) + b"".join(parts)
    body = squeezer.compress(content) + squeezer.flush()
    if Chunk(rows[0].series, body).rows() != list(rows):
        raise CorruptChunkError(f"a chunk of series {rows[0].series} would lose something")
    return body


class Chunk:
    """A block, unpacked as far as it is asked. Raises `CorruptChunkError`."""

    def __init__(self, series: int, body: bytes) -> None:
        self.series = series
        try:
            self._content = zlib.decompress(body, zlib.MAX_WBITS * -1)
            form, self.count, has = _HEAD.unpack_from(self._content)
        except (zlib.error, struct.error) as error:
            raise CorruptChunkError(f"a chunk of series {series} is damaged: {error}") from error
        if form != _FORMAT:
            raise CorruptChunkError(
                f"a chunk of series {series} has format {form}, this software knows {_FORMAT}"
            )
        count, at = self.count, _HEAD.size
        self.times, at = _unpacked(self._content, at, count)
        self._values_at = at
        at = _after(self._content, at, count)
        self._missing_at = at if has & _MISSING else 0
        at += (count + 7) // 8 if self._missing_at else 0
        self._verdicts_at = at if has & _VERDICTS else 0
        at += count if self._verdicts_at else 0
        self._reasons_at = at if has & _REASONS else 0
        if self._reasons_at:
            (length,) = _LENGTH.unpack_from(self._content, at)
            at += _LENGTH.size + length
        self._raw_at = at

    def rows(self, first_s: int | None = None, last_s: int | None = None) -> list[Row]:
        """Return the rows with `first_s <= time <= last_s`, oldest first."""
        first, after = 0, self.count
        if first_s is not None:
            first = int(self.times.searchsorted(first_s))
        if last_s is not None:
            after = int(self.times.searchsorted(last_s, "right"))
        return self._rows(first, after) if first < after else []

    def nearest(self, first_s: int, last_s: int, *, newest: bool, only_good: bool) -> Row | None:
        """Return the newest (or oldest) row with `first_s <= time <= last_s`, if there is one."""
        first = int(self.times.searchsorted(first_s))
        after = int(self.times.searchsorted(last_s, "right"))
        if first < after and only_good and self._verdicts_at:
            verdicts = self._content[self._verdicts_at :][: self.count]
            at = verdicts.rfind(0, first, after) if newest else verdicts.find(0, first, after)
        else:
            at = -1 if first >= after else after - 1 if newest else first
        return None if at < 0 else self._rows(at, at + 1)[0]

    def _rows(self, first: int, after: int) -> list[Row]:
        content, count = self._content, self.count
        values = _unpacked(content, self._values_at, count)[0]
        held: list[int | None] = values[first:after].tolist()
        if self._missing_at:
            packed = np.frombuffer(content, np.uint8, (count + 7) // 8, self._missing_at)
            gone = np.unpackbits(packed, count=count)[first:after].tolist()
            held = [None if lost else value for value, lost in zip(held, gone, strict=True)]
        start = self._verdicts_at
        size = after - first
        verdicts = content[start + first : start + after] if start else bytes(size)
        reasons = _read_texts(content, self._reasons_at)[first:after] if self._reasons_at else None
        raws = _unpacked_raw(content, self._raw_at, values, first, after)
        times = self.times[first:after].tolist()
        return [
            Row(time // HOUR_S, self.series, time, value, verdict, reason, raw)
            for time, value, verdict, reason, raw in zip(
                times, held, verdicts, reasons or [""] * size, raws, strict=True
            )
        ]


# columns of integers; differences wrap at 64 bits, and sums wrap back


def _filled(held: list[int | None]) -> Int64s:
    """Return the values with what is missing replaced by the one before."""
    if None not in held:
        return np.array(held, np.int64)
    filled, last = [], next((value for value in held if value is not None), 0)
    for value in held:
        last = last if value is None else value
        filled.append(last)
    return np.array(filled, np.int64)


def _packed(numbers: Int64s) -> bytes:
    differences = np.diff(numbers)
    first = int(numbers[0])
    step = int(differences[0]) if differences.size else 0
    if not differences.size or bool((differences == step).all()):
        return _COLUMN.pack(0, step, first)
    unit = int(np.gcd.reduce(differences))
    if unit > 1:
        differences //= unit
    else:  # the greatest common divisor of the smallest integer wraps
        unit = 1
    zigzag = _zigzag(differences)
    width = _width(zigzag)
    low_bytes_first = zigzag.astype(f"<u{width}").view(np.uint8).reshape(-1, width)
    return _COLUMN.pack(width, unit, first) + low_bytes_first.T.tobytes()


def _unpacked(content: bytes, at: int, count: int) -> tuple[Int64s, int]:
    """Return the column that begins at `at`, and where it ends."""
    width, unit, first = _COLUMN.unpack_from(content, at)
    at += _COLUMN.size
    numbers = np.empty(count, np.int64)
    if width == 0:
        numbers.fill(unit)
    else:
        planes = np.frombuffer(content, np.uint8, width * (count - 1), at)
        zigzag = planes
        if width > 1:
            zigzag = np.ascontiguousarray(planes.reshape(width, -1).T).view(f"<u{width}").ravel()
        wide = zigzag.astype(np.int64)
        numbers[1:] = ((wide >> 1) & np.int64(2**63 - 1)) ^ -(wide & 1)
        if unit != 1:
            numbers *= unit
    numbers[0] = first
    return numbers.cumsum(out=numbers), at + width * (count - 1)


def _after(content: bytes, at: int, count: int) -> int:
    return at + _COLUMN.size + content[at] * (count - 1)


def _zigzag(differences: Int64s) -> NDArray[np.uint64]:
    return ((differences << 1) ^ (differences >> 63)).view(np.uint64)


def _width(zigzag: NDArray[np.uint64]) -> int:
    largest = int(zigzag.max())
    return next(width for width in (1, 2, 4, 8) if largest < 1 << 8 * width)


# texts


def _texts(texts: list[str]) -> bytes:
    encoded = json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode()
    return _LENGTH.pack(len(encoded)) + encoded


def _read_texts(content: bytes, at: int) -> list[str]:
    (length,) = _LENGTH.unpack_from(content, at)
    start = at + _LENGTH.size
    texts: list[str] = json.loads(content[start : start + length], parse_float=Decimal)
    return texts


# raw words


def _packed_raw(raws: list[str], values: Int64s) -> bytes:
    if raws.count(raws[0]) == len(raws):
        return bytes([_Raw.ONE_TEXT]) + _texts(raws[:1])
    words = _as_words(raws, values)
    if words is not None:
        return words
    _, _, decimals = raws[0].partition(".")
    if len(decimals) <= SCALE and _digits(values, len(decimals)) == raws:
        return bytes([_Raw.DIGITS, len(decimals)])
    return bytes([_Raw.TEXTS]) + _texts(raws)


def _as_words(raws: list[str], values: Int64s) -> bytes | None:
    length = len(raws[0])
    count = (length + 1) // _WORD_CHARACTERS
    if not 1 <= count <= _WORDS_MAX or any(len(raw) != length for raw in raws):
        return None
    try:
        words = np.frombuffer(bytes.fromhex("".join(raws)), ">u2").reshape(-1, count)
    except ValueError:
        return None
    if len(words) != len(raws) or _as_texts(words) != raws:
        return None
    ways = [
        (_zigzag(np.diff(residue)).max(initial=0), code, factor, residue)
        for code, order in enumerate(_ORDERS)
        for joined in [_joined(words, order)]
        for factor in (_FACTORS if count in _FLOATS else _FACTORS[:1])
        for residue in [joined - _expected(values, count, factor) if factor else joined]
        if not factor or abs(int(residue[0])) < _EXPECTED_NEAR
    ]
    _, code, factor, residue = min(ways, key=itemgetter(0, 1, 2))
    return bytes([_Raw.WORDS, count, code, _FACTORS.index(factor)]) + _packed(residue)


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
    size = 2 * words.shape[1]
    text = np.ascontiguousarray(words, ">u2").tobytes()
    return [text[at : at + size].hex(" ", 2) for at in range(0, len(text), size)]


def _digits(values: Int64s, decimals: int) -> list[str]:
    """Return the values as text with so many decimals; those that have more come out wrong."""
    texts = []
    for value in values.tolist():
        whole, part = divmod(abs(value), 10**SCALE)
        tail = f".{part:0{SCALE}d}"[: decimals + 1] if decimals else ""
        texts.append(f"{'-' if value < 0 else ''}{whole}{tail}")
    return texts


def _unpacked_raw(content: bytes, at: int, values: Int64s, first: int, after: int) -> list[str]:
    kind = content[at]
    if kind == _Raw.ONE_TEXT:
        return _read_texts(content, at + 1) * (after - first)
    if kind == _Raw.DIGITS:
        return _digits(values[first:after], content[at + 1])
    if kind == _Raw.WORDS:
        count, order = content[at + 1], _ORDERS[content[at + 2]]
        joined = _unpacked(content, at + 4, len(values))[0][first:after]
        if factor := _FACTORS[content[at + 3]]:
            joined = joined + _expected(values[first:after], count, factor)
        return _as_texts(_parted(joined, count, order))
    return _read_texts(content, at + 1)[first:after]
