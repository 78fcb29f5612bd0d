"""Units of formulas: products of powers of a few symbols, `CNY/m2`, `kWh/person`, `1` for none."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

SYMBOLS = (
    "CNY",
    "kWh",
    "m3",
    "m2",
    "kW",
    "kVA",
    "person",
    "dwelling",
    "car_space",
    "day",
    "month",
)
"""Every unit that a formula may state. None is a multiple of another: nothing is converted."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A unit: symbols with their powers, sorted, none of them 0. `Dimension()` is a pure number."""

    powers: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, symbol: str) -> Self:
        return cls(((symbol, 1),))

    def times(self, other: Dimension) -> Dimension:
        return _joined(self, other, 1)

    def per(self, other: Dimension) -> Dimension:
        return _joined(self, other, -1)

    def __str__(self) -> str:
        above = [symbol for symbol, power in self.powers for _ in range(power)]
        below = [symbol for symbol, power in self.powers for _ in range(-power)]
        return "/".join(["·".join(above) or "1", *below])


def _joined(left: Dimension, right: Dimension, sign: int) -> Dimension:
    powers = Counter(dict(left.powers))
    for symbol, power in right.powers:
        powers[symbol] += sign * power
    return Dimension(tuple(sorted((symbol, power) for symbol, power in powers.items() if power)))


NUMBER = Dimension()
MONEY = Dimension.of("CNY")


def parse_unit(text: str) -> Dimension:
    """Return the unit that `text` writes: symbols with `·`, `*` and `/` between, or `1`.

    Raises `ValueError` that names the symbol it does not know.
    """
    unit = NUMBER
    divides = False
    for index, part in enumerate(re.split(r"([/*·×])", text)):
        if index % 2:
            divides = part == "/"
            continue
        symbol = _symbol(part.strip())
        unit = unit.per(symbol) if divides else unit.times(symbol)
    return unit


def _symbol(text: str) -> Dimension:
    if text == "1":
        return NUMBER
    if text in SYMBOLS:
        return Dimension.of(text)
    close = get_close_matches(text, SYMBOLS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"units are {', '.join(SYMBOLS)}"
    raise ValueError(f"{text!r} is no unit; {hint}" if text else f"a unit is missing; {hint}")
