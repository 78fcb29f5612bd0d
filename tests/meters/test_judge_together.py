"""What one meter answers at one time is judged together: who it is, what adds up, what passes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from judged_counter import QUARTER, START

from meters.judge import Judged, judge_together
from meters.meter_type import MeterType
from meters.reading import Observation, Reason, Series, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from meters.baseline import Baseline

GOOD, SUSPECT, INVALID = Verdict
METER = "m-1"


def counter(**more: Any) -> dict[str, Any]:
    return {
        "kind": "total",
        "unit": "kWh",
        "type": "float32",
        "resolution": "0.01",
        "digits": 8,
        "max_rate": "25",
        **more,
    }


def gauge(**more: Any) -> dict[str, Any]:
    return {"kind": "gauge", "unit": "W", "type": "float32", "resolution": "0.1", **more}


def model(**registers: dict[str, Any]) -> MeterType:
    """Return a type with `registers`, each with an address of its own, and its check if it fits."""
    placed = {name: {**each, "address": 2 * i} for i, (name, each) in enumerate(registers.items())}
    check = {"total": "total_energy", "parts": ["import_energy", "export_energy"]}
    return MeterType.model_validate(
        {
            "kind": "meter-type",
            "id": "tested",
            "name": "Tested",
            "manufacturer": "Nobody",
            "medium": "electricity",
            "modbus": {"function": 4},
            "register": placed,
            "check": [{**check, "tolerance": "0.02"}] if "total_energy" in placed else [],
            "proof": [
                {
                    "kind": "computed",
                    "source": "worked out",
                    "words": "0000 0000",
                    "at": 0,
                    "expect": {next(iter(placed)): 0},
                }
            ],
        }
    )


BIDIRECTIONAL = model(import_energy=counter(), export_energy=counter(), total_energy=counter())
METERED = model(import_energy=counter(), export_energy=counter(), power=gauge())


class Meter:
    """A meter of `meter_type` that is read again and again, with its baselines."""

    def __init__(self, meter_type: MeterType) -> None:
        self.type = meter_type
        self.baselines: dict[Series, Baseline] = {}

    def read(self, at: timedelta, _how: dict[str, Any] | None = None, **values: Any) -> Any:
        """Return what is judged of `values`, register → text or None, as register → judged."""
        observations = [
            Observation(
                Series(METER, name),
                START + at,
                None if value is None else Decimal(value),
                f"raw {value}",
                Reason.SENTINEL if value is None else None,
            )
            for name, value in values.items()
        ]
        judged = judge_together(observations, self.type, self.baselines, **(_how or {}))
        assert [each.reading.series.register for each in judged] == list(values)
        for each in judged:
            if each.baseline is not None:
                self.baselines[each.reading.series] = each.baseline
        return {each.reading.series.register: each for each in judged}

    def baseline(self, register: str) -> tuple[datetime, Decimal]:
        found = self.baselines[Series(METER, register)]
        return found.time, found.value


def said(judged: Judged) -> tuple[Verdict, set[Reason]]:
    return judged.reading.verdict, set(judged.reading.reasons)


# --- who answered ---------------------------------------------------------------------------------


def test_another_meters_answer_is_invalid_altogether_and_moves_nothing() -> None:
    meter = Meter(METERED)
    meter.read(0 * QUARTER, import_energy="100", power="0.5")
    before = dict(meter.baselines)

    judged = meter.read(
        QUARTER, {"identity_matches": False}, import_energy="100.1", export_energy=None, power="0.4"
    )

    assert said(judged["import_energy"]) == (INVALID, {Reason.IDENTITY})
    assert said(judged["export_energy"]) == (INVALID, {Reason.IDENTITY, Reason.SENTINEL})
    assert said(judged["power"]) == (INVALID, {Reason.IDENTITY})
    assert judged["import_energy"].reading.value == Decimal("100.1")
    assert meter.baselines == before


@pytest.mark.parametrize("how", [{}, {"identity_matches": None}, {"identity_matches": True}])
def test_the_meter_that_stands_there_is_judged_by_what_it_shows(how: dict[str, Any]) -> None:
    judged = Meter(METERED).read(0 * QUARTER, how, import_energy="100", power="5")

    assert [each.reading.verdict for each in judged.values()] == [GOOD, GOOD]


# --- the clock ------------------------------------------------------------------------------------


def test_what_an_untrusted_clock_dates_is_suspect_and_moves_nothing() -> None:
    meter = Meter(METERED)
    meter.read(0 * QUARTER, import_energy="100")
    before = dict(meter.baselines)

    judged = meter.read(
        QUARTER, {"trusted_clock": False}, import_energy="100.1", export_energy=None, power="0.4"
    )

    assert said(judged["import_energy"]) == (SUSPECT, {Reason.CLOCK})
    assert said(judged["export_energy"]) == (INVALID, {Reason.CLOCK, Reason.SENTINEL})
    assert said(judged["power"]) == (SUSPECT, {Reason.CLOCK})
    assert meter.baselines == before


# --- cross-checks ---------------------------------------------------------------------------------


def test_counters_that_add_up_are_good() -> None:
    judged = Meter(BIDIRECTIONAL).read(
        0 * QUARTER, import_energy="100", export_energy="7.5", total_energy="107.52"
    )

    assert [each.reading.verdict for each in judged.values()] == [GOOD] * 3


def test_counters_that_do_not_add_up_are_all_suspect_and_move_nothing() -> None:
    meter = Meter(BIDIRECTIONAL)
    meter.read(0 * QUARTER, import_energy="100", export_energy="7.5", total_energy="107.5")

    judged = meter.read(QUARTER, import_energy="101", export_energy="7.5", total_energy="107.5")

    assert {register: said(each) for register, each in judged.items()} == {
        register: (SUSPECT, {Reason.CROSS_CHECK}) for register in judged
    }
    assert meter.baseline("import_energy") == (START, Decimal(100))
    assert meter.baseline("export_energy") == (START, Decimal("7.5"))


def test_a_counter_keeps_its_own_reason_beside_the_violated_check() -> None:
    meter = Meter(BIDIRECTIONAL)
    meter.read(0 * QUARTER, import_energy="100", export_energy="7.5", total_energy="107.5")

    judged = meter.read(QUARTER, import_energy="0", export_energy="7.5", total_energy="107.5")

    assert said(judged["import_energy"]) == (SUSPECT, {Reason.FALLING, Reason.CROSS_CHECK})


def test_a_first_reading_that_does_not_add_up_becomes_no_baseline() -> None:
    meter = Meter(BIDIRECTIONAL)

    judged = meter.read(0 * QUARTER, import_energy="1", export_energy="1", total_energy="1")

    assert said(judged["import_energy"]) == (SUSPECT, {Reason.CROSS_CHECK})
    assert meter.baselines == {}


def test_a_check_of_which_a_register_is_missing_says_nothing() -> None:
    judged = Meter(BIDIRECTIONAL).read(
        0 * QUARTER, import_energy="1", export_energy=None, total_energy="5"
    )

    assert [each.reading.verdict for each in judged.values()] == [GOOD, INVALID, GOOD]


# --- stuck ----------------------------------------------------------------------------------------


def verdicts(meter: Meter, power: str | None, *, quarters: int, energy: str = "100") -> list[str]:
    """Return what is said of an import counter that stands at `energy` while power shows."""
    found = []
    for index in range(quarters):
        judged = meter.read(index * QUARTER, import_energy=energy, power=power)
        found.append(",".join(set(judged["import_energy"].reading.reasons) & {Reason.STUCK}))
    return found


def test_a_counter_that_stands_still_under_load_is_stuck() -> None:
    """At 400 W ten steps of 0.01 kWh take a quarter of an hour: an hour is what it waits for."""
    meter = Meter(METERED)

    assert verdicts(meter, "0.4", quarters=8) == [""] * 5 + ["stuck"] * 3
    assert meter.baseline("import_energy") == (START + 4 * QUARTER, Decimal(100))


@pytest.mark.parametrize("power", ["0", "0.0499", "-0.4", None])
def test_a_counter_that_nothing_passes_is_not_stuck(power: str | None) -> None:
    """Nothing, less than it starts to count at, the other direction, or nobody knows."""
    assert verdicts(Meter(METERED), power, quarters=100) == [""] * 100


def test_a_stuck_counter_stays_stuck_at_night_and_is_good_when_it_moves() -> None:
    meter = Meter(METERED)
    verdicts(meter, "0.4", quarters=8)

    night = meter.read(8 * QUARTER, import_energy="100", power="0")
    moved = meter.read(9 * QUARTER, import_energy="100.01", power="0.4")
    after = meter.read(10 * QUARTER, import_energy="100.01", power="0.4")

    assert said(night["import_energy"]) == (SUSPECT, {Reason.STUCK})
    assert [said(each["import_energy"])[0] for each in (moved, after)] == [GOOD, GOOD]


def test_a_load_that_comes_and_goes_has_not_passed_in_between() -> None:
    meter = Meter(METERED)
    found = [
        said(meter.read(i * QUARTER, import_energy="100", power=power)["import_energy"])[0]
        for i, power in enumerate(["0.4", "0"] * 20)
    ]

    assert found == [GOOD] * 40


def test_an_outage_between_two_loads_counts_for_half_an_hour_only() -> None:
    whole = model(import_energy=counter(resolution="1", digits=6), power=gauge())
    meter = Meter(whole)
    found = [
        said(meter.read(i * timedelta(hours=5), import_energy="100", power="4")["import_energy"])
        for i in range(8)
    ]

    # ten whole kWh are 2.5 hours at 4 kW: five half hours, not one gap of five hours
    assert [verdict for verdict, _ in found] == [GOOD] * 6 + [SUSPECT] * 2


def test_two_readings_far_apart_do_not_show_a_counter_stuck() -> None:
    meter = Meter(METERED)
    found = [
        said(meter.read(i * timedelta(hours=5), import_energy="100", power="4")["import_energy"])[0]
        for i in range(5)
    ]

    assert found == [GOOD] * 4 + [SUSPECT]


def test_between_two_readings_the_smaller_load_has_passed() -> None:
    whole = model(import_energy=counter(resolution="1", digits=6), power=gauge())
    meter = Meter(whole)
    found = [
        said(meter.read(i * QUARTER, import_energy="100", power=power)["import_energy"])[0]
        for i, power in enumerate(["0.1", "20"] * 20)
    ]

    assert found == [GOOD] * 40  # 1 kWh in ten hours at 0.1 kW


def test_an_export_counter_is_stuck_by_what_is_fed_in() -> None:
    meter = Meter(METERED)
    found = [
        meter.read(i * QUARTER, import_energy="100", export_energy="50", power="-0.4")
        for i in range(8)
    ]

    assert said(found[-1]["export_energy"]) == (SUSPECT, {Reason.STUCK})
    assert said(found[-1]["import_energy"]) == (GOOD, set())


def test_a_gauge_without_a_sign_does_not_make_the_other_direction_stuck() -> None:
    meter = Meter(METERED)
    found = [
        meter.read(i * QUARTER, import_energy="100", export_energy=str(50 + i), power="4")
        for i in range(8)
    ]

    assert [said(each["import_energy"])[0] for each in found] == [GOOD] * 8


@pytest.mark.parametrize(
    ("flow", "stuck"), [("0.5", ["volume"]), ("-0.5", ["reverse_volume"]), ("0", [])]
)
def test_a_water_meter_is_judged_by_its_flow(flow: str, stuck: list[str]) -> None:
    volume = counter(unit="m3", resolution="0.001", max_rate="2.5")
    water = model(volume=volume, reverse_volume=volume, flow=gauge(unit="m3/h", resolution="0.001"))
    meter = Meter(water)
    found = [
        meter.read(i * QUARTER, volume="100", reverse_volume="1", flow=flow) for i in range(8)
    ][-1]

    assert [name for name, each in found.items() if said(each)[0] is SUSPECT] == stuck


def test_a_phase_is_judged_by_the_power_of_its_phase() -> None:
    phases = model(
        import_energy_l1=counter(), import_energy_l2=counter(), power_l1=gauge(), power=gauge()
    )
    meter = Meter(phases)
    found = [
        meter.read(
            i * QUARTER, import_energy_l1="1", import_energy_l2="1", power_l1="0.9", power="0.9"
        )
        for i in range(8)
    ]

    assert said(found[-1]["import_energy_l1"])[0] is SUSPECT
    assert said(found[-1]["import_energy_l2"])[0] is GOOD


def test_a_counter_of_one_tariff_band_stands_still_by_rights() -> None:
    bands = model(import_energy=counter(), import_energy_t1=counter(kind="tariff"), power=gauge())
    meter = Meter(bands)
    found = [meter.read(i * QUARTER, import_energy_t1="1", power="0.9") for i in range(8)]

    assert said(found[-1]["import_energy_t1"])[0] is GOOD


def test_a_persisting_question_comes_with_the_reading() -> None:
    meter = Meter(METERED)
    for index, value in enumerate(("100", "100.1", "100.2", "5", "5.1")):
        judged = meter.read(index * QUARTER, import_energy=value)
        assert judged["import_energy"].question is None

    question = meter.read(5 * QUARTER, import_energy="5.2")["import_energy"].question

    assert question is not None
    assert question.series == Series(METER, "import_energy")
