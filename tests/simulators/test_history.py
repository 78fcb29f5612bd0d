"""The past without a wire: the same as on it, at aligned times, faults included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from meters.decoding import decode_image, decode_payload
from meters.interval import Interval
from meters.payload import PayloadError
from meters.reading import Reason
from simulators.community import demo_community
from simulators.faults import Fault, FaultKind
from simulators.fleet import Fleet
from simulators.history import ModbusAnswer, MqttMessage, aligned, replay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

HOUR = timedelta(hours=1)
START = datetime(2026, 9, 30, 16, tzinfo=UTC)
DAY = Interval(START, START + 24 * HOUR)


def value(fleet: Fleet, answer: ModbusAnswer | MqttMessage) -> Decimal | None:
    """Return what a reader of `answer` decodes for the meter's main register."""
    meter_type = fleet.meters[answer.meter].meter_type
    if isinstance(answer, ModbusAnswer):
        decoded = decode_image(meter_type, answer.image)
    else:
        decoded = decode_payload(meter_type, answer.payload).registers
    return decoded[main_register(fleet, answer.meter)].value


def main_register(fleet: Fleet, meter: str) -> str:
    return "import_energy" if fleet.meters[meter].meter_type.medium == "electricity" else "volume"


def faulty(
    fleet: Fleet, meter: str, kind: FaultKind, times: int = 3
) -> Iterator[ModbusAnswer | MqttMessage]:
    """Yield what `meter` sends each hour while only the second answer has the fault `kind`."""
    plan = fleet.plan([Fault(meter=meter, kind=kind, after=1, count=1)])
    hours = [START + n * HOUR for n in range(times)]
    return replay(fleet, hours, meters=[meter], plan=plan)


def test_every_meter_sends_at_every_hour_what_its_display_shows(fleet: Fleet) -> None:
    sent = list(replay(fleet, aligned(DAY)))
    assert len(sent) == 24 * 56
    for answer in sent:
        shown = fleet.meters[answer.meter].shown(main_register(fleet, answer.meter), answer.time)
        assert value(fleet, answer) == shown


def test_a_modbus_answer_holds_the_billing_registers_only(fleet: Fleet) -> None:
    (answer,) = replay(fleet, [START], meters=["e-1-101"])
    assert isinstance(answer, ModbusAnswer)
    assert sorted(answer.image) == [0x48, 0x49, 0x4A, 0x4B]


def test_a_message_carries_number_and_device_time(fleet: Fleet) -> None:
    (message,) = replay(fleet, [START], meters=["w-1-101"])
    assert isinstance(message, MqttMessage)
    assert message.topic == "wmbusmeters/w-1-101"
    meter = fleet.meters["w-1-101"]
    telegram = decode_payload(meter.meter_type, message.payload)
    assert telegram.time == START
    assert telegram.identity == meter.number


def test_the_same_seed_replays_the_same_past() -> None:
    one, other, another = (
        list(replay(Fleet(demo_community(seed)), aligned(DAY, 6 * HOUR))) for seed in (5, 5, 6)
    )
    assert one == other
    assert one != another


@pytest.mark.parametrize(
    ("start", "every", "expected"),
    [
        ("2026-10-01T00:00:00+00:00", HOUR, "2026-10-01T00:00:00+00:00"),
        ("2026-10-01T00:00:01+00:00", HOUR, "2026-10-01T01:00:00+00:00"),
        ("2026-10-01T00:20:00+00:00", timedelta(minutes=15), "2026-10-01T00:30:00+00:00"),
    ],
)
def test_times_are_aligned(start: str, every: timedelta, expected: str) -> None:
    interval = Interval(datetime.fromisoformat(start), datetime(2026, 10, 1, 3, tzinfo=UTC))
    times = list(aligned(interval, every))
    assert times[0] == datetime.fromisoformat(expected)
    assert times[-1] == interval.end - every
    with pytest.raises(ValueError, match="positive"):
        next(aligned(interval, timedelta(0)))


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.DEAD,
        FaultKind.EXCEPTION,
        FaultKind.SHORT_FRAME,
        FaultKind.CUT_FRAME,
        FaultKind.WRONG_UNIT,
        FaultKind.WRONG_TRANSACTION,
    ],
)
def test_an_answer_that_a_master_throws_away_is_left_out(fleet: Fleet, kind: FaultKind) -> None:
    times = [answer.time for answer in faulty(fleet, "e-1-102", kind)]
    assert times == [START, START + 2 * HOUR]


@pytest.mark.parametrize("meter", ["e-1-102", "w-1-102", "garden-water"])
def test_a_zero_and_a_spike_are_glitches_of_one_answer(fleet: Fleet, meter: str) -> None:
    before, zero, after = (value(fleet, each) for each in faulty(fleet, meter, FaultKind.ZERO))
    spike = [value(fleet, each) for each in faulty(fleet, meter, FaultKind.SPIKE)][1]
    assert zero == 0
    assert before is not None
    assert after is not None
    assert spike is not None
    assert before <= after
    assert spike > before + 4_999


@pytest.mark.parametrize("meter", ["e-1-102", "w-1-102"])
def test_a_stuck_meter_shows_what_it_showed(fleet: Fleet, meter: str) -> None:
    since = START + HOUR
    plan = fleet.plan([Fault.model_validate({"meter": meter, "kind": "stuck", "from": since})])
    sent = replay(fleet, [START + n * 5 * HOUR for n in range(4)], meters=[meter], plan=plan)
    first, *others = [value(fleet, each) for each in sent]
    assert set(others) == {fleet.meters[meter].shown(main_register(fleet, meter), since)}
    assert first is not None
    assert first <= fleet.meters[meter].shown(main_register(fleet, meter), since)


def test_a_sentinel_holds_no_value(fleet: Fleet) -> None:
    answer = list(faulty(fleet, "e-1-102", FaultKind.SENTINEL))[1]
    assert isinstance(answer, ModbusAnswer)
    decoded = decode_image(fleet.meters["e-1-102"].meter_type, answer.image)
    assert decoded["import_energy"].fault is Reason.NOT_A_NUMBER


def test_a_crossed_answer_holds_the_counter_of_a_neighbour_of_the_same_type(fleet: Fleet) -> None:
    neighbour = fleet.meters["e-1-102"].neighbour
    assert neighbour is not None
    assert neighbour.id == "e-1-201"
    crossed = list(faulty(fleet, "e-1-102", FaultKind.CROSSED))[1]
    assert value(fleet, crossed) == neighbour.shown("import_energy", START + HOUR)


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.NOT_UTF8, FaultKind.WRONG_TYPE])
def test_a_payload_that_cannot_be_understood(fleet: Fleet, kind: FaultKind) -> None:
    sent = list(faulty(fleet, "w-1-102", kind))
    assert value(fleet, sent[0]) is not None
    with pytest.raises(PayloadError):
        value(fleet, sent[1])


def test_an_unknown_meter_has_another_number_and_topic(fleet: Fleet) -> None:
    _, unknown, _ = faulty(fleet, "w-1-102", FaultKind.UNKNOWN_METER)
    assert isinstance(unknown, MqttMessage)
    assert unknown.topic == "wmbusmeters/unknown-meter"
    known = {getattr(meter.address, "number", None) for meter in fleet.community.meters}
    meter_type = fleet.meters["w-1-102"].meter_type
    assert decode_payload(meter_type, unknown.payload).identity not in known


@pytest.mark.parametrize(
    ("kind", "time"),
    [
        (FaultKind.DATED_1970, datetime(1970, 1, 1, tzinfo=UTC)),
        (FaultKind.FUTURE, START + HOUR + timedelta(days=30)),
    ],
)
def test_a_wrong_clock(fleet: Fleet, kind: FaultKind, time: datetime) -> None:
    _, wrong, _ = faulty(fleet, "w-1-102", kind)
    assert isinstance(wrong, MqttMessage)
    assert decode_payload(fleet.meters["w-1-102"].meter_type, wrong.payload).time == time


def test_a_duplicate_is_sent_twice(fleet: Fleet) -> None:
    sent = list(faulty(fleet, "w-1-102", FaultKind.DUPLICATE))
    assert len(sent) == 4
    assert sent[1] == sent[2]
