"""Money, exact: integers of the minor unit (fen), one definition of rounding, splits that add up.

Three scales meet here. A quantity is an integer of 10⁻⁴ of its unit, a unit price one of 10⁻⁶ of
the currency, so their product is an *unrounded amount* of 10⁻¹⁰, exact; money is 10⁻². Columns are
numpy `int64`, which wraps without a word, so every operation on them asks first whether the result
fits and raises `OverflowInMoneyError` where it does not.

Rounding looks at the size of an amount, not at its sign: "up" is away from zero. So a reversal is
always exactly the negative of what it reverses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, assert_never

import numpy as np
import numpy.typing as npt

from meters.definition import Definition
from meters.quantity import INT64_MAX, LARGEST_MAGNITUDE, SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

Column: TypeAlias = npt.NDArray[np.int64]
Number = TypeVar("Number", int, Column)
"""A Python integer or a column: what is defined once for both."""

MONEY_SCALE = 2
PRICE_SCALE = 6
UNROUNDED_PER_UNIT: int = 10 ** (SCALE + PRICE_SCALE)
UNROUNDED_PER_FEN: int = UNROUNDED_PER_UNIT // 10**MONEY_SCALE


class OverflowInMoneyError(ArithmeticError):
    """A product or sum of quantities, prices or money does not fit 64 bits."""


class InexactMoneyError(ValueError):
    """A number has more decimals than its scale holds, or does not fit 64 bits."""


class NothingToSplitByError(ValueError):
    """The weights of a split are negative or sum to zero."""


def scaled(value: Decimal, scale: int) -> int:
    """Return `value` as an integer of 10^-scale; raise `InexactMoneyError` if that loses."""
    if value.adjusted() > LARGEST_MAGNITUDE:
        raise InexactMoneyError(f"{value} is too large to be billed")
    numerator, denominator = value.as_integer_ratio()
    whole: int
    whole, rest = divmod(numerator * 10**scale, denominator)
    if rest:
        raise InexactMoneyError(f"{value} has more than {scale} decimals; they would be lost")
    if abs(whole) > INT64_MAX:
        raise InexactMoneyError(f"{value} is too large to be billed")
    return whole


def to_fen(amount: Decimal) -> int:
    """Return `amount` of the currency in its minor unit."""
    return scaled(amount, MONEY_SCALE)


def from_fen(fen: int) -> Decimal:
    """Return the amount that `fen` stands for, always with two decimals: `2852.00`."""
    return Decimal(fen).scaleb(-MONEY_SCALE)


def to_factor(percent: Decimal) -> int:
    """Return a percentage as a factor of the scale of prices: 10⁻⁶."""
    return scaled(percent, PRICE_SCALE - 2)


def to_price(price: Decimal) -> int:
    """Return a unit price as an integer of 10⁻⁶ of the currency."""
    return scaled(price, PRICE_SCALE)


def from_price(price: int) -> Decimal:
    """Return the unit price that `price`, an integer of 10⁻⁶, stands for."""
    return Decimal(price).scaleb(-PRICE_SCALE)


class Direction(StrEnum):
    """Where an amount between two multiples of the unit goes. Ties are halves."""

    HALF_UP = "half-up"
    HALF_EVEN = "half-even"
    DOWN = "down"
    UP = "up"


class Place(StrEnum):
    """What is rounded: each step of a charge, each line, or only the bill's total."""

    STEP = "step"
    LINE = "line"
    BILL = "bill"


class Rounding(Definition):
    """How a tariff rounds: in which direction, to multiples of what, and where."""

    direction: Direction = Direction.HALF_UP
    unit: Literal["0.01", "0.1", "1", "10"] = "0.01"
    place: Place = Place.LINE

    @property
    def unit_fen(self) -> int:
        return to_fen(Decimal(self.unit))

    def amount(self, unrounded: Number, divisor: Number | None = None) -> Number:
        """Return unrounded amounts (10⁻¹⁰ of the currency) in fen, as multiples of the unit.

        `divisor`: what the amounts are still to be divided by; rounding happens once, after it.
        """
        per_unit = UNROUNDED_PER_FEN * self.unit_fen
        whole = per_unit if divisor is None else multiply(divisor, per_unit)
        return round_quotient(unrounded, whole, self.direction) * self.unit_fen

    def to_fen_only(self) -> Rounding:
        """Return this rounding with its unit narrowed to one fen."""
        return self.model_copy(update={"unit": "0.01"})


def round_quotient(value: Number, divisor: Number | int, direction: Direction) -> Number:
    """Return `value / divisor` as integers, rounded by size whatever the sign; `divisor` > 0.

    One definition for a Python integer of any size and for a column, where it raises
    `OverflowInMoneyError` for values within `divisor` of the ends of 64 bits.
    """
    if not isinstance(value, int):
        _assert_fits(largest(value) + largest(divisor), "rounding")
    size = abs(value)
    match direction:
        case Direction.DOWN:
            rounded = size // divisor
        case Direction.UP:
            rounded = (size + (divisor - 1)) // divisor
        case Direction.HALF_UP:
            rounded = (size + divisor // 2) // divisor
        case Direction.HALF_EVEN:
            rest = size % divisor
            tie = (rest == divisor - rest) * 1
            rounded = (size + divisor // 2) // divisor
            rounded = rounded - tie * (rounded % 2)
        case _:
            assert_never(direction)
    return rounded * (1 - 2 * (value < 0))


def largest(column: Column | int) -> int:
    """Return the largest size in `column` as a Python integer, 0 for an empty one."""
    if isinstance(column, int):
        return abs(column)
    if column.size == 0:
        return 0
    return max(int(column.max()), -int(column.min()))


def _assert_fits(size: int, doing: str) -> None:
    if size > INT64_MAX:
        raise OverflowInMoneyError(
            f"{doing} reaches {size}, more than 64 bits hold; look for a wrong reading, area or "
            "price"
        )


def add(left: Column, right: Column) -> Column:
    """Return the sum of two columns; raise `OverflowInMoneyError` where it may not fit."""
    _assert_fits(largest(left) + largest(right), "a sum")
    return left + right


def subtract(left: Column, right: Column) -> Column:
    """Return the difference of two columns; raise `OverflowInMoneyError` as `add` does."""
    _assert_fits(largest(left) + largest(right), "a difference")
    return left - right


def multiply(number: Number, factor: Number | int) -> Number:
    """Return `number × factor`; a column raises `OverflowInMoneyError` where it does not fit."""
    if not isinstance(number, int):
        _assert_fits(largest(number) * largest(factor), "a product")
        _assert_fits(largest(factor), "a factor")
    return number * factor


@dataclass(frozen=True, slots=True)
class Split:
    """A total in whole parts. `odd` is the unit that rounding left over to a part: −1, 0 or 1."""

    parts: tuple[int, ...]
    odd: tuple[int, ...]


def largest_remainder(
    total: int, weights: Sequence[int | Fraction], *, tie_key: Callable[[int], bytes]
) -> Split:
    """Split `total` by `weights` into integers that sum to it exactly.

    Each part is its exact share cut to an integer; the units left over go to the largest
    remainders (Hamilton's method). `tie_key(position)` is asked only for positions that tie for the
    last of them; the smallest keys win. A negative total is the exact mirror of the positive one.
    Raises `NothingToSplitByError` for a negative weight or a zero sum of weights.
    """
    whole_weights = _whole(weights)
    weight_sum = sum(whole_weights)
    if weight_sum == 0 or min(whole_weights) < 0:
        raise NothingToSplitByError(
            f"cannot split {total}: a weight is negative or all weights are zero"
        )
    size, sign = abs(total), -1 if total < 0 else 1
    shares = [divmod(size * weight, weight_sum) for weight in whole_weights]
    left_over = size - sum(floor for floor, _ in shares)
    winners = _largest([remainder for _, remainder in shares], left_over, tie_key)
    odd = tuple(sign if position in winners else 0 for position in range(len(shares)))
    parts = tuple(sign * floor + extra for (floor, _), extra in zip(shares, odd, strict=True))
    return Split(parts, odd)


def _whole(weights: Sequence[int | Fraction]) -> list[int]:
    common = math.lcm(*(weight.denominator for weight in weights))
    return [weight.numerator * (common // weight.denominator) for weight in weights]


def _largest(remainders: list[int], wanted: int, tie_key: Callable[[int], bytes]) -> frozenset[int]:
    if wanted == 0:
        return frozenset()
    least = sorted(remainders, reverse=True)[wanted - 1]
    above = [position for position, remainder in enumerate(remainders) if remainder > least]
    tied = [position for position, remainder in enumerate(remainders) if remainder == least]
    missing = wanted - len(above)
    if missing < len(tied):
        tied = sorted(tied, key=lambda position: (tie_key(position), position))[:missing]
    return frozenset((*above, *tied))
