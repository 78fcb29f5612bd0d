"""From a message or words to committed readings, against what merely counts or merely inserts.

    python tests/benchmarks/bench_intake.py [MESSAGES]

The broker holds the same messages for both: for the gateway's subscriber, which decodes, judges and
commits them before it acknowledges, and for a paho subscriber that only counts them. Two gateways
on fixed topic partitions stand against one with all topics. Without sockets, the intake stands
against `executemany` of the rows that it makes, into a table of the same shape.
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import paho.mqtt.client as paho
from mosquitto_server import MosquittoServer, find_mosquitto
from paho.mqtt.enums import CallbackAPIVersion

from gateway.committer import Committer
from gateway.health import DeviceHealth, Health
from gateway.intake import Intake
from gateway.mqtt import Subscriber
from gateway.site import Broker, MqttMeter
from gateway.spool import Spool
from meters.catalog import shipped
from meters.words import WordOrder, WordType, encode

if TYPE_CHECKING:
    from multiprocessing import Queue
    from multiprocessing.synchronize import Barrier

METERS = 100
PARTITIONS = 2
START = datetime(2026, 10, 1, tzinfo=UTC)
TURNS = 3
HOST = "127.0.0.1"
START_WITHIN_S = 60


def topic(partition: int) -> str:
    return f"site/{partition}/wmbusmeters"


def telegram(number: int) -> bytes:
    meter, hour = number % METERS, number // METERS
    return json.dumps(
        {
            "media": "cold water",
            "meter": "multical21",
            "id": f"{10_000_000 + meter}",
            "total_m3": hour / 8,
            "target_m3": 0,
            "max_flow_m3h": 0.125,
            "current_status": "DRY",
            "timestamp": (START + timedelta(hours=hour)).isoformat(),
        }
    ).encode()


def mqtt_meters(partitions: tuple[int, ...]) -> tuple[MqttMeter, ...]:
    """The meters of these partitions: each topic is shared by its meters."""
    water = shipped()["wmbusmeters-water"]
    return tuple(
        MqttMeter(f"w-{partition}-{n}", water, topic(partition), f"{10_000_000 + n}")
        for partition in partitions
        for n in range(METERS)
    )


def publish(port: int, partition: int, messages: int) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(500)
    client.connect(HOST, port)
    client.loop_start()
    sent = [client.publish(topic(partition), telegram(n), qos=1) for n in range(messages)]
    for each in sent:
        each.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def counted(port: int, messages: int) -> float:
    """Return how long a subscriber of paho's own takes to count what the broker holds for it."""
    seen, done, subscribed = 0, threading.Event(), threading.Event()

    def count(_client: paho.Client, _userdata: object, _message: paho.MQTTMessage) -> None:
        nonlocal seen
        seen += 1
        if seen == messages:
            done.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="counter", clean_session=False)
    client.on_message = count
    filters = [(topic(partition), 1) for partition in range(PARTITIONS)]
    client.on_connect = lambda *_: client.subscribe(filters)
    client.on_subscribe = lambda *_: subscribed.set()
    started = perf_counter()
    client.connect(HOST, port)
    client.loop_start()
    subscribed.wait(60)
    if messages:
        done.wait(600)
    elapsed = perf_counter() - started
    client.disconnect()
    client.loop_stop()
    return elapsed


class Gate(NamedTuple):
    """Where processes wait for each other, and tell when they were done."""

    start: Barrier
    finished: Queue[float]


class Gateway:
    """A gateway's way from the broker to the spool, for the meters of some partitions."""

    def __init__(self, port: int, path: Path, partitions: tuple[int, ...], name: str) -> None:
        meters = mqtt_meters(partitions)
        health = Health(DeviceHealth(meter.meter, meter.type.id) for meter in meters)
        self.spool = Spool(path)
        intake = Intake(self.spool, mqtt=meters)
        self.committer = Committer(intake, health=health, committed=lambda: None)
        self.subscriber = Subscriber(
            Broker(HOST, port, name, "3.1.1", 60, 86400, meters=meters),
            offer=self.committer.offer,
            health=health,
            now=lambda: datetime.now(UTC),
        )

    def receive(self, messages: int) -> float:
        """Return the time at which so many messages were committed; all is acknowledged."""
        self.committer.start()
        self.subscriber.start()
        while self.spool.tally().received < 2 * messages or not self.subscriber.is_subscribed:
            time.sleep(0.005)
        finished = perf_counter()
        self.subscriber.pause()
        self.committer.stop(10)
        self.subscriber.stop(10)
        self.spool.conservation()
        self.spool.close()
        return finished


def gateway_process(
    port: int, path: Path, partitions: tuple[int, ...], messages: int, gate: Gate
) -> None:
    gateway = Gateway(port, path, partitions, "gateway-" + "-".join(map(str, partitions)))
    gate.start.wait(START_WITHIN_S)
    gate.finished.put(gateway.receive(messages))


def received(port: int, folder: Path, split: tuple[tuple[int, ...], ...], messages: int) -> float:
    """Return how long gateways with these partitions need together, a process each."""
    context = multiprocessing.get_context("spawn")
    gate = Gate(context.Barrier(len(split) + 1), context.Queue())
    with tempfile.TemporaryDirectory(dir=folder) as own:
        processes = [
            context.Process(
                target=gateway_process,
                args=(port, Path(own) / f"{n}.sqlite", part, messages * len(part), gate),
            )
            for n, part in enumerate(split)
        ]
        for process in processes:
            process.start()
        gate.start.wait(START_WITHIN_S)
        started = perf_counter()
        elapsed = max(gate.finished.get(timeout=600) for _ in processes) - started
        for process in processes:
            process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a gateway failed; see above")
    return elapsed


def from_the_broker(folder: Path, messages: int) -> None:
    executable = find_mosquitto()
    if executable is None:
        print("SKIPPED: Mosquitto is not on this machine; apt-get install mosquitto")
        return
    server = MosquittoServer(executable, folder, autosave_changes=10**6)
    with (folder / "mosquitto.conf").open("a") as configuration:
        configuration.write("max_inflight_messages 1000\n")
    each = messages // PARTITIONS
    one, two = ((0, 1),), ((0,), (1,))
    with server as broker:
        port = broker.port
        counted(port, 0)
        for split in (one, two):
            received(port, folder, split, 0)
        counting = alone = together = 0.0
        for _ in range(TURNS):
            for partition in range(PARTITIONS):
                publish(port, partition, each)
            counting += counted(port, PARTITIONS * each)
            alone += received(port, folder, one, each)
            together += received(port, folder, two, each)
    total = TURNS * PARTITIONS * each
    print(
        f"MQTT to committed spool: {total / alone:,.0f} messages/s ({2 * total / alone:,.0f} "
        f"readings/s), a paho subscriber that counts {total / counting:,.0f}/s: "
        f"ratio {counting / alone:.2f} (0.5 asked for)"
    )
    print(
        f"two gateways on fixed partitions: {total / together:,.0f} messages/s together, "
        f"{alone / together:.2f} of one"
    )


def without_sockets(folder: Path, rounds: int) -> None:
    """Words and payloads against `executemany` of the same rows, batch by batch in turns."""
    sdm120 = shipped()["eastron-sdm120"]
    devices = {f"e-{n}": sdm120 for n in range(METERS)}
    ours = bare = 0.0
    readings = 0
    with (
        Spool(folder / "words.sqlite") as spool,
        closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as other,
    ):
        table = "(id INTEGER PRIMARY KEY AUTOINCREMENT, meter, register, time, value, raw, v, r)"
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("PRAGMA synchronous = FULL")
        other.execute(f"CREATE TABLE pending {table}")
        intake = Intake(spool, meters=devices, mqtt=mqtt_meters((0,)))
        for turn in range(rounds):
            at = START + timedelta(hours=turn)
            words = encode(Decimal(100 + turn), WordType.FLOAT32, WordOrder.ABCD)
            image = dict(enumerate((*words, 0, 0), start=0x48))
            payloads = [telegram(turn * METERS + n) for n in range(METERS)]
            started = perf_counter()
            for meter in devices:
                intake.words(meter, at, image)
            for payload in payloads:
                intake.payload(topic(0), payload, received_at=at)
            rows = [*intake._batch.rows, *intake._batch.gauges]  # the same rows for the other side
            readings += intake.commit().readings
            between = perf_counter()
            other.execute("BEGIN")
            insert = "INSERT INTO pending VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
            other.executemany(insert, rows)
            other.execute("COMMIT")
            bare += perf_counter() - between
            ours += between - started
    print(
        f"intake without sockets: {readings / ours:,.0f} readings/s decoded, judged and committed, "
        f"{readings / bare:,.0f} rows/s with bare executemany: ratio {bare / ours:.2f}"
    )


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(prefix="tallygate-bench-") as folder:
        from_the_broker(Path(folder), messages)
        without_sockets(Path(folder), max(1, messages // METERS))


if __name__ == "__main__":
    main()
