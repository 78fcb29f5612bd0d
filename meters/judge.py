"""The judge: a verdict on each observation, from what the register showed before.

The baseline is the last good reading of a register. Only a good reading moves it, so that a glitch
never becomes the value that later readings are compared with: after 180.1, 180.2, 5000, 180.4 the
baseline is 180.4 and 5000 is suspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from meters.meter_type import Kind
from meters.reading import Observation, Reading, Reason, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from meters.meter_type import Register

HOUR = timedelta(hours=1)
RATE_GRACE = timedelta(minutes=1)
"""Added to the time between two readings: clocks and answers are not exact to the second."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The last good reading of a register."""

    time: datetime
    value: Decimal


class Judged(NamedTuple):
    """A reading with its verdict, and the baseline that the next one is judged against."""

    reading: Reading
    baseline: Baseline | None


def judge(observation: Observation, register: Register, baseline: Baseline | None) -> Judged:
    """Return `observation` with a verdict, and the baseline to keep.

    A register without a baseline starts with its first readable value. Gauges and partial
    registers may move either way, so only their readability is judged.
    """
    verdict, reasons = _verdict(observation, register, baseline)
    reading = Reading(
        observation.series,
        observation.time,
        observation.value,
        observation.raw,
        verdict,
        reasons,
    )
    if verdict is not Verdict.GOOD or observation.value is None:
        return Judged(reading, baseline)
    if baseline is not None and observation.time <= baseline.time:
        return Judged(reading, baseline)
    return Judged(reading, Baseline(observation.time, observation.value))


def plausible_growth(register: Register, elapsed: timedelta) -> Decimal | None:
    """Return the most that `register` can count in `elapsed`, canonical; None if it is unbounded.

    One step of the display is added, because both ends are rounded to it.
    """
    rate = register.canonical_max_rate
    if rate is None:
        return None
    second = timedelta(seconds=1)
    seconds = Decimal((elapsed + RATE_GRACE) // second)
    return rate * seconds / Decimal(HOUR // second) + register.smallest_step


def growth(
    register: Register, opening: Decimal, closing: Decimal, elapsed: timedelta
) -> Decimal | Reason:
    """Return what a counter grew by from `opening` to `closing`, rollover resolved, or why not.

    A fall is a rollover only where the register declares its digits and the growth that the wrap
    implies is one that the meter can count in `elapsed`; everything else is `Reason.FALLING`.
    """
    limit = plausible_growth(register, elapsed)
    difference = closing - opening
    if difference >= 0:
        return Reason.RATE if limit is not None and difference > limit else difference
    modulus = register.modulus
    if modulus is None or limit is None:
        return Reason.FALLING
    wrapped = difference + modulus
    return wrapped if 0 <= wrapped <= limit else Reason.FALLING


def _verdict(
    observation: Observation, register: Register, baseline: Baseline | None
) -> tuple[Verdict, tuple[Reason, ...]]:
    value = observation.value
    if value is None:
        return Verdict.INVALID, (observation.fault or Reason.NOT_A_NUMBER,)
    if register.kind in (Kind.GAUGE, Kind.PARTIAL):
        return Verdict.GOOD, ()
    if value < 0 or (register.modulus is not None and value >= register.modulus):
        return Verdict.SUSPECT, (Reason.OUT_OF_RANGE,)
    if baseline is None:
        return Verdict.GOOD, ()
    elapsed = observation.time - baseline.time
    if elapsed < timedelta(0):
        grown = growth(register, value, baseline.value, -elapsed)
        return (Verdict.SUSPECT, (Reason.LATE,)) if isinstance(grown, Reason) else _GOOD
    grown = growth(register, baseline.value, value, elapsed)
    if isinstance(grown, Reason):
        return Verdict.SUSPECT, (grown,)
    return (Verdict.GOOD, (Reason.ROLLOVER,)) if value < baseline.value else _GOOD


_GOOD: tuple[Verdict, tuple[Reason, ...]] = (Verdict.GOOD, ())
