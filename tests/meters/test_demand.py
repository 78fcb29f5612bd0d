"""Demand: the highest average over windows, with its time, from registers at the windows' edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meters.archive.rows import EPOCH, SECOND
from meters.demand import BESIDE, NoDemand, Peak, UnknownDemand, peak, window_edges
from meters.edges import Gathered
from meters.interval import Interval
from meters.meter_type import Register
from meters.reading import Reading, Series, Verdict
from meters.register_at import RegisterAt, Source
from meters.stepwise import shown
from meters.usage import Segment, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SERIES = Series("m", "import_energy")
REGISTER = Register.model_validate(
    {
        "kind": "total",
        "unit": "kWh",
        "address": 0,
        "type": "uint32",
        "resolution": "0.01",
        "max_rate": 9999,
    }
)


def highest(
    read: Mapping[timedelta, str],
    until: timedelta,
    minutes: int = 15,
    multiplier: str = "1",
    modulus: str | None = None,
) -> Peak | None:
    """Return the highest average of a meter that was `read` so long after the start."""
    interval = Interval(START, START + until)
    instants = window_edges(interval, minutes)
    gathered = Gathered([SERIES], [(each - EPOCH) // SECOND for each in instants], minutes * 60)
    for at, value in read.items():
        gathered.offer_reading(0, Reading(SERIES, START + at, Decimal(value), "0", Verdict.GOOD))
    ends = [RegisterAt("m", at, Decimal(0), Source.READ) for at in (interval.start, interval.end)]
    wrap = None if modulus is None else Decimal(modulus)
    segment = Segment(ends[0], ends[1], Decimal(0), wrap, Decimal(multiplier))
    usage = Usage("p", "import_energy", "kWh", interval, Decimal(0), (segment,), ())
    return peak(usage, minutes, [shown(gathered.edges(), 0, REGISTER, tolerance=BESIDE)])


def quarters(*values: str) -> dict[timedelta, str]:
    return {15 * n * MINUTE: value for n, value in enumerate(values)}


def test_the_highest_average_is_that_of_the_first_highest_window() -> None:
    found = highest(quarters("0", "1.5", "4", "4.5", "7"), 60 * MINUTE)

    assert found is not None
    assert found.average == 10
    assert found.start == START + 15 * MINUTE
    assert (found.opening, found.closing, found.known, found.windows) == (
        Decimal("1.5"),
        Decimal(4),
        4,
        4,
    )


def test_half_hours_average_over_twice_the_time() -> None:
    found = highest(quarters("0", "1.5", "4", "4.5", "7"), 60 * MINUTE, minutes=30)

    assert found is not None
    assert found.average == 8


def test_a_window_behind_transformers_counts_what_flows_in_front_of_them() -> None:
    found = highest(quarters("0", "1", "3"), 30 * MINUTE, multiplier="40")

    assert found is not None
    assert found.average == 320


def test_a_window_in_which_the_counter_wraps_is_one_like_others() -> None:
    found = highest(quarters("99999", "3"), 15 * MINUTE, modulus="100000")

    assert found is not None
    assert found.average == 16


def test_a_window_that_was_not_read_is_not_known_and_counted_as_such() -> None:
    found = highest({0 * MINUTE: "0", 15 * MINUTE: "1", 60 * MINUTE: "40"}, 60 * MINUTE)

    assert found is not None
    assert (found.average, found.known, found.windows) == (Decimal(4), 1, 4)


def test_no_window_is_no_demand() -> None:
    assert highest({0 * MINUTE: "0", 45 * MINUTE: "4"}, 45 * MINUTE) is None
    assert NoDemand(15).blocks
    assert "3 of 4 windows of 15 minutes" in str(UnknownDemand(15, 3, 4))


def test_what_is_left_at_the_end_and_shorter_than_a_window_is_none() -> None:
    interval = Interval(START, START + 40 * MINUTE)

    assert window_edges(interval, 15) == [START + n * 15 * MINUTE for n in range(3)]


@pytest.mark.parametrize("minutes", [15, 30])
@settings(max_examples=200)
@given(steps=st.lists(st.integers(0, 5000), min_size=2, max_size=60))
def test_demand_is_what_an_oracle_finds(minutes: int, steps: list[int]) -> None:
    totals = [sum(steps[:n]) for n in range(len(steps) + 1)]
    read = {n * minutes * MINUTE: str(Decimal(total) / 100) for n, total in enumerate(totals)}

    found = highest(read, len(steps) * minutes * MINUTE, minutes)

    assert found is not None
    assert found.average == Decimal(max(steps)) / 100 * 60 / minutes
    assert found.start == START + steps.index(max(steps)) * minutes * MINUTE
