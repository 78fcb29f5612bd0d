"""Days on a bus, in virtual time: what a dead meter costs, and that no day goes unread."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from slow_line import SHANGHAI, START, cycles_a_second, read_for
from virtual_time import run_virtually

from gateway.settings import PollTable
from meters.interval import local_midnight


def test_one_dead_meter_of_32_costs_a_bus_less_than_a_twentieth() -> None:
    assert cycles_a_second(dead=True) >= 0.95 * cycles_a_second(dead=False)


@pytest.mark.parametrize("seed", range(2))
def test_whatever_fails_every_meter_is_read_at_the_beginning_of_each_day(seed: int) -> None:
    """Each meter is dead now and then, for a minute or for hours; then it is read at recovery."""
    chance = Random(seed)  # noqa: S311 - a script of faults
    dead: dict[int, list[tuple[float, float]]] = {
        unit: [
            (start, start + chance.choice((60, 600, 7200)))
            for start in (chance.uniform(0, 3 * 86400) for _ in range(20))
        ]
        for unit in range(1, 17)
    }

    def is_dead(unit: int, at: float) -> bool:
        return any(start <= at < end for start, end in dead[unit])

    read = run_virtually(read_for(3 * 86400, is_dead, meters=16, poll=PollTable(billing_s=900)))
    first = START.astimezone(SHANGHAI).date()
    for day in range(1, 3):
        midnight = local_midnight(first + timedelta(days=day), SHANGHAI)
        since_s = (midnight - START).total_seconds()
        for unit in range(1, 17):
            at = min(at for meter, at in read if meter == f"e-{unit}" and at >= since_s)
            alive = since_s
            while is_dead(unit, alive):
                alive += 1
            # ten seconds of jitter and the others' turns; after a death, its next try
            assert at - alive <= (330 if alive > since_s or is_dead(unit, since_s - 300) else 30)


def test_nothing_drifts_and_no_interval_is_skipped_in_two_days() -> None:
    read = run_virtually(
        read_for(2 * 86400, lambda *_: False, meters=3, poll=PollTable(billing_s=900))
    )
    for unit in (1, 2, 3):
        # the first reading comes at the start, and the others in each quarter of an hour
        first, *times = [at for meter, at in read if meter == f"e-{unit}"]
        assert first < 1
        slots = [int((at + 300) // 900) for at in times]
        assert slots == list(range(1, 2 * 96 + 1))
        assert all((at + 300) % 900 < 11 for at in times)
