"""Messages come twice, later, or in another order, and none is lost that should not be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from meters.catalog import shipped
from meters.decoding import decode_payload
from simulators.bench.meters import Bench
from simulators.community import demo_community
from simulators.delivery import Delivery
from simulators.faults import Fault
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


def test_each_fault_of_a_message_befalls_meters_of_any_way_to_publish() -> None:
    kinds = ["zero", "spike", "sentinel", "wrong-type", "truncated", "not-utf8", "unknown-meter"]
    for type_id in ("homie-electricity", "axioma-qalcosonic-w1", "json-water", "dragino-sw3l"):
        (meter,) = Bench(meter_type=shipped()[type_id]).meters()
        sound = meter.messages(NOON)
        for kind in kinds:
            plan = plan_for([meter], [Fault.model_validate({"kind": kind})], seed=1)
            wrong = Delivery().of(
                meter.id, meter.messages(NOON, plan.next(meter.id, NOON)), plan.next(meter.id, NOON)
            )
            assert len(wrong) == len(sound)
            assert wrong != sound, (type_id, kind)
