"""A stuck counter: it stands still although its power gauge shows that something passes.

A vacant flat is not stuck: its gauge shows nothing. What must have passed is reckoned low: between
two readings the smaller of both gauges, and never for longer than `LONGEST_STEP`, since the power
may have been off between them; and nothing while the counter of the other direction moves, since a
gauge may lack its sign. A counter is stuck when that is `STEPS` steps of its display, in at
least `READINGS` readings over `TIME`. It stays stuck until it moves.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from meters.baseline import Load
from meters.growth import HOUR_S
from meters.meter_type import Kind

if TYPE_CHECKING:
    from decimal import Decimal

    from meters.meter_type import MeterType, Register
    from meters.reading import Observation

STEPS = 10
READINGS = 4
TIME = timedelta(hours=1)
LONGEST_STEP = timedelta(minutes=30)
LEAST_SHARE = 500
"""A load below this part of the highest rate may be less than the meter starts to count at."""

GAUGES = {"kWh": ("power", "kW"), "m3": ("flow", "m3/h")}
"""Unit of a counter → name and unit of the gauge that shows what passes it."""


def gauge_beside(meter_type: MeterType, name: str) -> str | None:
    """Return the gauge that shows what passes the counter `name` now, None where there is none.

    It is named `power` or `flow`, and for the counter of one phase (`import_energy_l1`)
    `power_l1`. Counters of one tariff band stand still by rights, so they have none.
    """
    register = meter_type.registers[name]
    if register.kind is not Kind.TOTAL or register.canonical_unit not in GAUGES:
        return None
    stem, unit = GAUGES[register.canonical_unit]
    phase = name.rpartition("_")[2]
    gauge = f"{stem}_{phase}" if phase in ("l1", "l2", "l3") else stem
    found = meter_type.registers.get(gauge)
    if found is None or found.kind is not Kind.GAUGE or found.canonical_unit != unit:
        return None
    return gauge


def other_direction(name: str) -> str | None:
    """Return the counter of what passes in the other direction: `export_energy` of the import."""
    for one, other in (("import_", "export_"), ("export_", "import_")):
        if name.startswith(one):
            return other + name.removeprefix(one)
    return {"volume": "reverse_volume", "reverse_volume": "volume"}.get(name)


def observed(
    load: Load | None, register: Register, name: str, shown: Observation | None
) -> Load | None:
    """Return what has passed a counter that stands still, now that its gauge has `shown` this."""
    if shown is None or shown.value is None:
        return load  # the gauge could not be read: nothing is known of this moment
    passing = _passing(name, shown.value)
    rate = register.canonical_max_rate
    if rate is None or passing * LEAST_SHARE < rate:
        return load if load is not None and is_stuck(load, register) else None
    if load is None:
        return Load(shown.time, shown.time, passing, passing * 0, 1)
    seconds = min(shown.time - load.time, LONGEST_STEP) // timedelta(seconds=1)
    passed = load.passed + min(load.gauge, passing) * seconds
    return Load(load.since, shown.time, passing, passed, load.readings + 1)


def is_stuck(load: Load, register: Register) -> bool:
    """Return whether a counter that has stood still under `load` is stuck."""
    return (
        load.readings >= READINGS
        and load.time - load.since >= TIME
        and load.passed >= register.largest_step * STEPS * HOUR_S
    )


def _passing(name: str, gauge: Decimal) -> Decimal:
    """Return what `gauge` says of a counter; all but a total count one direction each."""
    if name.startswith("total"):
        return abs(gauge)
    directed = -gauge if name.startswith(("export", "reverse")) else gauge
    return max(directed, gauge * 0)
