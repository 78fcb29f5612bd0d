"""How steps and bands meet: what of each band lies in each step.

Filled chronologically, each run of a band goes on where the one before it ended: who uses cheap
hours early in the month fills the cheap steps with them. Filled proportionally, each step holds the
bands in the shares that they have of all use. Either way the cells of a step sum to the step and
those of a band to the band, exactly.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from billing.money import add, largest, multiply
from billing.rating.bands import by_band
from billing.rating.blocks import reached, step_quantities
from meters.quantity import INT64_MAX

if TYPE_CHECKING:
    from billing.money import Column
    from billing.rating.subjects import BandUse
    from billing.rating.widths import Bound


def chronologically(
    runs: BandUse, start: Column, bounds: list[Bound], bands: tuple[str, ...]
) -> list[Column]:
    """Return int64[n] for each step and band, step by step; `runs` are in the order of time."""
    cells = {
        (step, band): np.zeros_like(start) for step in range(len(bounds) + 1) for band in bands
    }
    for place, band in enumerate(runs.names):
        used = runs.quantity[:, place]
        for step, quantity in enumerate(step_quantities(start, used, bounds)):
            cells[step, band] = add(cells[step, band], quantity)
        start = add(start, used)
    return list(cells.values())


def proportionally(
    runs: BandUse, start: Column, bounds: list[Bound], bands: tuple[str, ...]
) -> list[Column]:
    """Return int64[n] for each step and band, step by step, in whole 10⁻⁴.

    Step by step, what is left of the bands is cut at the step's share of it, so that a cell is
    never more than its band and never of another sign. Bands that cancel each other out fill no
    step; they lie in the one where the span starts.
    """
    left = by_band(runs, bands)
    whole = _running(left)[-1]
    cells: list[Column] = []
    resting = [rows & (whole == 0) for rows in reached(start, bounds)]
    steps = step_quantities(start, whole, bounds)
    for step, rests in zip(steps[:-1], resting, strict=False):
        running = _running(left)
        cut = [_share(each, step, running[-1]) for each in running]
        taken = [cut[0], *(after - before for before, after in pairwise(cut))]
        taken = [np.where(rests, band, part) for band, part in zip(left, taken, strict=True)]
        left = [band - part for band, part in zip(left, taken, strict=True)]
        cells += taken
    return [*cells, *left]


def _running(columns: list[Column]) -> list[Column]:
    """Return the sums of the first, the first two, … of `columns`."""
    sums = [columns[0]]
    for column in columns[1:]:
        sums.append(add(sums[-1], column))
    return sums


def _share(part: Column, step: Column, whole: Column) -> Column:
    """Return ⌊part × step ÷ whole⌋ of each row, 0 where `whole` is 0."""
    divisor = np.where(whole == 0, 1, whole)
    if largest(part) * largest(step) > INT64_MAX:
        wide = part.astype(object) * step.astype(object) // divisor.astype(object)
        shared: Column = wide.astype(np.int64)  # a share of `step`, so it fits again
        return shared
    product: Column = multiply(part, step)
    return product // divisor
