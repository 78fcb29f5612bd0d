"""The judge: a verdict on each observation, from what the register showed before.

The baseline is the last good reading of a register. Only a good reading moves it, so that a glitch
never becomes the value that later readings are compared with: after 180.1, 180.2, 5000, 180.4 the
baseline is 180.4 and 5000 is suspect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from meters.contest import begin, weigh
from meters.question import Question
from meters.reading import Observation, Reading, Reason, Verdict
from meters.stuck import gauge_beside, is_stuck, observed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meters.baseline import Baseline
    from meters.meter_type import MeterType, Register
    from meters.reading import Series


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
    registers = meter_type.registers
    judged = []
    for observation in observations:
        series = observation.series
        baseline = baselines.get(series)
        found = judge(observation, registers[series.register], baseline)
        if baseline is not None and found.baseline is not baseline:
            found = _watch(found, baseline, meter_type, seen)
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
        return Judged(_reading(observation, Verdict.INVALID, (fault,)), baseline)
    if not register.kind.is_billing:
        return Judged(_reading(observation, Verdict.GOOD, ()), baseline)
    modulus = register.modulus
    if value < 0 or (modulus is not None and value >= modulus):
        return Judged(_reading(observation, Verdict.SUSPECT, (Reason.OUT_OF_RANGE,)), baseline)
    if baseline is None:
        verdict, reasons, kept = begin(observation.time, value)
    else:
        verdict, reasons, kept = weigh(register, baseline, observation.time, value)
    return Judged(_reading(observation, verdict, reasons), kept)


def _watch(
    found: Judged, before: Baseline, meter_type: MeterType, seen: Mapping[str, Observation]
) -> Judged:
    """Look at the power gauge of a counter that stands still."""
    reading, after = found
    if after is None or reading.verdict is not Verdict.GOOD or after.value != before.value:
        return found
    name = reading.series.register
    gauge = gauge_beside(meter_type, name)
    if gauge is None:
        return found
    register = meter_type.registers[name]
    load = observed(before.load, register, name, seen.get(gauge))
    if load is None or not is_stuck(load, register):
        return Judged(reading, after._replace(load=load))
    stuck = Reading(
        reading.series,
        reading.time,
        reading.value,
        reading.raw,
        Verdict.SUSPECT,
        (*reading.reasons, Reason.STUCK),
    )
    return Judged(stuck, before._replace(load=load))


def _set_aside(
    observation: Observation, baselines: Mapping[Series, Baseline], reason: Reason
) -> Judged:
    """Judge what cannot be believed, whatever it says."""
    reasons = (reason,) if observation.fault is None else (reason, observation.fault)
    readable = observation.value is not None and reason is not Reason.IDENTITY
    verdict = Verdict.SUSPECT if readable else Verdict.INVALID
    return Judged(_reading(observation, verdict, reasons), baselines.get(observation.series))


def _reading(observation: Observation, verdict: Verdict, reasons: tuple[Reason, ...]) -> Reading:
    series, time = observation.series, observation.time
    return Reading(series, time, observation.value, observation.raw, verdict, reasons)
