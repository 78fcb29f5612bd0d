"""A counter, what it was seen to show, and what the judge says of it, for tests to read as tables.

A history is written as values a quarter of an hour apart; a verdict as `good` or its reasons.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meters.judge import judge
from meters.meter_type import Register
from meters.reading import Observation, Reading, Reason, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meters.baseline import Baseline

START = datetime(2026, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
SERIES = Series("m-1", "import_energy")
RATE = 75


def register(**changes: Any) -> Register:
    """Return a counter of six digits and two decimals that counts at most `RATE` kWh an hour."""
    document = {
        "kind": "total",
        "unit": "kWh",
        "address": 72,
        "type": "float32",
        "resolution": "0.01",
        "digits": 8,
        "max_rate": RATE,
    }
    return Register.model_validate({**document, **changes})


ENERGY = register()
FIVE_DIGITS = register(type="uint32", resolution=None, digits=5, max_rate=100)


def seen(
    value: str | int | Decimal | None, at: timedelta, fault: Reason | None = None
) -> Observation:
    """Return what was read `at` so long after `START`."""
    number = None if value is None else Decimal(value)
    return Observation(SERIES, START + at, number, f"raw {value}", fault)


def every_quarter(*values: str | int | Decimal | None) -> list[Observation]:
    return [seen(value, index * QUARTER) for index, value in enumerate(values)]


def judged(
    observations: Iterable[Observation],
    counter: Register = ENERGY,
    baseline: Baseline | None = None,
) -> tuple[list[Reading], Baseline | None]:
    """Return the readings in the order in which they came, and the last baseline."""
    readings: list[Reading] = []
    for observation in observations:
        reading, baseline = judge(observation, counter, baseline)
        readings.append(reading)
    return readings, baseline


def shown(baseline: Baseline | None) -> tuple[datetime, Decimal] | None:
    return None if baseline is None else (baseline.time, baseline.value)


def verdicts(readings: Iterable[Reading]) -> list[str]:
    return [
        "good" if reading.verdict is Verdict.GOOD else ",".join(reading.reasons)
        for reading in readings
    ]
