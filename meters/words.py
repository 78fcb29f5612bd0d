"""Register words ⇄ numbers, exactly.

A Modbus register is a 16-bit word. How several words make a number is the meter's choice; the four
orders are named after the bytes of a 32-bit number whose most significant byte is A. Source:
"MODBUS Application Protocol Specification" V1.1b3 for the word, the meters' manuals for the orders.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence


class WordOrder(StrEnum):
    """In which order a number's bytes stand on the wire."""

    ABCD = "ABCD"
    """High word first."""
    CDAB = "CDAB"
    """Low word first."""
    BADC = "BADC"
    """High word first, bytes swapped inside each word."""
    DCBA = "DCBA"
    """Little-endian throughout."""


class WordType(StrEnum):
    """How the bytes of a register are read."""

    UINT16 = "uint16"
    INT16 = "int16"
    UINT32 = "uint32"
    INT32 = "int32"
    UINT64 = "uint64"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"

    @property
    def words(self) -> int:
        """How many 16-bit words the type takes."""
        return struct.calcsize(_FORMATS[self]) // 2

    @property
    def is_float(self) -> bool:
        return self in (WordType.FLOAT32, WordType.FLOAT64)


_FORMATS = {
    WordType.UINT16: ">H",
    WordType.INT16: ">h",
    WordType.UINT32: ">I",
    WordType.INT32: ">i",
    WordType.UINT64: ">Q",
    WordType.INT64: ">q",
    WordType.FLOAT32: ">f",
    WordType.FLOAT64: ">d",
}


def decode(words: Sequence[int], word_type: WordType, order: WordOrder) -> Decimal | None:
    """Return the number that `words` hold, exactly; None for NaN and the infinities."""
    (number,) = struct.unpack(_FORMATS[word_type], _reorder(words, order))
    value = Decimal(number)
    return value if value.is_finite() else None


def encode(number: Decimal, word_type: WordType, order: WordOrder) -> tuple[int, ...]:
    """Return the words that hold `number`: whole for an integer type, nearest for a float type.

    Raises `OverflowError` where the type cannot hold it.
    """
    if not word_type.is_float and number != number.to_integral_value():
        raise ValueError(f"{number} is not whole, and {word_type} holds whole numbers")
    try:
        packed = struct.pack(_FORMATS[word_type], number if word_type.is_float else int(number))
    except struct.error as error:
        raise OverflowError(f"{number} does not fit {word_type}") from error
    words = [int.from_bytes(packed[i : i + 2], "big") for i in range(0, len(packed), 2)]
    reordered = _reorder(words, order)
    return tuple(int.from_bytes(reordered[i : i + 2], "big") for i in range(0, len(reordered), 2))


def _reorder(words: Sequence[int], order: WordOrder) -> bytes:
    """Return the bytes of `words`, most significant first. The reordering is its own inverse."""
    if order in (WordOrder.CDAB, WordOrder.DCBA):
        words = words[::-1]
    endian: Literal["big", "little"] = (
        "big" if order in (WordOrder.ABCD, WordOrder.CDAB) else "little"
    )
    return b"".join(word.to_bytes(2, endian) for word in words)


def to_hex(words: Sequence[int]) -> str:
    """Return `words` as text to keep with a reading: `462a 7521`."""
    return " ".join(f"{word:04x}" for word in words)


def from_hex(text: str) -> tuple[int, ...]:
    """Return the words written in `text`; raise `ValueError` where it holds anything else."""
    digits = "".join(text.split())
    if len(digits) % 4:
        raise ValueError(f"{text!r} is not a whole number of 16-bit words")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"{text!r} is not hexadecimal") from None
    return tuple(int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2))
