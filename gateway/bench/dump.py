"""A range of a meter's memory, word by word, and as a proof to put into a meter type."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.modbus import RefusedError
from meters.access import MOST_WORDS
from meters.quantity import plain
from meters.words import WordOrder, WordType, decode, to_hex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.conversation import Connection

READINGS = (
    ("uint16", WordType.UINT16, WordOrder.ABCD),
    ("int16", WordType.INT16, WordOrder.ABCD),
    ("uint32", WordType.UINT32, WordOrder.ABCD),
    ("uint32 CDAB", WordType.UINT32, WordOrder.CDAB),
    ("float32", WordType.FLOAT32, WordOrder.ABCD),
    ("float32 CDAB", WordType.FLOAT32, WordOrder.CDAB),
)
"""How each address is shown: as numbers that begin there."""
SHOWN_DIGITS = 7


async def dump(
    connection: Connection, unit: int, function: int, span: range, *, at_once: int = MOST_WORDS
) -> dict[int, int]:
    """Return the words of `span`, address → word, read `at_once` words at a time.

    Where a request is refused its halves are asked for; addresses that the meter does not have are
    left out. Raises `ModbusError` where it does not answer.
    """
    found: dict[int, int] = {}
    waiting = [span[at : at + at_once] for at in range(0, len(span), at_once)][::-1]
    while waiting:
        part = waiting.pop()
        try:
            words = await connection.read(unit, function, part.start, len(part))
        except RefusedError as error:
            if not error.is_about_the_request:
                raise
            if len(part) > 1:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
            continue
        found.update(zip(part, words, strict=True))
    return found


def numbers(image: Mapping[int, int], address: int) -> dict[str, str]:
    """Return what the words from `address` on say, read in several ways; `-` where they end."""
    shown = {}
    for name, word_type, order in READINGS:
        words = [image[at] for at in range(address, address + word_type.words) if at in image]
        number = decode(words, word_type, order) if len(words) == word_type.words else None
        shown[name] = "-" if number is None else _short(number)
    return shown


def proofs(image: Mapping[int, int]) -> Iterator[str]:
    """Yield a `[[proof]]` for each run of words in `image`, with what a person has to fill in."""
    for first, words in _runs(image):
        yield "\n".join(
            (
                "[[proof]]",
                'kind = "display"',
                'source = "…which meter, when, and what its display showed"',
                f"at = {first:#06x}",
                f'words = "{to_hex(words)}"',
                'expect = { import_energy = "…what the display showed, in kWh or m3" }',
            )
        )


def _runs(image: Mapping[int, int]) -> Iterator[tuple[int, list[int]]]:
    first: int | None = None
    words: list[int] = []
    for address in sorted(image):
        if first is None or address != first + len(words):
            if first is not None:
                yield first, words
            first, words = address, []
        words.append(image[address])
    if first is not None:
        yield first, words


def _short(number: Decimal) -> str:
    """Return `number` with the digits that a float32 has, and no more than fit a column."""
    if number == number.to_integral_value() and number.adjusted() < 12:
        return plain(number)
    rounded = number.normalize().__format__(f".{SHOWN_DIGITS}g")
    return rounded if "e" in rounded or "E" in rounded else plain(Decimal(rounded))
