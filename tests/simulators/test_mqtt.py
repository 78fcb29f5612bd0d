"""MQTT meters and a real broker: what was published arrives, and each fault shows."""

from __future__ import annotations

import json
import queue
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from meters.decoding import decode_payload
from simulators.broker import EmbeddedBroker
from simulators.faults import Fault, FaultKind
from simulators.mqtt import BrokerUnreachableError, Publisher, UnacknowledgedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.fleet import Fleet

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
METER = "w-1-301"


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


class Inbox:
    """A subscriber to everything; the messages that reached it wait in `messages`."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: self.messages.put(message)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self._client.subscribe("#", qos=1)
        assert self._subscribed.wait(5)

    def take(self, count: int) -> list[paho.MQTTMessage]:
        return [self.messages.get(timeout=20) for _ in range(count)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def subscriber(broker: EmbeddedBroker) -> Iterator[Inbox]:
    inbox = Inbox(broker)
    try:
        yield inbox
    finally:
        inbox.close()


@contextmanager
def meters_and_inbox(
    fleet: Fleet, broker: EmbeddedBroker, *faults: Fault, **settings: Any
) -> Iterator[tuple[Publisher, Inbox]]:
    publisher = Publisher(
        fleet.on_mqtt(),
        host=broker.host,
        port=broker.port,
        clock=lambda: NOON,
        plan=fleet.plan(faults),
        **settings,
    )
    with subscriber(broker) as inbox, publisher:
        yield publisher, inbox


def test_every_meter_is_published_and_decodes_to_what_its_display_shows(
    fleet: Fleet, broker: EmbeddedBroker
) -> None:
    with meters_and_inbox(fleet, broker) as (publisher, inbox):
        assert publisher.publish() == 24
        received = {message.topic: message for message in inbox.take(24)}
    for meter in fleet.on_mqtt():
        message = received[meter.topic]
        assert (message.qos, message.retain) == (1, False)
        telegram = decode_payload(meter.meter_type, bytes(message.payload))
        assert telegram.registers["volume"].value == meter.shown("volume", NOON)
        assert telegram.time == NOON


def test_one_meter_may_be_published_for_a_time_of_ones_own(
    fleet: Fleet, broker: EmbeddedBroker
) -> None:
    earlier = datetime(2026, 10, 1, tzinfo=UTC)
    with meters_and_inbox(fleet, broker) as (publisher, inbox):
        assert publisher.publish([METER], at=earlier) == 1
        (message,) = inbox.take(1)
        with pytest.raises(KeyError):
            publisher.publish(["w-9-999"])
    meter = fleet.meters[METER]
    telegram = decode_payload(meter.meter_type, bytes(message.payload))
    assert telegram.time == earlier
    assert telegram.registers["volume"].value == meter.shown("volume", earlier)


def test_meters_are_published_again_and_again_until_they_are_stopped(
    fleet: Fleet, broker: EmbeddedBroker
) -> None:
    stop = threading.Event()
    with meters_and_inbox(fleet, broker) as (publisher, inbox):
        running = threading.Thread(target=publisher.run, args=(stop,), kwargs={"every_s": 1})
        running.start()
        topics = [message.topic for message in inbox.take(48)]
        stop.set()
        running.join(5)
        assert not running.is_alive()
    assert len(set(topics[:24])) == 24
    assert topics[:24] == topics[24:]


def received(
    fleet: Fleet, broker: EmbeddedBroker, kind: FaultKind, messages: int
) -> list[paho.MQTTMessage]:
    """Return the messages of one meter of which the first has the fault `kind`."""
    fault = Fault(meter=METER, kind=kind, count=1)
    with meters_and_inbox(fleet, broker, fault) as (publisher, inbox):
        publisher.publish([METER])
        publisher.publish([METER])
        taken = inbox.take(messages)
        assert inbox.messages.empty()
    return taken


def test_a_dead_meter_publishes_nothing(fleet: Fleet, broker: EmbeddedBroker) -> None:
    assert len(received(fleet, broker, FaultKind.DEAD, 1)) == 1


def test_a_duplicate_arrives_twice(fleet: Fleet, broker: EmbeddedBroker) -> None:
    first, second, _ = received(fleet, broker, FaultKind.DUPLICATE, 3)
    assert first.payload == second.payload


def test_a_truncated_payload_is_half_of_a_right_one(fleet: Fleet, broker: EmbeddedBroker) -> None:
    broken, right = received(fleet, broker, FaultKind.TRUNCATED, 2)
    assert right.payload.startswith(broken.payload)
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken.payload)


def test_a_payload_may_be_no_utf8(fleet: Fleet, broker: EmbeddedBroker) -> None:
    broken, _ = received(fleet, broker, FaultKind.NOT_UTF8, 2)
    with pytest.raises(UnicodeDecodeError):
        broken.payload.decode("utf-8")


def test_a_counter_may_stand_as_a_text(fleet: Fleet, broker: EmbeddedBroker) -> None:
    wrong, right = (
        json.loads(message.payload, parse_float=Decimal)
        for message in received(fleet, broker, FaultKind.WRONG_TYPE, 2)
    )
    assert wrong["total_m3"] == str(right["total_m3"])
    assert wrong["id"] == right["id"]


def test_an_unknown_meter_has_a_number_and_a_topic_that_nobody_knows(
    fleet: Fleet, broker: EmbeddedBroker
) -> None:
    unknown, right = received(fleet, broker, FaultKind.UNKNOWN_METER, 2)
    assert unknown.topic == "wmbusmeters/unknown-meter"
    assert json.loads(unknown.payload)["id"] != json.loads(right.payload)["id"]


@pytest.mark.parametrize(
    ("kind", "stamp"),
    [
        (FaultKind.DATED_1970, "1970-01-01T00:00:00Z"),
        (FaultKind.FUTURE, "2026-11-13T04:00:00Z"),
    ],
)
def test_a_wrong_clock_stands_in_the_payload(
    fleet: Fleet, broker: EmbeddedBroker, kind: FaultKind, stamp: str
) -> None:
    wrong, right = received(fleet, broker, kind, 2)
    assert json.loads(wrong.payload)["timestamp"] == stamp
    assert json.loads(right.payload)["timestamp"] == "2026-10-14T04:00:00Z"


@pytest.mark.parametrize(("kind", "total"), [(FaultKind.ZERO, "0"), (FaultKind.SPIKE, None)])
def test_a_glitch_stands_in_one_message(
    fleet: Fleet, broker: EmbeddedBroker, kind: FaultKind, total: str | None
) -> None:
    wrong, right = (
        json.loads(message.payload, parse_float=Decimal, parse_int=Decimal)["total_m3"]
        for message in received(fleet, broker, kind, 2)
    )
    assert wrong == (right + 5_000 if total is None else Decimal(total))


def test_a_retained_message_waits_for_the_next_subscriber(fleet: Fleet) -> None:
    # a broker of its own: what is retained would reach the other tests too
    with EmbeddedBroker() as own:
        received(fleet, own, FaultKind.RETAINED, 2)
        with subscriber(own) as late:
            (message,) = late.take(1)
    assert message.retain
    assert message.topic == f"wmbusmeters/{METER}"


def test_a_broker_that_is_not_there_is_named_with_what_to_do(fleet: Fleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    publisher = Publisher(
        fleet.on_mqtt(), host="127.0.0.1", port=port, clock=lambda: NOON, connect_timeout_s=0
    )
    with pytest.raises(BrokerUnreachableError, match=rf"127.0.0.1:{port} .*simulate broker"):
        publisher.connect()


def test_a_server_that_is_no_broker_is_not_taken_for_one(fleet: Fleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        publisher = Publisher(
            fleet.on_mqtt(),
            host="127.0.0.1",
            port=server.getsockname()[1],
            clock=lambda: NOON,
            connect_timeout_s=1,
        )
        with pytest.raises(BrokerUnreachableError, match="or is no broker"):
            publisher.connect()


def test_a_message_that_the_broker_did_not_acknowledge_is_told(fleet: Fleet) -> None:
    with EmbeddedBroker() as own:
        publisher = Publisher(
            fleet.on_mqtt(), host=own.host, port=own.port, clock=lambda: NOON
        ).connect()
        own.stop()
        with pytest.raises(UnacknowledgedError, match="acknowledged 0 of 1 messages"):
            publisher.publish([METER], timeout_s=1)
        publisher.close()
