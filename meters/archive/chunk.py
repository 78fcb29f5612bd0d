"""Days of series, each in one compressed block, exact to the last character.

Layout of a block, little-endian, deflated without header (RFC 1951):

    format 1 B · how many readings 4 B · what is there 1 B · times · values
    · [missing values, a bit each] · [verdicts, 1 B each] · [reasons, as texts] · raw words

`integer_columns` tells what times and values look like, `raw_column` what raw words do. Blocks are
packed and unpacked many at a time, column by column: one by one they are slow.
"""

from __future__ import annotations

import struct
import zlib
from functools import cached_property
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meters.archive.integer_columns import (
    ends_of_columns,
    pack_columns,
    starts_of,
    unpack_columns,
)
from meters.archive.raw_column import end_of_texts, pack_raw, pack_texts, read_texts, unpack_raw
from meters.archive.rows import HOUR_S, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from meters.archive.integer_columns import Int64s

    Flags = NDArray[np.bool_]

_FORMAT = 1
_HEAD = struct.Struct("<BIB")
_LEVEL = 9
_WINDOW_BITS = -12  # 4 KiB: a block is smaller, and a small window is set up faster
_MEMORY_LEVEL = 5
_INFLATED_TO = 1024
"""What a block of quarter hours inflates to at most; more is taken where one is larger."""
_MISSING, _VERDICTS, _REASONS = 1, 2, 4
"""What is there. Plain integers: flags of an enumeration are slow to ask."""


class CorruptChunkError(RuntimeError):
    """A block that does not unpack to what was packed; the readings in it need a backup."""


class Packed(NamedTuple):
    """A block: how many readings of which series are in it."""

    series: int
    readings: int
    body: bytes


class _Columns(NamedTuple):
    """Rows turned by a quarter; a missing value holds that of a neighbour."""

    series: list[int]
    starts: Int64s
    times: Int64s
    values: Int64s
    missing: Flags
    verdicts: NDArray[np.uint8]
    reasons: list[str]
    raws: list[str]


def pack(rows: Sequence[Sequence[Any]]) -> list[Packed]:
    """Return a block for each series in `rows`, which are like `Row`, in any order.

    Raises `ValueError` for two readings of one series at the same second. The blocks have been
    unpacked and compared: raises `CorruptChunkError` where they differ.
    """
    whole = _columns(rows)
    times = pack_columns(whole.times, whole.starts)
    values = pack_columns(whole.values, whole.starts)
    raws = pack_raw(whole.raws, whole.values, whole.starts)
    some_missing, some_bad = bool(whole.missing.any()), bool(whole.verdicts.any())
    some_reasons = any(whole.reasons)
    packed = []
    bounds = whole.starts.tolist()
    for n, series in enumerate(whole.series):
        here = slice(bounds[n], bounds[n + 1])
        has, parts = 0, [times[n], values[n]]
        if some_missing and whole.missing[here].any():
            has |= _MISSING
            parts.append(np.packbits(whole.missing[here]).tobytes())
        if some_bad and whole.verdicts[here].any():
            has |= _VERDICTS
            parts.append(whole.verdicts[here].tobytes())
        if some_reasons and any(whole.reasons[here]):
            has |= _REASONS
            parts.append(pack_texts(whole.reasons[here]))
        count = here.stop - here.start
        content = b"".join((_HEAD.pack(_FORMAT, count, has), *parts, raws[n]))
        squeezer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
        packed.append(Packed(series, count, squeezer.compress(content) + squeezer.flush()))
    Chunks([one.series for one in packed], [one.body for one in packed]).compare(whole)
    return packed


class Chunks:
    """Blocks, unpacked as far as they are asked. Raises `CorruptChunkError`.

    The readings lie in one column, block by block; a position in it names a reading.
    """

    def __init__(self, series: Sequence[int], bodies: Sequence[bytes]) -> None:
        self.series = series
        blocks = _inflated(series, bodies)
        self._content = b"".join(blocks)
        ends = starts_of(map(len, blocks))
        self._bytes = np.frombuffer(self._content, np.uint8)
        heads = self._bytes[ends[:-1, np.newaxis] + np.arange(_HEAD.size)]
        self._has = heads[:, -1]
        counts = np.ascontiguousarray(heads[:, 1:5]).view("<u4")[:, 0].astype(np.int64)
        self._times_at = ends[:-1] + _HEAD.size
        self._values_at = ends_of_columns(self._bytes, self._times_at, counts)
        self._rest_at = ends_of_columns(self._bytes, self._values_at, counts)
        self.starts = starts_of(counts.tolist())
        self.times = self._column(self._times_at)

    @cached_property
    def good(self) -> Flags:
        """Which readings may be trusted."""
        good: Flags = self.verdicts == 0
        return good

    @cached_property
    def values(self) -> Int64s:
        """What they showed, 10⁻⁴; of one that is not good it means nothing."""
        return self._column(self._values_at)

    def having(self, reason: str) -> Flags | None:
        """Return which readings have `reason`; None where no reading has any reason."""
        if not (self._has & _REASONS).any():
            return None
        reasons = self._reasons_at(np.arange(self.starts[-1]))
        return np.array([reason in each.split(",") for each in reasons])

    def last_in_each(self, wanted: Flags) -> Int64s:
        """Return the position of the last `wanted` reading of each block that has any."""
        marked = np.where(wanted, np.arange(len(wanted)), -1)
        found = np.maximum.reduceat(marked, self.starts[:-1])
        return found[found >= 0]

    def first_in_each(self, wanted: Flags) -> Int64s:
        """Return the position of the first `wanted` reading of each block that has any."""
        marked = np.where(wanted, np.arange(len(wanted)), len(wanted))
        found = np.minimum.reduceat(marked, self.starts[:-1])
        return found[found < len(wanted)]

    def rows(self, positions: Int64s | None = None) -> list[Row]:
        """Return the readings at `positions`, which ascend; by default all."""
        if positions is None:
            positions = np.arange(self.starts[-1])
        owners = np.repeat(np.array(self.series), np.diff(self.starts))[positions]
        times = self.times[positions]
        values: list[int | None] = self.values[positions].tolist()
        for place in np.flatnonzero(self._missing[positions]).tolist():
            values[place] = None
        return list(
            map(
                Row,
                (times // HOUR_S).tolist(),
                owners.tolist(),
                times.tolist(),
                values,
                self.verdicts[positions].tolist(),
                self._reasons_at(positions),
                self._raws_at(positions),
            )
        )

    @cached_property
    def _missing(self) -> Flags:
        missing = np.zeros(self.starts[-1], np.bool_)
        for n in np.flatnonzero(self._has & _MISSING).tolist():
            start, end = self.starts[n : n + 2].tolist()
            bits = self._bytes[self._rest_at[n] : self._rest_at[n] + (end - start + 7) // 8]
            missing[start:end] = np.unpackbits(bits, count=end - start)
        return missing

    @cached_property
    def _verdicts_at(self) -> Int64s:
        bits = (np.diff(self.starts) + 7) // 8
        return self._rest_at + np.where(self._has & _MISSING, bits, 0)

    @cached_property
    def verdicts(self) -> NDArray[np.uint8]:
        """How each reading was judged, as `Verdict`."""
        verdicts = np.zeros(self.starts[-1], np.uint8)
        for n in np.flatnonzero(self._has & _VERDICTS).tolist():
            start, end = self.starts[n : n + 2].tolist()
            at = self._verdicts_at[n]
            verdicts[start:end] = self._bytes[at : at + end - start]
        return verdicts

    @cached_property
    def _texts_at(self) -> Int64s:
        """Where the reasons are, in those blocks that have any, and the raw words in others."""
        return self._verdicts_at + np.where(self._has & _VERDICTS, np.diff(self.starts), 0)

    def _column(self, places: Int64s) -> Int64s:
        return unpack_columns(self._bytes, places, self.starts, range(len(places)))

    def _reasons_at(self, positions: Int64s) -> list[str]:
        reasons = [""] * len(positions)
        for n in np.flatnonzero(self._has & _REASONS).tolist():
            texts = read_texts(self._content, int(self._texts_at[n]))
            start, end = self.starts[n], self.starts[n + 1]
            first, after = np.searchsorted(positions, (start, end)).tolist()
            asked = (positions[first:after] - start).tolist()
            reasons[first:after] = [texts[place] for place in asked]
        return reasons

    def _raws_at(self, positions: Int64s) -> list[str]:
        places = self._texts_at.copy()
        for n in np.flatnonzero(self._has & _REASONS).tolist():
            places[n] = end_of_texts(self._content, int(places[n]))
        return unpack_raw(self._content, places, self.values, self.starts, positions)

    def compare(self, whole: _Columns) -> None:
        """Raise `CorruptChunkError` unless this is `whole`."""
        every = np.arange(self.starts[-1])
        same = (
            np.array_equal(self.starts, whole.starts)
            and np.array_equal(self.times, whole.times)
            and np.array_equal(self._missing, whole.missing)
            and np.array_equal(self.values, whole.values)
            and np.array_equal(self.verdicts, whole.verdicts)
            and self._reasons_at(every) == whole.reasons
            and self._raws_at(every) == whole.raws
        )
        if not same:
            first, last = self.series[0], self.series[-1]
            raise CorruptChunkError(
                f"a chunk of the series {first} to {last} would lose something; they stay rows"
            )


def _inflated(series: Sequence[int], bodies: Sequence[bytes]) -> list[bytes]:
    blocks: list[bytes] = []
    try:  # by `map`: there are hundreds of thousands in a month
        blocks.extend(map(zlib.decompress, bodies, repeat(-zlib.MAX_WBITS), repeat(_INFLATED_TO)))
    except zlib.error as error:
        bad = series[len(blocks)]
        raise CorruptChunkError(f"a chunk of series {bad} is damaged: {error}") from error
    if min(map(len, blocks)) < _HEAD.size:
        bad = next(
            one for one, block in zip(series, blocks, strict=True) if len(block) < _HEAD.size
        )
        raise CorruptChunkError(f"a chunk of series {bad} is damaged: it has no head")
    if set(map(itemgetter(0), blocks)) != {_FORMAT}:
        bad, wrong = next(
            (one, block[0])
            for one, block in zip(series, blocks, strict=True)
            if block[0] != _FORMAT
        )
        raise CorruptChunkError(
            f"a chunk of series {bad} has format {wrong}, this software knows {_FORMAT}"
        )
    return blocks


def _columns(rows: Sequence[Sequence[Any]]) -> _Columns:
    if not rows:
        raise ValueError("a chunk holds at least one reading")
    _, series, seconds, held, verdicts, reasons, raws = zip(*rows, strict=True)
    order = np.lexsort((seconds, series))
    owners = np.array(series, np.int64)[order]
    times = np.array(seconds, np.int64)[order]
    changes = np.flatnonzero(np.diff(owners)) + 1
    starts = np.array([0, *changes, len(rows)])
    if ((np.diff(times) == 0) & (np.diff(owners) == 0)).any():
        raise ValueError("a chunk holds one reading of a series at a second")
    missing = np.zeros(len(rows), np.bool_)
    if None in held:
        missing = np.array([value is None for value in held])[order]
    values = np.array([value or 0 for value in held], np.int64)[order]
    return _Columns(
        owners[starts[:-1]].tolist(),
        starts,
        times,
        _filled(values, missing, starts) if missing.any() else values,
        missing,
        np.array(verdicts, np.uint8)[order],
        np.array(reasons, np.object_)[order].tolist(),
        np.array(raws, np.object_)[order].tolist(),
    )


def _filled(values: Int64s, missing: Flags, starts: Int64s) -> Int64s:
    """Return the values with what is missing replaced by a neighbour of the same series, or 0."""
    count, heads = len(values), starts[:-1]
    places = np.arange(count)
    before = np.maximum.accumulate(np.where(missing, -1, places))
    first = np.minimum.reduceat(np.where(missing, count, places), heads)
    first = np.where(first < starts[1:], first, heads)  # where all is missing there are zeros
    own = before >= np.repeat(heads, np.diff(starts))
    filled: Int64s = values[np.where(own, before, np.repeat(first, np.diff(starts)))]
    return filled
