"""Columns of exact fractions: integers above, positive integers below.

Integers stay int64 while a product or sum is sure to fit, and become Python's own where it may not:
nothing wraps, nothing is rounded. What is the same in every row is kept as one Python integer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from billing.money import Direction, OverflowInMoneyError, largest
from meters.quantity import INT64_MAX

if TYPE_CHECKING:
    from billing.money import Column

Integers: TypeAlias = npt.NDArray[Any] | int
"""int64[n], object[n] of Python integers, or one integer for every row."""
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Ratio:
    """`top / bottom` in each row; `bottom` > 0."""

    top: Integers
    bottom: Integers = 1

    def plus(self, other: Ratio) -> Ratio:
        bottom, left, right = _common(self, other)
        return Ratio(_sum(left, right), bottom)

    def minus(self, other: Ratio) -> Ratio:
        return self.plus(other.negative())

    def negative(self) -> Ratio:
        return Ratio(_product(self.top, -1), self.bottom)

    def times(self, other: Ratio) -> Ratio:
        return _reduced(_product(self.top, other.top), _product(self.bottom, other.bottom))

    def per(self, other: Ratio, zero: Mask) -> Ratio:
        """Return the quotient; where `other` is `zero` the row is taken for divided by 1."""
        below = chosen(zero, Ratio(1), other) if zero.any() else other
        sign = _sign(below.top)
        top = _product(_product(self.top, below.bottom), sign)
        return _reduced(top, _product(_product(self.bottom, below.top), sign))

    def compared(self, other: Ratio) -> Integers:
        """Return −1, 0 or 1 in each row, as this is less than, equal to or above `other`."""
        _, left, right = _common(self, other)
        return _sign(_sum(left, _product(right, -1)))

    def absolute(self) -> Ratio:
        return Ratio(_product(self.top, _sign(self.top)), self.bottom)

    def floor(self) -> Ratio:
        top, bottom = _matched(self.top, self.bottom)
        return Ratio(top // bottom)

    def rounded(self, unit: Ratio, direction: Direction) -> Ratio:
        """Return the multiple of `unit` (> 0) next to each, by size whatever the sign."""
        divisor = _product(self.bottom, unit.top)
        sign = _sign(self.top)
        size, divisor = _matched(_product(_product(self.top, sign), unit.bottom), divisor)
        whole, rest = size // divisor, size % divisor
        missing = divisor - rest
        match direction:
            case Direction.DOWN:
                more = whole * 0
            case Direction.UP:
                more = (rest > 0) * 1
            case Direction.HALF_UP:
                more = (rest >= missing) * 1
            case Direction.HALF_EVEN:
                more = (rest > missing) * 1 + (rest == missing) * (whole % 2)
            case _:
                assert_never(direction)
        return Ratio(_product(_product(_sum(whole, more), sign), unit.top), unit.bottom)

    def scaled_to(self, scale: int, count: int) -> tuple[Column, Column]:
        """Return int64[count] numerators and divisors > 0, in lowest terms, of 10^-scale.

        Raises `OverflowInMoneyError` where one does not fit 64 bits.
        """
        exact = _reduced(column(_product(self.top, 10**scale), count), column(self.bottom, count))
        return _int64(exact.top, count), _int64(exact.bottom, count)


def loaded(values: Column, scale: int) -> Ratio:
    """Return `values`, int64[n] of 10^-scale, as a column of fractions."""
    fits = largest(values) <= INT64_MAX
    return Ratio(values if fits else values.astype(object), 10**scale)


def chosen(condition: Mask, then: Ratio, otherwise: Ratio) -> Ratio:
    """Return the row of `then` where `condition` holds, else that of `otherwise`."""
    count = len(condition)
    if isinstance(then.bottom, int) and isinstance(otherwise.bottom, int):
        bottom, left, right = _common(then, otherwise)
        return Ratio(np.where(condition, column(left, count), column(right, count)), bottom)
    return Ratio(
        np.where(condition, column(then.top, count), column(otherwise.top, count)),
        np.where(condition, column(then.bottom, count), column(otherwise.bottom, count)),
    )


def column(value: Integers, count: int) -> npt.NDArray[Any]:
    """Return `value` as an array of `count` rows."""
    if not isinstance(value, int):
        return value
    return np.full(count, value, dtype=np.int64 if abs(value) <= INT64_MAX else object)


def _common(left: Ratio, right: Ratio) -> tuple[Integers, Integers, Integers]:
    """Return one divisor, and both numerators over it."""
    if left.bottom is right.bottom:
        return left.bottom, left.top, right.top
    if isinstance(left.bottom, int) and isinstance(right.bottom, int):
        bottom = math.lcm(left.bottom, right.bottom)
        return (
            bottom,
            _product(left.top, bottom // left.bottom),
            _product(right.top, bottom // right.bottom),
        )
    return (
        _product(left.bottom, right.bottom),
        _product(left.top, right.bottom),
        _product(right.top, left.bottom),
    )


def _reduced(top: Integers, bottom: Integers) -> Ratio:
    if isinstance(bottom, int):
        return Ratio(top, bottom)
    divisor = np.gcd(column(top, len(bottom)), bottom)
    return Ratio(top // divisor, bottom // divisor)


def _product(left: Integers, right: Integers) -> Integers:
    if _size(left) * _size(right) > INT64_MAX:
        left, right = _wide(left), _wide(right)
    return left * right


def _sum(left: Integers, right: Integers) -> Integers:
    if _size(left) + _size(right) > INT64_MAX:
        left, right = _wide(left), _wide(right)
    return left + right


def _size(value: Integers) -> int:
    """Return at least the largest size in `value`, at least 1; of Python's integers 0: they fit."""
    if isinstance(value, int):
        return max(abs(value), 1)
    return 1 if value.dtype == object else max(largest(value), 1)


def _wide(value: Integers) -> Integers:
    return value if isinstance(value, int) else value.astype(object)


def _matched(left: Integers, right: Integers) -> tuple[Integers, Integers]:
    """Return both as they can be divided: a whole number beyond 64 bits meets no int64."""
    if any(isinstance(each, int) and abs(each) > INT64_MAX for each in (left, right)):
        return _wide(left), _wide(right)
    return left, right


def _sign(value: Integers) -> Integers:
    return (value > 0) * 1 - (value < 0) * 1


def _int64(value: Integers, count: int) -> Column:
    whole = column(value, count)
    size = max(map(abs, whole.tolist()), default=0) if whole.dtype == object else largest(whole)
    if size > INT64_MAX:
        raise OverflowInMoneyError(
            f"a formula reaches {size}, more than 64 bits hold; look for a wrong reading, area or "
            "number, or round inside the formula"
        )
    return whole.astype(np.int64)
