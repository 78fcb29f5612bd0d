"""The embedded broker: it listens on loopback, carries messages, and lets its ports go."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import time

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from simulators.broker import EmbeddedBroker
from simulators.ports import ListenError, PortTakenError


def listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("protocol", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
def test_carries_a_message_of_either_version(protocol: MQTTProtocolVersion) -> None:
    received: queue.Queue[bytes | bytearray] = queue.Queue()
    subscribed: queue.Queue[int] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    client.on_message = lambda _client, _data, message: received.put(message.payload)
    client.on_subscribe = lambda _client, _data, mid, _codes, _properties: subscribed.put(mid)
    with EmbeddedBroker() as broker:
        is_v5 = protocol is MQTTProtocolVersion.MQTTv5
        client.connect(broker.host, broker.port_v5 if is_v5 else broker.port)
        client.loop_start()
        client.subscribe("meters/#", qos=1)
        subscribed.get(timeout=5)
        client.publish("meters/w1", b"4.2", qos=1).wait_for_publish(5)
        assert received.get(timeout=5) == b"4.2"
        client.disconnect()
        client.loop_stop()


def test_a_port_of_zero_becomes_a_free_one_and_is_let_go_at_the_end() -> None:
    with EmbeddedBroker() as broker:
        assert broker.is_running
        assert broker.port not in (0, broker.port_v5)
        assert listens(broker.host, broker.port)
    assert not broker.is_running
    assert not listens(broker.host, broker.port)


def test_two_brokers_live_beside_each_other() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert len({one.port, one.port_v5, other.port, other.port_v5}) == 4


@pytest.mark.parametrize("which", ["port", "port_v5"])
def test_a_taken_port_is_named_with_what_to_do(which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        broker = EmbeddedBroker(**{which: port})
        with pytest.raises(PortTakenError, match=rf"127\.0\.0\.1:{port}.*choose another port"):
            broker.start()
        assert not broker.is_running


def test_an_address_of_another_machine_is_refused_in_words() -> None:
    with pytest.raises(ListenError, match="no such address"):
        EmbeddedBroker(host="192.0.2.1", port=18830).start()


def test_stopping_twice_does_nothing_more() -> None:
    broker = EmbeddedBroker().start()
    assert broker.start() is broker
    broker.stop()
    broker.stop()
    assert not broker.is_running


def test_the_broker_ends_with_a_parent_that_is_killed() -> None:
    program = (
        "import time; from simulators.broker import EmbeddedBroker\n"
        "broker = EmbeddedBroker().start(); print(broker.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert listens("127.0.0.1", port)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(5)
    deadline = time.monotonic() + 5
    while listens("127.0.0.1", port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens("127.0.0.1", port)
