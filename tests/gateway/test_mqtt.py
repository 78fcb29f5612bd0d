"""Messages are acknowledged when they are on disk, and not before: real brokers, real kills."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from gateway.committer import Committer
from gateway.endpoint import Endpoint
from gateway.forwarder import Forwarder
from gateway.health import DeviceHealth, Health
from gateway.intake import Intake
from gateway.mqtt import FILTERS_A_REQUEST, Subscriber
from gateway.site import Broker, MqttMeter
from gateway.spool import Spool
from meters.archive.open import open_archive
from meters.catalog import shipped
from simulators.broker import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from decimal import Decimal

WATER = shipped()["wmbusmeters-water"]
START = datetime(2026, 10, 3, tzinfo=UTC)
METER = MqttMeter("w-1", WATER, "wmbusmeters/w-1", "76348799")
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["embedded", "mosquitto"])
def broker_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a broker that speaks MQTT 3.1.1."""
    if request.param == "mosquitto":
        yield request.getfixturevalue("mosquitto").port
        return
    with EmbeddedBroker() as broker:
        yield broker.port


def _broker(port: int, **changes: Any) -> Broker:
    settings: dict[str, Any] = {
        "client_id": "tallygate-north-1",
        "protocol": "3.1.1",
        "keepalive_s": 60,
        "silent_after_s": 86400,
        "meters": (METER,),
    }
    return Broker("127.0.0.1", port, **(settings | changes))


def _telegram(number: int) -> bytes:
    return json.dumps(
        {
            "id": "76348799",
            "total_m3": number,
            "max_flow_m3h": 0,
            "timestamp": (START + timedelta(hours=number)).isoformat(),
        }
    ).encode()


def _publish(port: int, payloads: Sequence[bytes], *, topic: str = METER.topic) -> None:
    """Publish with QoS 1, and return when the broker has acknowledged all."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="publisher")
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = [client.publish(topic, payload, qos=1) for payload in payloads]
    for each in sent:
        each.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def _until(condition: Callable[[], bool], *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@contextmanager
def _receiving(
    broker: Broker, spool: Spool, *, capacity: int = 10_000
) -> Iterator[tuple[Subscriber, Committer, Health]]:
    health = Health([DeviceHealth("w-1", WATER.id)])
    intake = Intake(spool, mqtt=broker.meters)
    committer = Committer(intake, health=health, committed=lambda: None, capacity=capacity)
    subscriber = Subscriber(
        broker, offer=committer.offer, health=health, now=lambda: datetime.now(UTC)
    )
    committer.start()
    subscriber.start()
    try:
        yield subscriber, committer, health
    finally:
        subscriber.pause()
        assert committer.stop(10)
        subscriber.stop(10)


def _subscribe_once(broker: Broker, tmp_path: Path) -> None:
    """Make the session that the broker keeps."""
    with (
        Spool(tmp_path / "first.sqlite") as spool,
        _receiving(broker, spool) as (subscriber, _, health),
    ):
        _until(lambda: subscriber.is_subscribed)
        _publish(broker.port, [_telegram(0)])
        _until(lambda: spool.tally().received == 2)
        assert health.broker_error is None


def _volumes(spool: Spool) -> list[Decimal | None]:
    pending = spool.pending(10_000)
    readings = () if pending is None else pending.readings
    return [r.value for r in readings if r.series.register == "volume"]


def test_what_is_published_is_in_the_spool(broker_port: int, tmp_path: Path) -> None:
    broker = _broker(broker_port)
    with (
        Spool(tmp_path / "spool.sqlite") as spool,
        _receiving(broker, spool) as (subscriber, _, health),
    ):
        _until(lambda: subscriber.is_subscribed)
        _publish(broker_port, [_telegram(n) for n in range(50)])
        _until(lambda: spool.tally().received == 100)
        assert _volumes(spool) == list(range(50))
        assert health.devices(START)[0]["state"] == "ok"
        spool.conservation()


def test_what_is_published_while_the_gateway_is_away_comes_when_it_is_back(
    broker_port: int, tmp_path: Path
) -> None:
    broker = _broker(broker_port)
    _subscribe_once(broker, tmp_path)
    _publish(broker_port, [_telegram(n) for n in range(1, 201)])
    with Spool(tmp_path / "spool.sqlite") as spool, _receiving(broker, spool):
        _until(lambda: spool.tally().received == 400)
        assert _volumes(spool) == list(range(1, 201))


KILLED_AT_THE_THIRD_BATCH = """
import os, signal, sys, threading
from datetime import UTC, datetime
from pathlib import Path
from gateway import committer as committing
from gateway import mqtt
from gateway.health import DeviceHealth, Health
from gateway.intake import Intake
from gateway.mqtt import Subscriber
from gateway.site import Broker, MqttMeter
from gateway.spool import Spool
from meters.catalog import shipped

port, path, when = sys.argv[1:]
water = shipped()["wmbusmeters-water"]
meter = MqttMeter("w-1", water, "wmbusmeters/w-1", "76348799")
broker = Broker(
    "127.0.0.1", int(port), "tallygate-north-1", "3.1.1", 60, 86400, meters=(meter,)
)
health = Health([DeviceHealth("w-1", water.id)])
intake = Intake(Spool(Path(path)), mqtt=broker.meters)
commit, commits = intake.commit, 0

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def killed_at_the_third():
    global commits
    commits += 1
    if commits == 3 and when == "before":
        kill()
    committed = commit()
    if commits == 3:
        kill()
    return committed

intake.commit = killed_at_the_third
committing.BATCH = mqtt.PARCEL = 3
committer = committing.Committer(intake, health=health, committed=lambda: None)
subscriber = Subscriber(
    broker, offer=committer.offer, health=health, now=lambda: datetime.now(UTC)
)
committer.start()
subscriber.start()
threading.Event().wait(60)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_before_or_after_a_commit_nothing_is_lost_or_doubled(
    broker_port: int, tmp_path: Path, when: str
) -> None:
    broker = _broker(broker_port)
    _subscribe_once(broker, tmp_path)
    _publish(broker_port, [_telegram(n) for n in range(1, 21)])
    path = tmp_path / "spool.sqlite"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_THIRD_BATCH, str(broker_port), str(path), when],
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    with Spool(path) as spool:
        committed = _volumes(spool)
        assert 2 <= len(committed) < 20, "it was killed in the middle"
        with _receiving(broker, spool):
            _until(lambda: len(set(_volumes(spool))) == 20)
        volumes = _volumes(spool)
        assert set(volumes) == set(range(1, 21))
        # committed and not yet acknowledged: those come again, and the archive counts them once
        assert len(volumes) - 20 <= len(committed)
        archive = open_archive(f"sqlite:///{tmp_path}/archive.sqlite")
        forwarder = Forwarder(spool, lambda: archive, now=lambda: START)
        forwarded = forwarder.forward_all()
        forwarder.close()
        assert (forwarded.stored, forwarded.quarantined) == (40, 0)
        assert forwarded.duplicates == 2 * (len(volumes) - 20)
        spool.conservation()


def test_bad_messages_do_not_block_the_good_ones(broker_port: int, tmp_path: Path) -> None:
    broker = _broker(broker_port, listen=("wmbusmeters/#",))
    with (
        Spool(tmp_path / "spool.sqlite") as spool,
        _receiving(broker, spool) as (subscriber, _, _),
    ):
        _until(lambda: subscriber.is_subscribed)
        _publish(broker_port, [b"{", b"\xff", b"", _telegram(1), _telegram(2)[:30]])
        _publish(broker_port, [_telegram(3)], topic="wmbusmeters/stranger")
        _publish(broker_port, [_telegram(4)])
        _until(lambda: spool.tally().received == 9)
        assert _volumes(spool) == [1, 4]
        reasons = [str(entry.item.reason) for entry in spool.quarantine()]
        assert reasons == ["payload"] * 4 + ["unknown-meter"]
        spool.conservation()
    # all were acknowledged: nothing comes again
    with Spool(tmp_path / "later.sqlite") as spool, _receiving(broker, spool) as (again, _, _):
        _until(lambda: again.is_subscribed)
        _publish(broker_port, [_telegram(5)])
        _until(lambda: spool.tally().received == 2)
        assert _volumes(spool) == [5]


def test_a_slow_spool_slows_the_broker_down_and_loses_nothing(
    broker_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mqtt.PARCEL", 3)
    broker = _broker(broker_port)
    _subscribe_once(broker, tmp_path)
    _publish(broker_port, [_telegram(n) for n in range(1, 61)])
    with Spool(tmp_path / "spool.sqlite") as spool:
        take_in = spool.take_in

        def slowly(*arguments: Any, **keywords: Any) -> None:
            time.sleep(0.05)
            take_in(*arguments, **keywords)

        monkeypatch.setattr(spool, "take_in", slowly)
        with _receiving(broker, spool, capacity=5) as (subscriber, _, _):
            _until(lambda: len(_volumes(spool)) == 60)
            assert subscriber._epoch == 1, "the connection was never dropped"
        assert _volumes(spool) == list(range(1, 61))


def test_a_queue_that_stays_full_drops_the_connection_and_loses_nothing(
    broker_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mqtt.PATIENCE_S", 0.1)
    monkeypatch.setattr("gateway.committer.BATCH", 3)
    monkeypatch.setattr("gateway.mqtt.PARCEL", 3)
    broker = _broker(broker_port)
    _subscribe_once(broker, tmp_path)
    _publish(broker_port, [_telegram(n) for n in range(1, 31)])
    with Spool(tmp_path / "spool.sqlite") as spool:
        stuck = threading.Event()
        take_in = spool.take_in

        def stuck_first(*arguments: Any, **keywords: Any) -> None:
            stuck.wait(20)
            take_in(*arguments, **keywords)

        monkeypatch.setattr(spool, "take_in", stuck_first)
        with _receiving(broker, spool, capacity=5) as (subscriber, _, _):
            try:
                _until(lambda: subscriber._epoch >= 2)
            finally:
                stuck.set()
            _until(lambda: set(_volumes(spool)) == set(range(1, 31)))
        spool.conservation()


def test_a_broker_that_comes_later_and_goes_and_comes_is_found(
    mosquitto: Any, tmp_path: Path
) -> None:
    mosquitto.stop()
    with (
        Spool(tmp_path / "spool.sqlite") as spool,
        _receiving(_broker(mosquitto.port), spool) as (subscriber, _, health),
    ):
        _until(lambda: "cannot connect" in (health.broker_error or ""))
        mosquitto.start()
        _until(lambda: subscriber.is_subscribed)
        assert health.broker_error is None
        mosquitto.restart()
        _publish(mosquitto.port, [_telegram(1)])
        _until(lambda: _volumes(spool) == [1])
        assert subscriber.is_alive


def test_mqtt_5_is_spoken_where_it_is_asked_for(mosquitto: Any, tmp_path: Path) -> None:
    broker = _broker(mosquitto.port, protocol="5")
    _subscribe_once(broker, tmp_path)
    _publish(mosquitto.port, [_telegram(n) for n in range(1, 31)])
    with Spool(tmp_path / "spool.sqlite") as spool, _receiving(broker, spool):
        _until(lambda: set(_volumes(spool)) == set(range(1, 31)))


def test_an_acknowledgement_of_an_earlier_connection_is_dropped(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Spool(tmp_path / "spool.sqlite") as spool,
        _receiving(_broker(mosquitto.port), spool) as (subscriber, _, _),
    ):
        _until(lambda: subscriber.is_subscribed)
        acknowledged: list[int] = []
        monkeypatch.setattr(Endpoint, "acknowledge", lambda _, mids: acknowledged.extend(mids))
        epoch = subscriber._epoch
        subscriber.acknowledge(epoch, [1])
        _until(lambda: acknowledged == [1])
        mosquitto.restart()
        _until(lambda: subscriber._epoch > epoch and subscriber.is_subscribed)
        subscriber.acknowledge(epoch, [2])
        subscriber.acknowledge(subscriber._epoch, [3])
        _until(lambda: 3 in acknowledged)
        assert acknowledged == [1, 3]


def test_a_peer_that_is_no_broker_does_not_end_the_network_thread(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:
        spool = stack.enter_context(Spool(tmp_path / "spool.sqlite"))
        answering = threading.Thread(target=_answer_nonsense, args=(server, 3))
        answering.start()
        broker = _broker(server.getsockname()[1])
        subscriber, _, health = stack.enter_context(_receiving(broker, spool))
        answering.join(30)
        assert not answering.is_alive()
        _until(lambda: health.broker_error is not None)
        assert "check user name, password and mqtt.protocol" in (health.broker_error or "")
        assert subscriber.is_alive


NONSENSE = (b"\x30\x03\x00\x09\xff", b"\x20\x00", b"HTTP/1.1 400\r\n\r\n")


def _answer_nonsense(server: socket.socket, times: int) -> None:
    for number in range(times):
        endpoint, _ = server.accept()
        with endpoint:
            endpoint.recv(1000)
            endpoint.sendall(
                [b"\x30\x03\x00\x09\xff", b"\x20\x00", b"HTTP/1.1 400\r\n\r\n"][number]
            )


def test_a_broker_that_says_nothing_any_more_is_left_and_found_again(
    mosquitto: Any, tmp_path: Path
) -> None:
    broker = _broker(mosquitto.port, keepalive_s=1)
    with (
        Spool(tmp_path / "spool.sqlite") as spool,
        _receiving(broker, spool) as (subscriber, _, health),
    ):
        _until(lambda: subscriber.is_subscribed)
        with mosquitto.paused():
            _until(lambda: "KEEPALIVE" in (health.broker_error or "") or not subscriber._connected)
            assert subscriber.is_alive
        _until(lambda: subscriber.is_subscribed, within_s=40)
        _publish(mosquitto.port, [_telegram(1)])
        _until(lambda: _volumes(spool) == [1])


def test_a_network_loop_that_stands_still_is_noticed(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mqtt.STALLED_AFTER_S", 0.0)
    with Spool(tmp_path / "spool.sqlite") as spool:
        broker = _broker(mosquitto.port, keepalive_s=1)
        with _receiving(broker, spool) as (subscriber, _, _):
            _until(lambda: subscriber.is_subscribed)
            go_on = threading.Event()
            monkeypatch.setattr(subscriber, "_turn", lambda: go_on.wait(20))
            _until(lambda: not subscriber.is_alive)
            go_on.set()
            monkeypatch.undo()
            _until(lambda: subscriber.is_alive)
        assert not subscriber.is_alive


def test_what_is_wanted_may_change_while_messages_come(mosquitto: Any, tmp_path: Path) -> None:
    other = MqttMeter("w-2", WATER, "lora/w-2", "76348799")
    with Spool(tmp_path / "spool.sqlite") as spool:
        health = Health([])
        intake = Intake(spool, mqtt=[METER])
        committer = Committer(intake, health=health, committed=lambda: None)
        subscriber = Subscriber(
            _broker(mosquitto.port),
            offer=committer.offer,
            health=health,
            now=lambda: datetime.now(UTC),
        )
        committer.start()
        subscriber.start()
        try:
            _until(lambda: subscriber.is_subscribed)
            committer.call(lambda: intake.replace_site(mqtt=[METER, other])).result(10)
            subscriber.want([METER, other], ["stray/#"])
            _until(lambda: subscriber.is_subscribed)
            _publish(mosquitto.port, [_telegram(1)])
            _publish(mosquitto.port, [_telegram(2)], topic=other.topic)
            _publish(mosquitto.port, [_telegram(3)], topic="stray/w-3")
            _until(lambda: spool.tally().received == 5)
            subscriber.want([other], [])
            _until(lambda: subscriber.is_subscribed)
            _publish(mosquitto.port, [_telegram(4)])
            _publish(mosquitto.port, [_telegram(5)], topic=other.topic)
            _until(lambda: 5 in _volumes(spool))
            assert _volumes(spool) == [1, 2, 5]
        finally:
            subscriber.pause()
            assert committer.stop(10)
            subscriber.stop(10)


def test_what_a_broker_refuses_is_named(mosquitto: Any, tmp_path: Path) -> None:
    many = tuple(
        MqttMeter(f"w-{n}", WATER, f"wmbusmeters/{n}", f"{n}") for n in range(FILTERS_A_REQUEST + 1)
    )
    with (
        Spool(tmp_path / "spool.sqlite") as spool,
        _receiving(_broker(mosquitto.port, meters=many), spool) as (subscriber, _, health),
    ):
        _until(lambda: subscriber.is_subscribed)
        assert health.broker_error is None
        subscriber._on_subscribe(
            subscriber._client, None, -1, [ReasonCode(PacketTypes.SUBACK, "Not authorized")], None
        )
        assert health.broker_error is None, "nobody asked for that"
        subscriber._asked[-1] = ["wmbusmeters/7"]
        subscriber._on_subscribe(
            subscriber._client, None, -1, [ReasonCode(PacketTypes.SUBACK, "Not authorized")], None
        )
        assert "refuses the subscription to 'wmbusmeters/7'" in (health.broker_error or "")
