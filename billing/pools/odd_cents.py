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

import numpy as np

from billing.money import NothingToSplitByError
from meters.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from billing.money import Column

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
    owing, by = _columns(size, weights, weight_sum, carried)
    shares = size * by
    floors = shares // weight_sum
    remainders = shares - floors * weight_sum
    owed = remainders * CARRIED_PER_UNIT + sign * owing * weight_sum
    left_over = size - int(floors.sum())
    odd = np.zeros_like(by)
    odd[_most_owed(np.flatnonzero(remainders), owed, left_over, tie_key)] = sign
    given = remainders * CARRIED_PER_UNIT // weight_sum
    return FairSplit(
        parts=tuple((sign * floors + odd).tolist()),
        odd=tuple(odd.tolist()),
        carried=tuple((owing + sign * given - odd * CARRIED_PER_UNIT).tolist()),
    )


def _columns(
    size: int, weights: Sequence[int], weight_sum: int, carried: Sequence[int]
) -> tuple[Column, Column]:
    """Return what is carried and the weights, as columns in which all that is made of them fits.

    They are int64 where it does, else whole numbers of any size: slower, and as exact.
    """
    largest_debt = max(map(abs, carried), default=0)
    owed = weight_sum * (CARRIED_PER_UNIT + largest_debt)
    fits = max(size * max(weights), owed, size + largest_debt + CARRIED_PER_UNIT) <= INT64_MAX
    kind = np.int64 if fits else object
    return np.array(carried, dtype=kind), np.array(weights, dtype=kind)


def _most_owed(
    candidates: Column, owed: Column, wanted: int, tie_key: Callable[[int], bytes]
) -> Column:
    """Return the places of the `wanted` candidates that are owed most."""
    if wanted == 0:
        return candidates[:0]
    sizes = owed[candidates]
    least = np.sort(sizes)[len(sizes) - wanted]
    above, tied = candidates[sizes > least], candidates[sizes == least]
    missing = wanted - len(above)
    if missing < len(tied):
        in_turn = sorted(tied.tolist(), key=lambda place: (tie_key(place), place))
        tied = np.array(in_turn[:missing], dtype=candidates.dtype)
    return np.concatenate([above, tied])


def spread(
    weights: Sequence[int], rows: Sequence[int], columns: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Return a table of integers, near `column × weight ÷ Σ weights`, whose sums are as given.

    `rows`, the parts of a split by `weights` of Σ `columns`, are the sums of its rows; `columns`
    those of its columns. Each cell is its exact value cut down, and takes one unit more where its
    row and column still lack one; the rows that lack most choose first (Gale and Ryser's order). As
    debts decide to which rows the odd units go, sometimes no such table has both sums: then, and
    only then, a cell takes another. Raises `ValueError` where both do not sum to the same.
    """
    if sum(rows) != sum(columns):
        raise ValueError(f"rows sum to {sum(rows)}, columns to {sum(columns)}; no table has both")
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
