"""Splits that sum exactly, with the odd cents going round: nobody gets them month after month.

Each part is its exact share cut to an integer, and the units left over go one each to the largest
remainders (Hamilton's method). Alone that gives the same flats the odd cent each month wherever
remainders differ, so every share carries on what rounding owed it or gave it so far, and the odd
units go to the largest sum of remainder and carried debt. No share is ever off its exact value by a
whole unit in a period, and over the periods the differences cancel instead of adding up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.money import NothingToSplitByError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CARRIED_PER_UNIT = 10**6
"""What is carried is stated in millionths of a fen."""


@dataclass(frozen=True, slots=True)
class FairSplit:
    """A total in whole parts.

    `odd`: the unit that rounding left over to a part, −1, 0 or 1. `carried`: 10⁻⁶ units, what the
    part has been given too little (above 0) or too much so far, this period included.
    """

    parts: tuple[int, ...]
    odd: tuple[int, ...]
    carried: tuple[int, ...]


def split(
    total: int,
    weights: Sequence[int],
    *,
    carried: Sequence[int],
    tie_key: Callable[[int], bytes],
) -> FairSplit:
    """Split `total` by `weights` into integers that sum to it exactly.

    `carried`: what earlier periods carried for each part. `tie_key(position)` is asked only where
    sums of remainder and debt are equal; the smallest keys win. A part whose share is whole takes
    no odd unit. A negative total is the mirror of the positive one. Raises `NothingToSplitByError`
    for a negative weight or a zero sum of weights.
    """
    weight_sum = sum(weights)
    if weight_sum == 0 or min(weights) < 0:
        raise NothingToSplitByError(
            f"cannot split {total}: a weight is negative or all weights are zero"
        )
    size, sign = abs(total), -1 if total < 0 else 1
    shares = [divmod(size * weight, weight_sum) for weight in weights]
    left_over = size - sum(floor for floor, _ in shares)
    owed = [
        remainder * CARRIED_PER_UNIT + sign * debt * weight_sum
        for (_, remainder), debt in zip(shares, carried, strict=True)
    ]
    candidates = [place for place, (_, remainder) in enumerate(shares) if remainder]
    winners = set(_most_owed(candidates, owed, left_over, tie_key))
    odd = [sign if place in winners else 0 for place in range(len(shares))]
    return FairSplit(
        parts=tuple(sign * floor + extra for (floor, _), extra in zip(shares, odd, strict=True)),
        odd=tuple(odd),
        carried=tuple(
            debt + sign * (remainder * CARRIED_PER_UNIT // weight_sum) - extra * CARRIED_PER_UNIT
            for debt, (_, remainder), extra in zip(carried, shares, odd, strict=True)
        ),
    )


def _most_owed(
    candidates: list[int], owed: Sequence[int], wanted: int, tie_key: Callable[[int], bytes]
) -> list[int]:
    """Return the `wanted` candidates that are owed most."""
    if wanted == 0:
        return []
    least = sorted((owed[place] for place in candidates), reverse=True)[wanted - 1]
    above = [place for place in candidates if owed[place] > least]
    tied = [place for place in candidates if owed[place] == least]
    missing = wanted - len(above)
    if missing < len(tied):
        tied = sorted(tied, key=lambda place: (tie_key(place), place))[:missing]
    return above + tied


def spread(
    weights: Sequence[int], rows: Sequence[int], columns: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Return a table of integers, near `column × weight ÷ Σ weights`, whose sums are as given.

    `rows`, the parts of a split by `weights` of Σ `columns`, are the sums of its rows; `columns`
    those of its columns. Each cell is its exact value cut down, and takes one unit more where its
    row and column still lack one; the rows that lack most choose first (Gale and Ryser's order).
    """
    weight_sum = sum(weights)
    table = [[column * weight // weight_sum for column in columns] for weight in weights]
    lacking = [column - sum(row[place] for row in table) for place, column in enumerate(columns)]
    short = [whole - sum(row) for whole, row in zip(rows, table, strict=True)]
    for place in sorted(range(len(rows)), key=lambda place: -short[place]):
        while short[place]:
            fullest_first = sorted(range(len(columns)), key=lambda column: -lacking[column])
            taken = [column for column in fullest_first[: short[place]] if lacking[column] > 0]
            for column in taken:
                table[place][column] += 1
                lacking[column] -= 1
            short[place] -= len(taken)
    return tuple(map(tuple, table))
