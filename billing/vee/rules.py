"""The rules that usage is held against, as pure functions of what is known of a register."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from billing.vee.findings import (
    HighUse,
    LowUse,
    MasterMismatch,
    Spike,
    Stuck,
    SumMismatch,
    ZeroTooLong,
)
from meters.quantity import from_scaled, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from billing.vee.settings import Validation
    from meters.edges import Flags, Int64s
    from meters.finding import Finding

THIRD = 3
"""The highest is held against the third highest: two days may stand out together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is known of a register in a period. Quantities: 10⁻⁴ of its unit.

    `use` in `days` local days from `first` on; `before`: use and days of each month that was billed
    in the year before; `daily`: the use of each day, None where it is not known, empty where
    nobody looked; `vacant`: whether nobody is expected to use anything.
    """

    use: int
    first: date
    days: int
    before: Sequence[tuple[int, int]] = ()
    daily: Sequence[int | None] = ()
    vacant: bool = False


def found(seen: Watched, settings: Validation) -> Iterator[Finding]:
    """Yield what stands out of what is known of one register."""
    yield from _against_history(seen, settings)
    yield from _spike(seen, settings)
    yield from _standing(seen, settings)


def may_stand_out(uses: Int64s, daily: Int64s, known: Flags, settings: Validation) -> Flags:
    """Return bool[n]: of which of n registers the days may give something to say.

    `uses`: int64[n] of the period, `daily` and `known`: [n, days], as in `Watched`. Of the others
    neither `found` says anything of their days, nor `disagreeing_days`.
    """
    if not daily.size:
        return np.zeros(len(uses), np.bool_)
    fewest = min(settings.zero_days, settings.stuck_days)
    standing = (known & (daily == 0)).sum(axis=1) >= fewest
    disagreeing = known.all(axis=1) & (daily.sum(axis=1) != uses)
    return np.asarray(standing | disagreeing | _may_spike(daily, known, settings), np.bool_)


def _may_spike(daily: Int64s, known: Flags, settings: Validation) -> Flags:
    if daily.shape[1] < THIRD:
        return np.zeros(len(daily), np.bool_)
    over, under = settings.spike.as_integer_ratio()
    highest_days = np.partition(np.where(known, daily, np.iinfo(np.int64).min), -THIRD)[:, -THIRD:]
    third = np.maximum(highest_days[:, 0], to_scaled(settings.least))
    spikes = highest_days.max(axis=1).astype(object) * under > third.astype(object) * over
    return np.asarray(spikes & (known.sum(axis=1) >= THIRD), np.bool_)


def _against_history(seen: Watched, settings: Validation) -> Iterator[Finding]:
    before, before_days = sum(use for use, _ in seen.before), sum(days for _, days in seen.before)
    if len(seen.before) < settings.months or not before_days:
        return
    least = to_scaled(settings.least)
    daily, average = seen.use * before_days, before * seen.days  # both × days × days before
    high, over = settings.high.as_integer_ratio()
    low, under = settings.low.as_integer_ratio()
    kind: type[HighUse | LowUse]
    if seen.use > least * seen.days and daily * over > average * high:
        kind = HighUse
    elif before > least * before_days and daily * under < average * low and not seen.vacant:
        kind = LowUse
    else:
        return
    yield kind(_rounded(Fraction(seen.use, seen.days)), _rounded(Fraction(before, before_days)))


def _spike(seen: Watched, settings: Validation) -> Iterator[Finding]:
    known = sorted(
        ((use, place) for place, use in enumerate(seen.daily) if use is not None), reverse=True
    )
    if len(known) < THIRD:
        return
    (highest, place), (third, _) = known[0], known[THIRD - 1]
    if highest > max(third, to_scaled(settings.least)) * Fraction(settings.spike):
        day = seen.first + timedelta(days=place)
        yield Spike(day, from_scaled(highest), from_scaled(third))


def _standing(seen: Watched, settings: Validation) -> Iterator[Finding]:
    """Yield where the counter stands still: after moving every day it may be stuck."""
    if seen.vacant:
        return
    place = 0
    for zero, group in groupby(seen.daily, key=lambda use: use == 0):
        days = len(list(group))
        first = seen.first + timedelta(days=place)
        before = seen.daily[:place]
        place += days
        if not zero:
            continue
        if place == len(seen.daily) and days >= settings.stuck_days and _moved(before, settings):
            yield Stuck(first, days)
        elif days >= settings.zero_days:
            yield ZeroTooLong(first, days)


def _moved(daily: Sequence[int | None], settings: Validation) -> bool:
    """Return whether the counter moved on each of some days, by more than little on average."""
    known = [use for use in daily if use is not None]
    return (
        len(known) >= THIRD and all(known) and sum(known) > to_scaled(settings.least) * len(known)
    )


def disagreeing_bands(
    uses: Mapping[str, int], settings: Validation
) -> Iterator[tuple[str, SumMismatch]]:
    """Yield each total register at a point whose tariff registers (`_t1`, `_t2`, …) do not add up.

    `uses`: register → use, 10⁻⁴. A total of which fewer than two are known is not held against any.
    """
    for total, use in uses.items() if len(uses) > 2 else ():  # a total and two of its bands
        bands = {
            name: each
            for name, each in uses.items()
            if name.rpartition("_t")[0] == total and name.rpartition("_t")[2].isdigit()
        }
        summed = sum(bands.values())
        if len(bands) > 1 and abs(summed - use) > to_scaled(settings.sum_tolerance):
            names = " + ".join(sorted(bands))
            yield total, SumMismatch(names, from_scaled(summed), from_scaled(use))


def disagreeing_days(daily: Sequence[int | None], use: int) -> SumMismatch | None:
    """Return the finding where days that are all known do not sum to the use of the period."""
    if not daily or None in daily:
        return None
    summed = sum(each for each in daily if each is not None)
    if summed == use:
        return None
    return SumMismatch("its days", from_scaled(summed), from_scaled(use))


def against_subs(master: int, subs: Sequence[int], settings: Validation) -> MasterMismatch | None:
    """Return the finding where a master differs too much from the meters behind it; all 10⁻⁴."""
    summed = sum(subs)
    if not subs or abs(master - summed) <= Fraction(settings.master) * abs(master):
        return None
    return MasterMismatch(from_scaled(master), from_scaled(summed))


def _rounded(scaled: Fraction) -> Decimal:
    """Return a use of 10⁻⁴ for people, to a hundredth of the unit."""
    return Decimal(round(scaled / 100)).scaleb(-2)
