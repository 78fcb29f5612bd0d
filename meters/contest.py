"""Which chain of readings a reading goes on from: the baseline, its rival, or neither.

The baseline is the last good reading. Readings that contradict it but agree with each other are its
rival. A rival that persists has to be answered for by a person, unless nothing has confirmed the
baseline: one that began with a jump (the first reading of all, a rollover, a growth of more than an
hour's and a quarter of what fits the time) is on probation, and what was there before stands by as
its rival.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from meters.baseline import Baseline, Probation, Rival, is_rescaled
from meters.growth import growth, is_jump, is_steep
from meters.question import PERSISTING_READINGS, PERSISTING_TIME, persists
from meters.reading import Reason, Verdict

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from meters.meter_type import Register


GOOD, SUSPECT = Verdict.GOOD, Verdict.SUSPECT

Outcome: TypeAlias = "tuple[Verdict, tuple[Reason, ...], Baseline]"
"""The verdict on a reading, why, and the baseline that it leaves."""


def fits_display(register: Register, value: Decimal) -> bool:
    """Return whether a counter of this type can show `value`."""
    modulus = register.modulus
    return value >= 0 and (modulus is None or value < modulus)


def begin(time: datetime, value: Decimal) -> Outcome:
    """Return the outcome of the first reading of all: good, and confirmed by nothing."""
    baseline = Baseline(time, value, probation=Probation(time, 1))
    return GOOD, (Reason.UNCONFIRMED,), baseline


def weigh(
    register: Register,
    baseline: Baseline,
    time: datetime,
    value: Decimal,
    scale: str | None = None,
) -> Outcome:
    """Return the outcome of a reading of a counter, that may have come late or twice.

    `scale` is what its scale factor said. Where that changes, the value may be right or off by a
    power of ten, and no growth is plausible enough to tell: it contradicts the baseline.
    """
    rescaled = is_rescaled(baseline, scale)
    fits = fits_display(register, value) and not rescaled
    elapsed = time - baseline.time
    if elapsed.days < 0:
        late = growth(register, value, baseline.value, -elapsed) if fits else Reason.LATE
        return _suspect(Reason.LATE, baseline) if isinstance(late, Reason) else _good(baseline)
    grown: Decimal | Reason = Reason.RESCALED if rescaled else Reason.OUT_OF_RANGE
    if fits:
        grown = growth(register, baseline.value, value, elapsed)
    if not elapsed:
        return _suspect(grown, baseline) if isinstance(grown, Reason) else _good(baseline)
    rival = baseline.rival
    if rival is not None and time > rival.time and not is_rescaled(rival, scale):
        further = growth(register, rival.value, value, time - rival.time)
        if not isinstance(further, Reason) and (
            isinstance(grown, Reason) or _from_rival(register, baseline, rival, grown, further)
        ):
            return _contested(baseline, rival, time, value, grown)
    if not isinstance(grown, Reason):
        return _moved(register, baseline, time, value, grown)
    if rival is not None and time <= rival.time:
        return _suspect(grown, baseline)  # it came late or twice
    begun = Rival(time, value, time, value, 1, scale)
    return _suspect(grown, baseline._replace(rival=begun))


def _good(baseline: Baseline) -> Outcome:
    return GOOD, (), baseline


def _suspect(reason: Reason, baseline: Baseline) -> Outcome:
    return SUSPECT, (reason,), baseline


def _moved(
    register: Register, baseline: Baseline, time: datetime, value: Decimal, grown: Decimal
) -> Outcome:
    """Move the baseline to a reading that goes on from it.

    A jump after a jump confirms it: a meter that is rarely read jumps each time.
    """
    turned = value < baseline.value
    if turned or (not baseline.stands_by and is_steep(register, grown, time - baseline.time)):
        jumped = Baseline(time, value, time, _stands_by(baseline), Probation(time, 1))
        reasons = (Reason.ROLLOVER, Reason.UNCONFIRMED) if turned else (Reason.UNCONFIRMED,)
        return GOOD, reasons, jumped
    moved = baseline.moved if value == baseline.value else time
    rival, probation = baseline.rival, baseline.probation
    if rival is not None and rival.time < time and not baseline.stands_by:
        rival = None  # a glitch: the counter goes on where it was
    if probation is None:
        return GOOD, (), Baseline(time, value, moved, rival)
    longer = Probation(probation.since, probation.readings + 1)
    if longer.readings >= PERSISTING_READINGS and time - longer.since >= PERSISTING_TIME:
        return GOOD, (), Baseline(time, value, moved)
    kept = Baseline(time, value, moved, rival, longer)
    return GOOD, (Reason.UNCONFIRMED,), kept


def _contested(
    baseline: Baseline, rival: Rival, time: datetime, value: Decimal, grown: Decimal | Reason
) -> Outcome:
    """Let the rival go on; if it persists, it replaces a baseline that nothing has confirmed."""
    longer = rival._replace(time=time, value=value, readings=rival.readings + 1)
    if baseline.probation is not None and persists(longer) and grown is not Reason.OUT_OF_RANGE:
        return GOOD, (Reason.RESTARTED,), Baseline(time, value)
    reason = grown if isinstance(grown, Reason) else Reason.UNANSWERED
    return _suspect(reason, baseline._replace(rival=longer))


def _from_rival(
    register: Register, baseline: Baseline, rival: Rival, grown: Decimal, further: Decimal
) -> bool:
    """Return whether a reading that goes on from both belongs to the rival.

    It belongs where it follows without a jump; else to the baseline, until the rival persists: then
    only a person can tell, though time makes everything plausible in the end.
    """
    if baseline.stands_by:
        return False
    jumps = is_jump(register, grown)
    return jumps if jumps != is_jump(register, further) else persists(rival)


def _stands_by(baseline: Baseline) -> Rival:
    """Return the readings before a jump as its rival: one that persists, if they were confirmed."""
    probation = baseline.probation
    if probation is None:
        since, readings = baseline.time - PERSISTING_TIME, PERSISTING_READINGS
    else:
        since, readings = probation.since, probation.readings
    return Rival(since, baseline.value, baseline.time, baseline.value, readings, baseline.scale)
