"""Texts in characters that a font has: of what it lacks, a mark stays and is told of."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LACKING = "〓"
"""The geta mark: what printers set for a character that they have no type for."""
VARIATIONS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
"""Which form of the character before is meant; a font with one form has nothing to choose."""
FORMAT_12 = 12


class Legible:
    """Puts `LACKING` for what the font at `path` lacks; `lacking` holds those characters."""

    def __init__(self, path: Path) -> None:
        self._known = characters(path)
        self.lacking: dict[str, None] = {}

    def all_of(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return `document` with every text in it made legible, down to the last table."""
        return {name: self._value(each) for name, each in document.items()}

    def text(self, text: str) -> str:
        """Return `text` with each character that can be printed, and a mark for any other."""
        return "".join(map(self._character, text))

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self.all_of(value)
        if isinstance(value, list | tuple):
            return [self._value(each) for each in value]
        return value

    def _character(self, character: str) -> str:
        if ord(character) in self._known:
            return character
        if ord(character) in VARIATIONS:
            return ""
        if character.isspace():
            return " "
        self.lacking[character] = None
        return LACKING


@cache
def characters(path: Path) -> frozenset[int]:
    """Return the code points that an OpenType font has glyphs for, by its `cmap` (format 12).

    See OpenType 1.9, "cmap — Character To Glyph Index Mapping Table". Raises `ValueError` for a
    file that has no such table.
    """
    content = path.read_bytes()
    (tables,) = struct.unpack_from(">H", content, 4)
    for place in range(12, 12 + 16 * tables, 16):
        name, _sum, start, _length = struct.unpack_from(">4sIII", content, place)
        if name == b"cmap":
            return frozenset(_mapped(content, start))
    raise ValueError(f"{path} is no OpenType font with a cmap")


def _mapped(content: bytes, cmap: int) -> Iterator[int]:
    _version, subtables = struct.unpack_from(">HH", content, cmap)
    for number in range(subtables):
        (offset,) = struct.unpack_from(">I", content, cmap + 4 + 8 * number + 4)
        table = cmap + offset
        if struct.unpack_from(">H", content, table) != (FORMAT_12,):
            continue
        (groups,) = struct.unpack_from(">I", content, table + 12)
        for first, last, _glyph in struct.iter_unpack(
            ">III", content[table + 16 : table + 16 + 12 * groups]
        ):
            yield from range(first, last + 1)
        return
