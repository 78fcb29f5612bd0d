"""The rules that usage is held against, as pure functions of what is known of a register."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

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


def _against_history(seen: Watched, settings: Validation) -> Iterator[Finding]:
    days = sum(each for _, each in seen.before)
    if len(seen.before) < settings.months or not days:
        return
    average = Fraction(sum(use for use, _ in seen.before), days)
    daily = Fraction(seen.use, seen.days)
    least = to_scaled(settings.least)
    if daily > least and daily > average * Fraction(settings.high):
        yield HighUse(_rounded(daily), _rounded(average))
    elif average > least and daily < average * Fraction(settings.low) and not seen.vacant:
        yield LowUse(_rounded(daily), _rounded(average))


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
    for total, use in uses.items():
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
