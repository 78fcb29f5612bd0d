"""Replay: judge a history as a gateway would, and measure what was used in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Literal

from meters.finding import Unconfirmed
from meters.history import History
from meters.installation import Installation
from meters.interval import Interval
from meters.judge import judge
from meters.reading import Reading, Reason
from meters.usage import measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meters.baseline import Baseline
    from meters.meter_type import Register
    from meters.question import Question
    from meters.reading import Observation
    from meters.usage import Usage


@dataclass(frozen=True, slots=True)
class Replayed:
    """Each reading with its verdict, what was used, and what a person is still asked.

    `usage` is None where fewer than two readings stand.
    """

    readings: tuple[Reading, ...]
    history: History
    usage: Usage | None
    question: Question | None

    def later(self, reading: Reading) -> Literal["confirmed", "disproved"] | None:
        """Return what later readings made of one that nothing confirmed when it came."""
        if Reason.UNCONFIRMED not in reading.reasons:
            return None
        if reading in self.history.disproved:
            return "disproved"
        return "confirmed" if self.history.confirms(reading) else None

    @property
    def is_billable(self) -> bool:
        """Whether a bill may rest on the usage as it stands."""
        usage = self.usage
        return (
            usage is not None
            and usage.quantity is not None
            and not any(finding.blocks for finding in usage.findings)
        )


def replay(
    observations: Iterable[Observation],
    register: Register,
    *,
    meter_type: str,
    multiplier: Decimal = Decimal(1),
) -> Replayed:
    """Return what the judge makes of the `observations` of one series, in their order.

    Usage is that from the first reading that stands to the last one. What nothing confirms yet is
    counted and told as a finding that keeps it from being billed.
    """
    readings: list[Reading] = []
    baseline: Baseline | None = None
    question: Question | None = None
    for observation in observations:
        judged = judge(observation, register, baseline)
        readings.append(judged.reading)
        baseline, question = judged.baseline, judged.question
    history = History(register, readings)
    usage = None
    if len({reading.time for reading in history.standing}) > 1:
        usage = _usage(register, readings, history, meter_type, multiplier)
    return Replayed(tuple(readings), history, usage, question)


def _usage(
    register: Register,
    readings: Sequence[Reading],
    history: History,
    meter_type: str,
    multiplier: Decimal,
) -> Usage:
    first, last = history.standing[0], history.standing[-1]
    meter, name = first.series
    came = first.time - timedelta(days=1)
    told = partial(
        measure,
        point=meter,
        name=name,
        interval=Interval(first.time, last.time),
        installations=[Installation(meter, meter, meter_type, came, multiplier=multiplier)],
        registers={meter_type: register},
        boundaries={},
    )
    usage = told(histories={meter: history})
    open_ends = tuple(each for each in usage.findings if isinstance(each, Unconfirmed))
    if not open_ends:
        return usage
    trusted = told(histories={meter: History(register, readings, trusting=True)})
    return trusted._replace(findings=(*trusted.findings, *open_ends))
