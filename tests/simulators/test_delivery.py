"""Messages come twice, later, or in another order, and none is lost that should not be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meters.catalog import shipped
from meters.decoding import decode_payload
from simulators.bench.meters import Bench
from simulators.community import demo_community
from simulators.delivery import Delivery
from simulators.faults import CLOCKS, MQTT_FAULTS, Fault, FaultError, FaultKind
from simulators.fleet import Fleet, plan_for
from simulators.history import MqttMessage, replay

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FLEET = Fleet(demo_community(7))


def sent(minutes: int, **fault: Any) -> list[tuple[int, int]]:
    """Return for each message of `w-1-101` the minutes when it came and that it states."""
    told = [Fault.model_validate({"meter": "w-1-101", **fault})]
    times = [NOON + n * MINUTE for n in range(minutes)]
    found = []
    for message in replay(FLEET, times, meters=["w-1-101"], plan=FLEET.plan(told)):
        assert isinstance(message, MqttMessage)
        telegram = decode_payload(FLEET.meters["w-1-101"].meter_type, message.payload)
        assert telegram.time is not None
        found.append(((message.time - NOON) // MINUTE, (telegram.time - NOON) // MINUTE))
    return found


def test_a_message_may_come_after_the_next_one() -> None:
    assert sent(4, kind="reordered", after=1, count=1) == [(0, 0), (2, 2), (2, 1), (3, 3)]


def test_what_a_meter_had_to_say_while_the_network_was_lost_comes_after_it_in_order() -> None:
    window = {"from": NOON + MINUTE, "until": NOON + 4 * MINUTE}
    came = sent(6, kind="network-loss", **window)
    assert came == [(0, 0), (4, 1), (4, 2), (4, 3), (4, 4), (5, 5)]


def test_a_message_may_come_twice() -> None:
    assert sent(3, kind="duplicate", after=1, count=1) == [(0, 0), (1, 1), (1, 1), (2, 2)]


def test_a_clock_may_be_an_hour_off() -> None:
    assert sent(2, kind="clock-off", shift_s=-3600, count=1) == [(0, -60), (1, 1)]


@pytest.mark.parametrize(
    "type_id", ["json-water", "wmbusmeters-water", "axioma-qalcosonic-w1", "homie-electricity"]
)
@pytest.mark.parametrize("kind", sorted(MQTT_FAULTS))
def test_every_fault_changes_what_a_broker_hears(type_id: str, kind: FaultKind) -> None:
    (meter,) = Bench(meter_type=shipped()[type_id]).meters()
    told = Fault.model_validate({"kind": kind, "from": NOON - 9 * 60 * MINUTE})
    has_no_time = type_id == "homie-electricity" and kind in CLOCKS
    never_rolls_over = kind is FaultKind.ROLLOVER and meter.model.rolls_over_at is None
    if has_no_time or never_rolls_over:
        with pytest.raises(FaultError):
            plan_for([meter], [told], seed=1)
        return
    condition = plan_for([meter], [told], seed=1).next(meter.id, NOON)
    wrong = Delivery().of(meter.id, meter.messages(NOON, condition), condition)
    sound = meter.messages(NOON)
    is_retained_anyway = type_id == "homie-electricity" and kind is FaultKind.RETAINED
    assert (wrong == sound) == is_retained_anyway


def test_another_device_publishes_after_an_exchange_under_its_own_number() -> None:
    told = Fault.model_validate({"kind": "exchange", "from": NOON, "first": "2"})
    for type_id in ("wmbusmeters-water", "axioma-qalcosonic-w1"):
        (meter,) = Bench(meter_type=shipped()[type_id]).meters()
        plan = plan_for([meter], [told], seed=1)
        before, after = NOON - MINUTE, NOON
        (old,), (new,) = (meter.messages(at, plan.next(meter.id, at)) for at in (before, after))
        first, second = (decode_payload(meter.meter_type, each.payload) for each in (old, new))
        assert first.identity == meter.number != second.identity
        assert second.registers["volume"].value == 2
        assert (old.topic == new.topic) == (meter.number not in old.topic)
        assert second.identity is not None
        assert meter.number not in new.topic
