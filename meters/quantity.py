"""Exact quantities: `Decimal` in the open, integers of 10⁻⁴ of the unit in columns and archives.

Nothing here rounds silently: a value that does not fit the scale is an error, and rounding to a
meter's display resolution is asked for by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SCALE = 4
PER_UNIT: int = 10**SCALE
INT64_MAX = 2**63 - 1
LARGEST_MAGNITUDE = 18
"""Numbers of 10¹⁹ and more fit no column; they are refused before they are expanded."""
_EXACT = Context(prec=40, Emax=40, traps=[Inexact, InvalidOperation, Overflow])
"""Raises where a digit would be lost; what fits a column has 19 digits at most."""
_whole, _times, _UNIT = _EXACT.to_integral_exact, _EXACT.multiply, Decimal(PER_UNIT)


class InexactQuantityError(ValueError):
    """A quantity has more decimals than 10⁻⁴ of its unit, or does not fit 64 bits."""


def to_scaled(value: Decimal) -> int:
    """Return `value` as an integer of 10⁻⁴ units; raise `InexactQuantityError` if that loses."""
    if value.adjusted() <= LARGEST_MAGNITUDE:
        try:
            scaled = int(_whole(_times(value, _UNIT)))
        except (ArithmeticError, ValueError) as error:
            why = f"has more than {SCALE} decimals" if value.is_finite() else "is no quantity"
            raise InexactQuantityError(f"{value} {why}") from error
        if -INT64_MAX <= scaled <= INT64_MAX:
            return scaled
    raise InexactQuantityError(f"{value} is beyond 64 bits at {SCALE} decimals")


def to_scaled_column(values: Iterable[Decimal | None]) -> list[int | None]:
    """Return `values` as integers of 10⁻⁴ units; raise `InexactQuantityError` if that loses."""
    held = list(values)
    try:
        column = [None if value is None else int(_whole(_times(value, _UNIT))) for value in held]
    except (ArithmeticError, ValueError):
        column = None
    if column is None or any(number and abs(number) > INT64_MAX for number in column):
        return [None if value is None else to_scaled(value) for value in held]
    return column


def from_scaled(scaled: int) -> Decimal:
    """Return the quantity that `scaled`, an integer of 10⁻⁴ units, stands for."""
    return Decimal(scaled).scaleb(-SCALE)


def quantise(value: Decimal, resolution: Decimal) -> Decimal:
    """Return `value` rounded half-even to a multiple of `resolution` (> 0)."""
    steps = (value / resolution).to_integral_value(ROUND_HALF_EVEN)
    return steps * resolution


def plain(value: Decimal) -> str:
    """Return `value` in plain notation without trailing zeros: `12.5`, `0`, `1000`."""
    text = str(value) if value else "0"  # a zero has no sign
    if "E" in text:
        text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_NUMBER = re.compile(
    r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,9})?|nan|inf|infinity)", re.IGNORECASE
)


def number_in(text: str) -> Decimal | None:
    """Return the number that a device writes as `text`, NaN and the infinities too, or None."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as meters state it: what it measures and its exact size in the canonical unit."""

    symbol: str
    canonical: str
    factor: Decimal


def _units(canonical: str, **factors: str) -> dict[str, Unit]:
    sizes = {canonical: "1", **factors}
    return {symbol: Unit(symbol, canonical, Decimal(size)) for symbol, size in sizes.items()}


UNITS: dict[str, Unit] = {
    **_units("kWh", Wh="0.001", MWh="1000"),
    **_units("kvarh", varh="0.001"),
    **_units("m3", L="0.001"),
    **_units("m3/h", **{"L/h": "0.001"}),
    **_units("kW", W="0.001", MW="1000"),
    **_units("V"),
    **_units("A", mA="0.001"),
    **_units("Hz"),
    **_units("degC"),
    **_units("1"),
}
"""Every unit that a definition may state, by symbol. Archives hold canonical units only."""
