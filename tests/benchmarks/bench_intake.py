"""From a message or words to committed readings, against what merely counts or merely inserts.

    python tests/benchmarks/bench_intake.py [MESSAGES]

The broker holds the same messages for both: for the gateway's subscriber, which decodes, judges and
commits them before it acknowledges, and for `mosquitto_sub`, which counts them. Without sockets,
the intake stands against `executemany` of the rows that it makes, into a table of the same shape.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import which
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from mosquitto_server import MosquittoServer, find_mosquitto

from gateway.committer import Committer
from gateway.health import DeviceHealth, Health
from gateway.intake import Intake
from gateway.mqtt import Subscriber
from gateway.site import Broker, MqttMeter
from gateway.spool import Spool
from meters.catalog import shipped
from meters.words import WordOrder, WordType, encode

METERS = 100
TOPIC = "wmbusmeters/all"
START = datetime(2026, 10, 1, tzinfo=UTC)
BATCH = 1000


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


def mqtt_meters() -> tuple[MqttMeter, ...]:
    water = shipped()["wmbusmeters-water"]
    return tuple(MqttMeter(f"w-{n}", water, TOPIC, f"{10_000_000 + n}") for n in range(METERS))


def mosquitto_sub(port: int, messages: int) -> list[str]:
    where = ["-h", "127.0.0.1", "-p", str(port), "-t", TOPIC, "-q", "1", "-c", "-i", "counter"]
    return ["mosquitto_sub", *where, *(["-C", str(messages)] if messages else ["-E"])]


def counted(port: int, messages: int) -> float:
    """Return how long `mosquitto_sub` takes for what the broker holds for it."""
    started = perf_counter()
    subprocess.run(mosquitto_sub(port, messages), check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - started


class Receiver:
    """The gateway's way from the broker to the spool."""

    def __init__(self, port: int, path: Path) -> None:
        meters = mqtt_meters()
        health = Health(DeviceHealth(meter.meter, meter.type.id) for meter in meters)
        self.spool = Spool(path)
        intake = Intake(self.spool, mqtt=meters)
        self.committer = Committer(intake, health=health, committed=lambda: None)
        self.subscriber = Subscriber(
            Broker("127.0.0.1", port, "gateway", "3.1.1", 60, 86400, meters=meters),
            offer=self.committer.offer,
            health=health,
            now=lambda: datetime.now(UTC),
        )

    def receive(self, readings: int) -> float:
        """Return how long it takes until `readings` are committed and all is acknowledged."""
        started = perf_counter()
        self.committer.start()
        self.subscriber.start()
        while self.spool.tally().received < readings or not self.subscriber.is_subscribed:
            time.sleep(0.002)
        elapsed = perf_counter() - started
        self.subscriber.pause()
        self.committer.stop(10)
        self.subscriber.stop(10)
        self.spool.conservation()
        self.spool.close()
        return elapsed


def from_the_broker(folder: Path, messages: int) -> None:
    executable = find_mosquitto()
    if executable is None or which("mosquitto_sub") is None:
        print("SKIPPED: Mosquitto is not on this machine; apt-get install mosquitto-clients")
        return
    server = MosquittoServer(executable, folder, autosave_changes=10**6)
    with (folder / "mosquitto.conf").open("a") as configuration:
        configuration.write("max_inflight_messages 1000\n")
    lines = b"\n".join(map(telegram, range(messages))) + b"\n"
    with server as broker:
        port = broker.port
        subprocess.run(mosquitto_sub(port, 0), check=True)
        Receiver(port, folder / "none.sqlite").receive(0)
        ours = theirs = 0.0
        for turn in range(2):
            subprocess.run(
                ["mosquitto_pub", "-p", str(port), "-t", TOPIC, "-q", "1", "-l"],
                input=lines,
                check=True,
            )
            theirs += counted(port, messages)
            ours += Receiver(port, folder / f"spool-{turn}.sqlite").receive(2 * messages)
    print(
        f"MQTT to committed spool: {2 * messages / ours:,.0f} messages/s "
        f"({4 * messages / ours:,.0f} readings/s), mosquitto_sub counts "
        f"{2 * messages / theirs:,.0f}/s: ratio {theirs / ours:.2f}"
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
        intake = Intake(spool, meters=devices, mqtt=mqtt_meters())
        for turn in range(rounds):
            at = START + timedelta(hours=turn)
            words = encode(Decimal(100 + turn), WordType.FLOAT32, WordOrder.ABCD)
            image = dict(enumerate((*words, 0, 0), start=0x48))
            payloads = [telegram(turn * METERS + n) for n in range(METERS)]
            started = perf_counter()
            for meter in devices:
                intake.words(meter, at, image)
            for payload in payloads:
                intake.payload(TOPIC, payload, received_at=at)
            rows = list(intake._rows)  # the same rows for the other side
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
