"""The judge: a verdict on each observation, from what the register showed before.

The baseline is the last good reading of a register. Only a good reading moves it, so that a glitch
never becomes the value that later readings are compared with: after 180.1, 180.2, 5000, 180.4 the
baseline is 180.4 and 5000 is suspect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from meters.contest import begin, fits_display, weigh
from meters.cross_check import violated
from meters.meter_type import Kind
from meters.question import Question
from meters.reading import Observation, Reading, Reason, Verdict
from meters.stuck import gauge_beside, is_stuck, observed, other_direction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meters.baseline import Baseline
    from meters.meter_type import MeterType, Register
    from meters.reading import Series


_OF_GOOD = frozenset({Reason.ROLLOVER, Reason.UNCONFIRMED, Reason.RESTARTED})
"""Reasons that say of a good reading how it was reached."""


_GOOD, _SUSPECT, _INVALID = Verdict.GOOD, Verdict.SUSPECT, Verdict.INVALID
_GAUGE, _PARTIAL = Kind.GAUGE, Kind.PARTIAL  # looked up once: this is a gateway's hot path


class Judged(NamedTuple):
    """A reading with its verdict, and the baseline that the next one is judged against."""

    reading: Reading
    baseline: Baseline | None

    @property
    def question(self) -> Question | None:
        """What a person has to answer before this register can be good again."""
        return None if self.baseline is None else Question.asked(self.reading.series, self.baseline)


def judge_together(
    observations: Sequence[Observation],
    meter_type: MeterType,
    baselines: Mapping[Series, Baseline],
    *,
    identity_matches: bool | None = None,
    trusted_clock: bool = True,
) -> list[Judged]:
    """Return what one meter answered at one time, each register with its verdict, in order.

    `identity_matches` says whether the meter is the one that stands there, None where it was not
    asked: another meter's answer is invalid altogether. Where `trusted_clock` is false everything
    is suspect. Neither moves a baseline.
    """
    if identity_matches is False:
        return [_set_aside(each, baselines, Reason.IDENTITY) for each in observations]
    if not trusted_clock:
        return [_set_aside(each, baselines, Reason.CLOCK) for each in observations]
    seen = {each.series.register: each for each in observations}
    disputed = _disputed(meter_type, seen)
    registers = meter_type.registers
    judged = []
    for observation in observations:
        series = observation.series
        baseline = baselines.get(series)
        found = judge(observation, registers[series.register], baseline)
        if series.register in disputed:
            found = _doubted(found, Reason.CROSS_CHECK, baseline)
        elif baseline is not None and _stands_still(baseline, found.baseline):
            found = _watched(found, baselines, meter_type, seen)
        judged.append(found)
    return judged


def judge(observation: Observation, register: Register, baseline: Baseline | None) -> Judged:
    """Return `observation` with a verdict, and the baseline to keep.

    A register without a baseline starts with its first readable value. Gauges and partial
    registers may move either way, so only their readability is judged.
    """
    value = observation.value
    if value is None:
        fault = observation.fault or Reason.NOT_A_NUMBER
        return Judged(_reading(observation, _INVALID, (fault,)), baseline)
    kind = register.kind
    if kind is _GAUGE or kind is _PARTIAL or register.check_only:
        return Judged(_reading(observation, _GOOD, ()), baseline)
    time, scale = observation.time, observation.scale
    if baseline is not None:
        verdict, reasons, kept = weigh(register, baseline, time, value, scale)
    elif fits_display(register, value):
        verdict, reasons, kept = begin(time, value)
    else:
        return Judged(_reading(observation, _SUSPECT, (Reason.OUT_OF_RANGE,)), None)
    if scale is not None and verdict is _GOOD and kept.time == time:
        kept = kept._replace(scale=scale)
    return Judged(_reading(observation, verdict, reasons), kept)


def _disputed(meter_type: MeterType, seen: Mapping[str, Observation]) -> frozenset[str]:
    """Return the counters of every cross-check that what was read together violates."""
    if not meter_type.check:
        return frozenset()
    values = {name: each.value for name, each in seen.items() if each.value is not None}
    names = {
        name
        for check in violated(meter_type, values)
        for name in (check.total, *check.parts)
        if meter_type.registers[name].is_billing
    }
    return frozenset(names)


def _stands_still(before: Baseline, after: Baseline | None) -> bool:
    return after is not None and after is not before and after.value == before.value


def _watched(
    found: Judged,
    baselines: Mapping[Series, Baseline],
    meter_type: MeterType,
    seen: Mapping[str, Observation],
) -> Judged:
    """Look at the power gauge of a counter that stands still."""
    reading, after = found
    before = baselines[reading.series]
    if after is None or reading.verdict is not _GOOD:
        return found
    name = reading.series.register
    gauge = gauge_beside(meter_type, name)
    if gauge is None:
        return found
    other = seen.get(other_direction(name) or "")
    if other is not None:
        stood = baselines.get(other.series)
        if stood is not None and stood.value != other.value:
            return found
    register = meter_type.registers[name]
    load = observed(before.load, register, name, seen.get(gauge))
    if load is not None and is_stuck(load, register):
        return _doubted(found, Reason.STUCK, before._replace(load=load))
    return Judged(reading, after._replace(load=load))


def _doubted(found: Judged, reason: Reason, kept: Baseline | None) -> Judged:
    """Take back a good verdict, and the move of the baseline with it."""
    reading = found.reading
    verdict = max(reading.verdict, _SUSPECT)
    reasons = tuple(each for each in reading.reasons if each not in _OF_GOOD)
    return Judged(reading._replace(verdict=verdict, reasons=(*reasons, reason)), kept)


def _set_aside(
    observation: Observation, baselines: Mapping[Series, Baseline], reason: Reason
) -> Judged:
    """Judge what cannot be believed, whatever it says."""
    reasons = (reason,) if observation.fault is None else (reason, observation.fault)
    readable = observation.value is not None and reason is not Reason.IDENTITY
    verdict = _SUSPECT if readable else _INVALID
    return Judged(_reading(observation, verdict, reasons), baselines.get(observation.series))


def _reading(observation: Observation, verdict: Verdict, reasons: tuple[Reason, ...]) -> Reading:
    series, time = observation.series, observation.time
    return Reading(series, time, observation.value, observation.raw, verdict, reasons)
