"""Bytes of the wire ⇄ numbers, exactly.

A Modbus register is a 16-bit word, high byte first. How several words, or the bytes of a binary
payload, make a number is the meter's choice; the four orders are named after the bytes of a 32-bit
number whose most significant byte is A, and mean the same for every width. Source: "MODBUS
Application Protocol Specification" V1.1b3 for the word, the meters' manuals for the orders.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from enum import StrEnum
from functools import cache
from string import ascii_lowercase
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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

    @property
    def swaps_words(self) -> bool:
        """Whether the order takes bytes in pairs, so that it fits whole words only."""
        return self in (WordOrder.CDAB, WordOrder.BADC)


class WordType(StrEnum):
    """How the bytes of a register are read."""

    UINT8 = "uint8"
    INT8 = "int8"
    UINT16 = "uint16"
    INT16 = "int16"
    UINT24 = "uint24"
    INT24 = "int24"
    UINT32 = "uint32"
    INT32 = "int32"
    UINT48 = "uint48"
    INT48 = "int48"
    UINT64 = "uint64"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BCD16 = "bcd16"
    BCD32 = "bcd32"
    BCD48 = "bcd48"
    BCD64 = "bcd64"

    @property
    def size(self) -> int:
        """How many bytes the type takes."""
        return int(self.value.lstrip(ascii_lowercase)) // 8

    @property
    def words(self) -> int:
        """How many 16-bit words the type takes; 8 and 24 bits stand in binary payloads only."""
        return (self.size + 1) // 2

    @property
    def is_float(self) -> bool:
        return self.value.startswith("float")

    @property
    def is_signed(self) -> bool:
        """Whether it is a two's complement integer."""
        return self.value.startswith("int")

    @property
    def is_bcd(self) -> bool:
        """Whether each half byte is a decimal digit."""
        return self.value.startswith("bcd")

    @property
    def capacity(self) -> int | None:
        """The first number from 0 up that the type has no room for; None for a float."""
        if self.is_float:
            return None
        base, places = (10, 2 * self.size) if self.is_bcd else (2, 8 * self.size - self.is_signed)
        return int(base**places)


Endian = Literal["big", "little"]
_FLOATS = {
    (4, "big"): struct.Struct(">f"),
    (4, "little"): struct.Struct("<f"),
    (8, "big"): struct.Struct(">d"),
    (8, "little"): struct.Struct("<d"),
}


def decode(words: Sequence[int], word_type: WordType, order: WordOrder) -> Decimal | None:
    """Return the number that `words` hold, exactly; None where they hold none.

    Raises `ValueError` where they are not as many as the type takes.
    """
    if len(words) != word_type.words:
        raise ValueError(f"{len(words)} words, where {word_type} takes {word_type.words}")
    return decoder(word_type, order)(to_wire(words))


def encode(number: Decimal, word_type: WordType, order: WordOrder) -> tuple[int, ...]:
    """Return the words that hold `number`: whole for an integer type, nearest for a float type.

    Raises `OverflowError` where the type cannot hold it, `ValueError` where it is not whole.
    """
    return from_wire(encode_wire(number, word_type, order))


@cache
def decoder(word_type: WordType, order: WordOrder) -> Callable[[bytes], Decimal | None]:
    """Return the function that reads the number in the type's bytes, as the wire has them.

    It returns the exact number, and None for NaN, the infinities, and BCD that is not all digits.
    """
    read = _reader(word_type, _endian(order))
    if not order.swaps_words:
        return read
    return lambda wire: read(_bytes_swapped(wire))


def encode_wire(number: Decimal, word_type: WordType, order: WordOrder) -> bytes:
    """Return the bytes of the wire that hold `number`; raises what `encode` raises."""
    if not word_type.is_float and number != number.to_integral_value():
        raise ValueError(f"{number} is not whole, and {word_type} holds whole numbers")
    try:
        wire = _pack(number, word_type, _endian(order))
    except (struct.error, OverflowError) as error:
        raise OverflowError(f"{number} does not fit {word_type}") from error
    return _bytes_swapped(wire) if order.swaps_words else wire


def _reader(word_type: WordType, endian: Endian) -> Callable[[bytes], Decimal | None]:
    if word_type.is_float:
        unpack = _FLOATS[word_type.size, endian].unpack

        def read_float(wire: bytes) -> Decimal | None:
            value = Decimal(unpack(wire)[0])
            return value if value.is_finite() else None

        return read_float
    if word_type.is_bcd:

        def read_bcd(wire: bytes) -> Decimal | None:
            digits = (wire if endian == "big" else wire[::-1]).hex()
            return Decimal(digits) if digits.isdecimal() else None

        return read_bcd
    signed = word_type.is_signed
    return lambda wire: Decimal(int.from_bytes(wire, endian, signed=signed))


def _pack(number: Decimal, word_type: WordType, endian: Endian) -> bytes:
    if word_type.is_float:
        layout = _FLOATS[word_type.size, endian]
        wire = layout.pack(number)
        if number.is_finite() and not Decimal(layout.unpack(wire)[0]).is_finite():
            raise OverflowError
        return wire
    whole, size = int(number), word_type.size
    if word_type.is_bcd:
        if not 0 <= whole < 10 ** (2 * size):
            raise OverflowError
        whole = int(str(whole), 16)
    return whole.to_bytes(size, endian, signed=word_type.is_signed)


def _endian(order: WordOrder) -> Endian:
    """Return where the most significant byte stands, once no bytes are swapped inside words."""
    return "big" if order in (WordOrder.ABCD, WordOrder.BADC) else "little"


def _bytes_swapped(wire: bytes) -> bytes:
    count = len(wire) // 2
    return _words("<", count).pack(*_words(">", count).unpack(wire))


def to_wire(words: Sequence[int]) -> bytes:
    """Return the bytes of `words` as they stand on the wire."""
    return _words(">", len(words)).pack(*words)


def in_order(words: Sequence[int], order: WordOrder) -> bytes:
    """Return the bytes of `words`, the first or most significant one first."""
    wire = to_wire(words)
    if order.swaps_words:
        wire = _bytes_swapped(wire)
    return wire if _endian(order) == "big" else wire[::-1]


def from_wire(wire: bytes) -> tuple[int, ...]:
    """Return the words in `wire`, a whole number of them."""
    return _words(">", len(wire) // 2).unpack(wire)


@cache
def _words(endian: str, count: int) -> struct.Struct:
    return struct.Struct(f"{endian}{count}H")


def to_hex(words: Sequence[int]) -> str:
    """Return `words` as text to keep with a reading: `462a 7521`."""
    return wire_hex(to_wire(words))


def wire_hex(wire: bytes) -> str:
    """Return the bytes of the wire as text, in words from the right: `462a 7521`, `01 e240`."""
    return wire.hex(" ", 2)


def from_hex(text: str) -> tuple[int, ...]:
    """Return the words written in `text`; raise `ValueError` where it holds anything else."""
    wire = wire_from_hex(text)
    if len(wire) % 2:
        raise ValueError(f"{text!r} is not a whole number of 16-bit words")
    return from_wire(wire)


def wire_from_hex(text: str) -> bytes:
    """Return the bytes written in `text`; raise `ValueError` where it holds anything else."""
    digits = "".join(text.split())
    if len(digits) % 2:
        raise ValueError(f"{text!r} is not a whole number of bytes")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"{text!r} is not hexadecimal") from None
