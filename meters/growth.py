"""How much a counter grew between two readings, and whether it can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meters.reading import Reason

if TYPE_CHECKING:
    from datetime import timedelta
    from decimal import Decimal

    from meters.meter_type import Register

HOUR_S = 3600
DAY_S = 86_400
STEEP_PARTS = 4
GRACE_S = 60
"""Added to the time between two readings: clocks and answers are not exact to the second."""


def plausible_growth(register: Register, elapsed: timedelta) -> Decimal | None:
    """Return the most that `register` can count in `elapsed`, canonical; None if it is unbounded.

    One step of the display is added, because both ends are rounded to it.
    """
    rate = register.canonical_max_rate
    if rate is None:
        return None
    return rate * _counted_s(elapsed) / HOUR_S + register.largest_step


def growth(
    register: Register, opening: Decimal, closing: Decimal, elapsed: timedelta
) -> Decimal | Reason:
    """Return what a counter grew by from `opening` to `closing`, rollover resolved, or why not.

    A fall is a rollover only where the register declares its digits and the growth that the wrap
    implies is one that the meter can count in `elapsed`; else it is `Reason.FALLING`. Where the
    time is long enough for a whole turn, no fall says how many there were: `Reason.AMBIGUOUS`.
    """
    difference = closing - opening
    rate = register.canonical_max_rate
    if rate is None:
        return difference if difference >= 0 else Reason.FALLING
    # compared in hours × 3600: exact, without a division
    most = rate * _counted_s(elapsed) + register.largest_step * HOUR_S
    if difference >= 0:
        return difference if difference * HOUR_S <= most else Reason.RATE
    modulus = register.modulus
    if modulus is None:
        return Reason.FALLING
    if most >= modulus * HOUR_S:
        return Reason.AMBIGUOUS
    wrapped = difference + modulus
    return wrapped if 0 <= wrapped * HOUR_S <= most else Reason.FALLING


def is_steep(register: Register, grown: Decimal, elapsed: timedelta) -> bool:
    """Return whether `grown` is a jump, and over a quarter of what could be counted in `elapsed`.

    A meter that is read once a day counts more than an hour's each day; a glitch fills the time.
    """
    rate = register.canonical_max_rate
    if rate is None or grown <= rate + register.largest_step:
        return False
    return grown * STEEP_PARTS * HOUR_S > rate * _counted_s(elapsed)


def is_jump(register: Register, grown: Decimal) -> bool:
    """Return whether `grown` is more than an hour at the highest rate, however long it took."""
    rate = register.canonical_max_rate
    return rate is not None and grown > rate + register.largest_step


def _counted_s(elapsed: timedelta) -> int:
    return elapsed.days * DAY_S + elapsed.seconds + GRACE_S
