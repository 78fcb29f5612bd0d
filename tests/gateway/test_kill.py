"""`kill -9` while meters publish and are polled: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from running_gateway import until

from gateway.health import Health
from gateway.mqtt import Subscriber
from gateway.site import load_site
from gateway.spool import Spool
from gateway.spool_lock import is_locked
from meters.archive.open import open_archive
from meters.interval import Interval
from meters.reading import Series
from simulators.broker import EmbeddedBroker

if TYPE_CHECKING:
    from gateway.site import Site
    from meters.reading import Reading

ROOT = Path(__file__).parents[2]
KILLS = 10
SEED = 20261003
TELEGRAMS_FROM = datetime(2026, 1, 1, tzinfo=UTC)
PUBLISH_EVERY_S = 0.005
LITRES_FROM = int(time.time()) - 1_000_000
EVER = Interval(datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC))

SITE = """
gateway = "north-1"
[archive]
url = "sqlite:///archive.sqlite"
[poll]
billing_s = 1
[[bus]]
name = "line"
host = "127.0.0.1"
port = {modbus}
timeout_s = "0.2"
[[bus.device]]
meter = "b-1"
unit = 1
type = "bove-ultrasonic"
[[bus.device]]
meter = "b-2"
unit = 2
type = "bove-ultrasonic"
[[bus.device]]
meter = "b-dead"
unit = 9
type = "bove-ultrasonic"
[mqtt]
host = "127.0.0.1"
port = {mqtt}
[[mqtt.meter]]
meter = "w-1"
type = "wmbusmeters-water"
topic = "wmbusmeters/w-1"
"""


class Publisher(threading.Thread):
    """Publishes telegram after telegram; `acknowledged` are those that the broker confirmed."""

    def __init__(self, port: int) -> None:
        super().__init__(name="publisher", daemon=True)
        self.port = port
        self.acknowledged: list[int] = []
        self.enough = threading.Event()

    def run(self) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="meter")
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        for number in itertools.count():
            sent = client.publish("wmbusmeters/w-1", telegram(number), qos=1)
            sent.wait_for_publish(10)
            if sent.is_published():
                self.acknowledged.append(number)
            if self.enough.wait(PUBLISH_EVERY_S):
                break
        client.disconnect()
        client.loop_stop()


def telegram(number: int) -> bytes:
    time_ = TELEGRAMS_FROM + timedelta(minutes=number)
    return json.dumps(
        {
            "id": "1",
            "total_m3": number / 1000,
            "max_flow_m3h": 0,
            "timestamp": time_.isoformat(),
        }
    ).encode()


async def counting(request: Any, wire: Any) -> None:
    """Answer with a counter that tells, in litres, the second of the answer; unit 9 is dead."""
    if request.unit == 9:
        return
    litres = int(time.time()) - LITRES_FROM
    memory = {7: litres & 0xFFFF, 8: litres >> 16}
    addresses = range(request.address, request.address + request.words)
    wire.answer(request, tuple(memory.get(address, 0) for address in addresses))


def make_session(site: Site) -> None:
    """Subscribe once: only then does a broker keep messages for the gateway."""
    assert site.broker is not None
    subscriber = Subscriber(
        site.broker, offer=lambda _: False, health=Health(()), now=lambda: datetime.now(UTC)
    )
    subscriber.start()
    while not subscriber.is_subscribed:
        time.sleep(0.01)
    subscriber.pause()
    subscriber.stop(5)


async def started(path: Path) -> asyncio.subprocess.Process:
    program = "from gateway.commands import gateway; gateway()"
    with (path.parent / "gateway.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, "run", str(path)), cwd=ROOT, stderr=log
        )


def received(site: Site) -> int:
    with Spool(site.spool_path, read_only=True) as spool:
        return spool.tally().received


def archived(site: Site, series: Series) -> list[Reading]:
    archive = open_archive(site.archive_url)
    try:
        return archive.readings(series, EVER)
    finally:
        archive.close()


async def kill_at_random(site: Site, path: Path, chance: random.Random) -> None:
    """Let a gateway run into its work, or only into its start, and kill it."""
    before = received(site)
    gateway = await started(path)
    if chance.random() < 0.8:
        await until(lambda: received(site) > before, within_s=30)
        await asyncio.sleep(chance.uniform(0, 0.8))
    else:
        await asyncio.sleep(chance.uniform(0.1, 1.5))
    gateway.kill()
    assert await gateway.wait() == -signal.SIGKILL
    assert not is_locked(site.spool_path)
    with Spool(site.spool_path) as spool:
        spool.conservation()


def test_ten_kills_lose_nothing_and_double_nothing(peer: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        chance = random.Random(SEED)  # noqa: S311 - a seeded test, no secret
        with EmbeddedBroker() as broker:
            async with peer(counting) as line:
                path = tmp_path / "site.toml"
                path.write_text(SITE.format(modbus=line.port, mqtt=broker.port), "utf-8")
                site = load_site(path, {})
                Spool(site.spool_path).close()
                await asyncio.to_thread(make_session, site)
                publisher = Publisher(broker.port)
                publisher.start()
                for _ in range(KILLS):
                    await kill_at_random(site, path, chance)
                publisher.enough.set()
                publisher.join()
                await last_run(site, path, publisher.acknowledged)
        check(site, publisher.acknowledged)

    asyncio.run(scenario())


async def last_run(site: Site, path: Path, acknowledged: list[int]) -> None:
    """Let a gateway fetch what is left, and stop it in an orderly way."""
    volume = Series("w-1", "volume")
    gateway = await started(path)
    try:
        await until(lambda: len(archived(site, volume)) >= len(acknowledged), within_s=30)
        gateway.send_signal(signal.SIGTERM)
        assert await gateway.wait() == 0
    finally:
        if gateway.returncode is None:
            gateway.kill()
            await gateway.wait()


def check(site: Site, acknowledged: list[int]) -> None:
    volumes = archived(site, Series("w-1", "volume"))
    published = {TELEGRAMS_FROM + timedelta(minutes=n): Decimal(n) / 1000 for n in acknowledged}
    held = {reading.time: reading.value for reading in volumes}
    assert len(held) == len(volumes), "no identity twice"
    assert published.items() <= held.items(), "nothing acknowledged is lost or changed"
    assert len(acknowledged) > 100
    for meter in ("b-1", "b-2"):
        polled = archived(site, Series(meter, "volume"))
        assert len(polled) >= KILLS // 2
        assert len({reading.time for reading in polled}) == len(polled)
        for reading in polled:
            assert reading.value is not None
            answered = LITRES_FROM + int(reading.value * 1000)
            assert 0 <= int(reading.time.timestamp()) - answered <= 2, "an answer of its own time"
    with Spool(site.spool_path) as spool:
        tally = spool.conservation()
        assert tally.spooled == tally.quarantined == 0
        assert tally.received == tally.stored + tally.duplicate
    print(f"{KILLS} kills, {len(acknowledged)} telegrams acknowledged, all archived once; {tally}")  # noqa: T201 - the figures, for those who ask with -s
