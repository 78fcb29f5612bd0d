"""The world of a gateway: a real broker and a real archive, meters, and everything that can end."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.spool import Spool
from meters.archive.open import open_archive
from meters.interval import Interval
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meters.reading import Reading

CHECKOUT = Path(__file__).parents[2]
EVER = Interval(datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC))
TELEGRAMS_FROM = datetime(2026, 1, 1, tzinfo=UTC)
PUBLISH_EVERY_S = 0.005
TOPIC = "wmbusmeters/w-1"
DISK_BYTES = 24 * 2**20
"""The disk of the gateway, where one can be mounted for it."""

SITE = """\
gateway = "chaos"
[archive]
url = "{archive}"
[poll]
billing_s = 1
[[bus]]
name = "line"
host = "127.0.0.1"
port = {modbus}
timeout_s = "0.3"
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


def telegram(number: int) -> bytes:
    """Return the telegram `number`: its time and its counter tell which one it is."""
    time = TELEGRAMS_FROM + timedelta(minutes=number)
    return json.dumps(
        {"id": "1", "total_m3": number / 1000, "max_flow_m3h": 0, "timestamp": time.isoformat()}
    ).encode()


class Publisher(threading.Thread):
    """Publishes telegram after telegram to the broker; `promised` are those that it confirmed."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(name="publisher", daemon=True)
        self._address = host, port
        self.promised: set[bytes] = set()
        self.enough = threading.Event()

    def run(self) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="meter")
        client.reconnect_delay_set(1, 1)
        client.connect(*self._address)
        client.loop_start()
        for number in itertools.count():
            payload = telegram(number)
            if self._published(client, payload):
                self.promised.add(payload)
            if self.enough.wait(PUBLISH_EVERY_S):
                break
        client.disconnect()
        client.loop_stop()

    def _published(self, client: paho.Client, payload: bytes) -> bool:
        """Publish until the broker confirms it, or until it is enough."""
        while not self.enough.is_set():
            sent = client.publish(TOPIC, payload, qos=1)
            with suppress(RuntimeError):  # the broker is away: say it again
                while not self.enough.is_set():
                    sent.wait_for_publish(0.5)
                    if sent.is_published():
                        return True
            self.enough.wait(0.1)
        return False


@dataclass
class Gateway:
    """The process under test, with its settings in `folder`."""

    folder: Path
    log: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def settings(self) -> Path:
        return self.folder / "site.toml"

    async def start(self) -> None:
        program = "from gateway.commands import gateway; gateway()"
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", program, "run", str(self.settings)),
                cwd=CHECKOUT,
                stdout=log,
                stderr=log,
            )

    async def kill(self) -> None:
        """End it as a power cut would; it must have been alive until now."""
        assert self.process is not None
        self.process.kill()
        status = await self.process.wait()
        if status != -signal.SIGKILL:
            raise RuntimeError(f"the gateway had ended by itself with {status}; see {self.log}")

    async def abandon(self) -> None:
        """End it if it still runs: nothing is left behind, whatever went wrong."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def stop(self) -> int:
        """End it in an orderly way; return its status."""
        assert self.process is not None
        self.process.terminate()
        return await self.process.wait()

    @property
    def received(self) -> int:
        with Spool(self.folder / "spool.sqlite", read_only=True) as spool:
            return spool.tally().received


@contextmanager
def disk(folder: Path) -> Iterator[bool]:
    """Mount a small disk at `folder`; yield False where this user may not."""
    folder.mkdir()
    mounted = os.geteuid() == 0 and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder],
            check=False,
            capture_output=True,
        ).returncode
        == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> Path:
    """Fill the disk of `folder` to its last byte; return the file to remove again."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return filler


@dataclass
class Books:
    """What the archive holds in the end, against what was promised."""

    archive_url: str
    problems: list[str] = field(default_factory=list)

    def readings(self, meter: str) -> list[Reading]:
        archive = open_archive(self.archive_url)
        try:
            return archive.readings(Series(meter, "volume"), EVER)
        finally:
            archive.close()

    def holds(self, acknowledged: set[bytes]) -> None:
        """Compare the archive with the telegrams that the gateway acknowledged."""
        volumes = self.readings("w-1")
        held = {reading.time: reading.value for reading in volumes}
        if len(held) != len(volumes):
            self.problems.append(f"{len(volumes) - len(held)} telegrams are in the archive twice")
        lost = wrong = 0
        for payload in acknowledged:
            said = json.loads(payload, parse_float=Decimal)
            time = datetime.fromisoformat(said["timestamp"])
            lost += time not in held
            wrong += time in held and held[time] != said["total_m3"]
        if lost or wrong:
            self.problems.append(f"of what was acknowledged {lost} are lost, {wrong} have changed")

    def answers_are_their_own(self, meter: str, epoch: int) -> int:
        """Check that each polled reading is of its own second; return how many there are."""
        polled = self.readings(meter)
        if len({reading.time for reading in polled}) != len(polled):
            self.problems.append(f"readings of {meter} are in the archive twice")
        for reading in polled:
            age = int(reading.time.timestamp()) - epoch - int((reading.value or 0) * 1000)
            if not 0 <= age <= 2:
                self.problems.append(f"{meter} at {reading.time}: an answer {age} s old")
        return len(polled)


async def until(condition: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Wait for `condition`; raise where it does not come true `within_s` seconds."""
    try:
        async with asyncio.timeout(within_s):
            while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise TimeoutError(f"after {within_s} s still not: {what}") from None
