"""What a verdict costs: the judge against the least that any judge could do.

The floor makes the reading and the next baseline, and compares the counter with the one before. The
judge is called as the gateway does it: all that one meter answers at one time, together.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from meters.baseline import Baseline
from meters.catalog import shipped
from meters.judge import judge_together
from meters.reading import Observation, Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

POLLS = 4_000
ROUNDS = 5
START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(minutes=15)
TYPE = shipped()["eastron-sdm630"]
NAMES = ("import_energy", "export_energy", "power", "voltage_l1")


def observed() -> list[list[Observation]]:
    """Return what one meter answers at each poll: two counters and two gauges."""
    series = [Series("m-1", name) for name in NAMES]
    return [
        [
            Observation(
                series[0], START + poll * EVERY, Decimal(poll * 13).scaleb(-2), "462a 7521"
            ),
            Observation(
                series[1], START + poll * EVERY, Decimal(poll // 4).scaleb(-2), "0000 0000"
            ),
            Observation(series[2], START + poll * EVERY, Decimal("0.52"), "4402 0000"),
            Observation(series[3], START + poll * EVERY, Decimal("231.7"), "4367 af55"),
        ]
        for poll in range(POLLS)
    ]


def judged(polls: list[list[Observation]]) -> None:
    baselines: dict[Series, Baseline] = {}
    for observations in polls:
        for reading, baseline in judge_together(observations, TYPE, baselines):
            if baseline is not None:
                baselines[reading.series] = baseline


def compared(polls: list[list[Observation]]) -> None:
    good, suspect = Verdict.GOOD, Verdict.SUSPECT
    baselines: dict[Series, Baseline] = {}
    for observations in polls:
        for series, at, value, raw, *_ in observations:
            known = baselines.get(series)
            if value is None:
                continue
            fell = known is not None and value < known.value
            Reading(series, at, value, raw, suspect if fell else good, ())
            baselines[series] = Baseline(at, value, at)


def best_s(
    work: Callable[[list[list[Observation]]], None], polls: list[list[Observation]]
) -> float:
    durations = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work(polls)
        durations.append(time.process_time() - started)
    return min(durations)


def main() -> None:
    polls = observed()
    registers = POLLS * len(NAMES)
    floor, ours = best_s(compared, polls), best_s(judged, polls)
    print(
        f"judge: {registers / ours:,.0f} registers a CPU second, "
        f"{ours / registers * 1e6:.1f} µs each; "
        f"floor {registers / floor:,.0f}; ratio {floor / ours:.2f}"
    )


if __name__ == "__main__":
    main()
