"""Register words ⇄ numbers, exactly.

A Modbus register is a 16-bit word. How several words make a number is the meter's choice; the four
orders are named after the bytes of a 32-bit number whose most significant byte is A. Source:
"MODBUS Application Protocol Specification" V1.1b3 for the word, the meters' manuals for the orders.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

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
        return _NUMBERS[self].size // 2

    @property
    def is_float(self) -> bool:
        return self in (WordType.FLOAT32, WordType.FLOAT64)


_NUMBERS = {
    WordType.UINT16: struct.Struct(">H"),
    WordType.INT16: struct.Struct(">h"),
    WordType.UINT32: struct.Struct(">I"),
    WordType.INT32: struct.Struct(">i"),
    WordType.UINT64: struct.Struct(">Q"),
    WordType.INT64: struct.Struct(">q"),
    WordType.FLOAT32: struct.Struct(">f"),
    WordType.FLOAT64: struct.Struct(">d"),
}
_LOW_WORD_FIRST = (WordOrder.CDAB, WordOrder.DCBA)
_BYTES_SWAPPED = (WordOrder.BADC, WordOrder.DCBA)


def decode(words: Sequence[int], word_type: WordType, order: WordOrder) -> Decimal | None:
    """Return the number that `words` hold, exactly; None for NaN and the infinities."""
    (number,) = _NUMBERS[word_type].unpack(_to_bytes(words, order))
    value = Decimal(number)
    return value if value.is_finite() else None


def encode(number: Decimal, word_type: WordType, order: WordOrder) -> tuple[int, ...]:
    """Return the words that hold `number`: whole for an integer type, nearest for a float type.

    Raises `OverflowError` where the type cannot hold it.
    """
    if not word_type.is_float and number != number.to_integral_value():
        raise ValueError(f"{number} is not whole, and {word_type} holds whole numbers")
    try:
        packed = _NUMBERS[word_type].pack(number if word_type.is_float else int(number))
    except (struct.error, OverflowError) as error:
        raise OverflowError(f"{number} does not fit {word_type}") from error
    if number.is_finite() and not Decimal(_NUMBERS[word_type].unpack(packed)[0]).is_finite():
        raise OverflowError(f"{number} does not fit {word_type}")
    words: tuple[int, ...] = _words(order, len(packed) // 2).unpack(packed)
    return words[::-1] if order in _LOW_WORD_FIRST else words


def _to_bytes(words: Sequence[int], order: WordOrder) -> bytes:
    """Return the bytes of the number that `words` hold, most significant first."""
    if order in _LOW_WORD_FIRST:
        words = words[::-1]
    return _words(order, len(words)).pack(*words)


@cache
def _words(order: WordOrder, count: int) -> struct.Struct:
    """Return how `count` words become bytes, most significant first, once they are in order."""
    endian = "<" if order in _BYTES_SWAPPED else ">"
    return struct.Struct(f"{endian}{count}H")


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
