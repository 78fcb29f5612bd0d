"""Faults as data: they befall the meter, time and answers that they name, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from meters.definition import DefinitionError
from simulators.faults import SOUND, Fault, FaultError, FaultKind, FaultPlan, load_faults

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.fleet import Fleet

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def fault(kind: FaultKind = FaultKind.DEAD, **settings: Any) -> Fault:
    return Fault.model_validate({"meter": "m", "kind": kind, **settings})


def window(minutes: int) -> dict[str, Any]:
    """Return the key `from`, which Python keeps for itself, of a window from noon + `minutes`."""
    return {"from": NOON + minutes * MINUTE}


def befallen(plan: FaultPlan, answers: int, meter: str = "m") -> list[bool]:
    return [plan.next(meter, NOON + n * MINUTE) is not SOUND for n in range(answers)]


def test_a_fault_without_limits_befalls_every_answer_of_its_meter_only() -> None:
    plan = FaultPlan([fault()])
    assert befallen(plan, 3) == [True, True, True]
    assert befallen(plan, 3, meter="other") == [False, False, False]


def test_a_fault_may_befall_some_answers_after_others() -> None:
    assert befallen(FaultPlan([fault(after=2, count=1)]), 5) == [False, False, True, False, False]


def test_a_fault_befalls_the_answers_in_its_half_open_window() -> None:
    plan = FaultPlan([fault(**window(1), until=NOON + 3 * MINUTE)])
    assert befallen(plan, 5) == [False, True, True, False, False]


def test_answers_are_counted_inside_the_window() -> None:
    plan = FaultPlan([fault(after=1, count=1, **window(2))])
    assert befallen(plan, 6) == [False, False, False, True, False, False]


def test_the_first_fault_that_fits_befalls_an_answer() -> None:
    plan = FaultPlan([fault(FaultKind.ZERO, count=1), fault(FaultKind.SPIKE)])
    kinds = [plan.next("m", NOON + n * MINUTE).kind for n in range(3)]
    assert kinds == [FaultKind.ZERO, FaultKind.SPIKE, FaultKind.SPIKE]


@pytest.mark.parametrize(
    ("settings", "minutes"),
    [({}, 0), ({"after": 2}, 2), ({"from": NOON - MINUTE}, -1), ({"from": NOON, "after": 1}, 1)],
)
def test_a_fault_began_with_its_window_or_with_the_first_answer_that_it_befell(
    settings: dict[str, Any], minutes: int
) -> None:
    plan = FaultPlan([fault(FaultKind.STUCK, **settings)])
    begun = {active.since for n in range(6) if (active := plan.next("m", NOON + n * MINUTE).fault)}
    assert begun == {NOON + minutes * MINUTE}


def test_a_faults_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        """
        kind = "faults"
        [[fault]]
        meter = "e-1-301"
        kind = "slow"
        delay_ms = 3000
        from = 2026-10-03T08:00:00Z
        until = 2026-10-03T09:00:00Z
        [[fault]]
        meter = "w-1-402"
        kind = "truncated"
        count = 1
        """,
        "utf-8",
    )
    slow, truncated = load_faults(path)
    assert (slow.kind, slow.delay_ms) == (FaultKind.SLOW, 3000)
    assert slow.since == datetime(2026, 10, 3, 8, tzinfo=UTC)
    assert (truncated.meter, truncated.count) == ("w-1-402", 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('kind = "dead"\nmetre = "x"', r"fault\[1\].metre: unknown key; did you mean 'meter'"),
        ('kind = "asleep"', r"fault\[1\].kind: .*'asleep'"),
        ('kind = "dead"\nfrom = 2026-10-03T08:00:00', r"fault\[1\].from: .*timezone"),
        (
            'kind = "dead"\nfrom = 2026-10-03T08:00:00Z\nuntil = 2026-10-03T08:00:00Z',
            "holds no instant",
        ),
        ('kind = "dead"\ncount = 0', r"fault\[1\].count"),
    ],
)
def test_a_wrong_faults_file_says_what_is_wrong_and_where(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(f'kind = "faults"\n[[fault]]\nmeter = "m"\n{line}\n', "utf-8")
    with pytest.raises(DefinitionError, match=message) as raised:
        load_faults(path)
    assert str(path) in str(raised.value)


def test_a_fault_of_a_meter_that_is_not_there_is_refused(fleet: Fleet) -> None:
    with pytest.raises(FaultError, match="'e-9-999', which is not there"):
        fleet.plan([Fault(meter="e-9-999", kind=FaultKind.DEAD)])


@pytest.mark.parametrize(
    ("meter", "kind", "message"),
    [
        ("e-1-301", FaultKind.RETAINED, "is on Modbus and cannot have the fault 'retained'"),
        ("e-1-301", FaultKind.RESCALED, "has no scale_factor that could say something else"),
        ("w-1-301", FaultKind.HANG_UP, "is on MQTT and cannot have the fault 'hang-up'"),
    ],
)
def test_a_fault_that_cannot_befall_a_meter_is_refused(
    fleet: Fleet, meter: str, kind: FaultKind, message: str
) -> None:
    with pytest.raises(FaultError, match=message):
        fleet.plan([Fault(meter=meter, kind=kind)])
