"""Kills the gateway, the broker and the archive while meters report, fills the disk, and counts.

    make chaos ARGS="--seed 7 --gateway 50 --broker 20 --archive 20 --disk 3 --fuzz 200000 --runs 9"

One gateway of real processes: Mosquitto in front, InfluxDB behind, a line of meters that are late,
silent or dead beside. What happens next and when is drawn from the seed. In the end every telegram
that the gateway acknowledged must be in the archive once and unchanged, every polled reading must
be of its own second, and the spool's account must balance. Then damaged payloads and frames go
through the same doors. Last, what computes a bill run is killed: processes, Dask's workers and its
scheduler. Ends with status 1 where one thing is lost, doubled or not caught.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from influxdb_server import InfluxdbServer, find_influxd
from line import Line
from machine import machine
from mosquitto_server import MosquittoServer, find_mosquitto
from witness import Witness
from world import CHECKOUT, SITE, Books, Gateway, Publisher, disk, fill, until

from gateway.health import Health
from gateway.mqtt import Subscriber
from gateway.site import load_site
from gateway.spool import Spool

PROGRESS_S = 60.0
FULL_WITHIN_S = 300.0
STOPPED_S = 4.0
STEP_S = 0.25


@dataclass
class Stage:
    """What can end, and what shows that it goes on."""

    chance: random.Random
    gateway: Gateway
    witness: Witness
    broker: MosquittoServer
    archive: InfluxdbServer
    began: float = field(default_factory=time.monotonic)

    async def happen(self, event: str) -> None:
        """Let the gateway work for a moment, then let `event` happen."""
        if self.chance.random() < 0.8:
            await self.goes_on(event)
        await asyncio.sleep(self.chance.uniform(0, 0.8))
        print(f"{self._clock():>6.1f} s  {event}", flush=True)
        await getattr(self, f"_{event}")()

    def _clock(self) -> float:
        return time.monotonic() - self.began

    async def goes_on(self, event: str) -> None:
        """Wait until the gateway has acknowledged something new."""
        before = len(self.witness.acknowledged)
        await until(
            lambda: len(self.witness.acknowledged) > before,
            within_s=PROGRESS_S,
            what=f"the gateway acknowledges telegrams again (before: {event})",
        )

    async def _gateway(self) -> None:
        await self.gateway.kill()
        await self.gateway.start()

    async def _broker(self) -> None:
        await self._killed_and_started(self.broker)

    async def _archive(self) -> None:
        await self._killed_and_started(self.archive)

    async def _killed_and_started(self, server: MosquittoServer | InfluxdbServer) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(self.chance.uniform(0, 2))
        await asyncio.to_thread(server.start)

    async def _disk(self) -> None:
        """Fill the disk while the archive is away, so that nothing leaves the spool meanwhile."""
        await asyncio.to_thread(self.archive.kill)
        filler = await asyncio.to_thread(fill, self.gateway.folder)
        await self._stops()
        filler.unlink()
        await asyncio.to_thread(self.archive.start)

    async def _stops(self) -> None:
        """Wait until nothing more is acknowledged: what SQLite has reserved is used up first."""
        quiet_s = 0.0
        async with asyncio.timeout(FULL_WITHIN_S):
            while quiet_s < STOPPED_S:
                before = len(self.witness.acknowledged)
                await asyncio.sleep(STEP_S)
                quiet_s = quiet_s + STEP_S if len(self.witness.acknowledged) == before else 0.0


def make_session(settings: Path) -> None:
    """Subscribe once: only then does a broker keep messages for the gateway."""
    site = load_site(settings, {})
    Spool(site.spool_path).close()
    if site.broker is None:
        raise RuntimeError("the site has no broker")
    subscriber = Subscriber(
        site.broker, offer=lambda _: False, health=Health(()), now=lambda: datetime.now(UTC)
    )
    subscriber.start()
    while not subscriber.is_subscribed:
        time.sleep(0.01)
    subscriber.pause()
    subscriber.stop(5)


async def play(arguments: argparse.Namespace, folder: Path) -> int:
    """Play the whole piece in `folder`; return the exit status."""
    mosquitto, influxd = find_mosquitto(), find_influxd()
    if mosquitto is None or influxd is None:
        print("Mosquitto and InfluxDB must be there: apt-get install mosquitto influxdb")
        return 2
    places = {name: folder / name for name in ("broker", "archive")}
    for place in places.values():
        place.mkdir()
    with (
        disk(folder / "gateway") as mounted,
        MosquittoServer(mosquitto, places["broker"], autosave_changes=1) as broker,
        InfluxdbServer(influxd, places["archive"]) as archive,
    ):
        async with Witness(broker.port) as witness, Line() as line:
            archive.ask("CREATE DATABASE chaos")
            archive_url = f"influxdb+http://{archive.host}:{archive.port}/chaos?version=1"
            gateway = Gateway(folder / "gateway", folder / "gateway.log")
            gateway.settings.write_text(
                SITE.format(archive=archive_url, modbus=line.port, mqtt=witness.port), "utf-8"
            )
            await asyncio.to_thread(make_session, gateway.settings)
            stage = Stage(
                random.Random(arguments.seed),  # noqa: S311 - the same seed, the same piece
                gateway,
                witness,
                broker,
                archive,
            )
            publisher = Publisher(broker.host, broker.port)
            publisher.start()
            try:
                await gateway.start()
                for event in programme(arguments, stage.chance, mounted=mounted):
                    await stage.happen(event)
                await stage.goes_on("the end")
                publisher.enough.set()
                await asyncio.to_thread(publisher.join)
                await settled(gateway, Books(archive_url), witness)
                status = await gateway.stop()
            finally:
                publisher.enough.set()
                await gateway.abandon()
            return judge(Books(archive_url), stage, publisher, line.epoch, status)


def programme(arguments: argparse.Namespace, chance: random.Random, *, mounted: bool) -> list[str]:
    """Return the events in the order in which they happen."""
    if arguments.disk and not mounted:
        print("!! the disk is NOT filled: mounting one of its own needs root")
    events = (
        ["gateway"] * arguments.gateway
        + ["broker"] * arguments.broker
        + ["archive"] * arguments.archive
        + ["disk"] * (arguments.disk if mounted else 0)
    )
    chance.shuffle(events)
    return events


async def settled(gateway: Gateway, books: Books, witness: Witness) -> None:
    """Wait until nothing comes any more and the spool is empty."""
    quiet = 0
    before = -1
    while quiet < 20:
        acknowledged = len(witness.acknowledged)
        quiet = quiet + 1 if acknowledged == before else 0
        before = acknowledged
        await asyncio.sleep(0.1)
    await until(
        lambda: len(books.readings("w-1")) >= len(witness.acknowledged),
        within_s=PROGRESS_S,
        what=f"the archive holds what was acknowledged; see {gateway.log}",
    )


def judge(books: Books, stage: Stage, publisher: Publisher, epoch: int, status: int) -> int:
    """Hold the books against what was promised; print the figures; return the exit status."""
    acknowledged = stage.witness.acknowledged
    books.holds(acknowledged)
    polled = sum(books.answers_are_their_own(meter, epoch) for meter in ("b-1", "b-2"))
    with Spool(stage.gateway.folder / "spool.sqlite") as spool:
        tally = spool.conservation()
    log = stage.gateway.log.read_text("utf-8", "replace")
    if status != 0:
        books.problems.append(f"the gateway ended with {status}")
    if uncaught := log.count("Traceback"):
        books.problems.append(f"{uncaught} exceptions in {stage.gateway.log}")
    print(f"telegrams acknowledged by the gateway {len(acknowledged):>8}")
    print(f"  delivered by the broker             {stage.witness.delivered:>8}")
    print(f"  promised by the broker, never sent  {len(publisher.promised - acknowledged):>8}")
    print(f"polled readings in the archive        {polled:>8}")
    print(f"the spool's account: {tally}")
    for problem in books.problems:
        print(f"PROBLEM: {problem}")
    if not books.problems:
        print("0 lost of what was acknowledged, 0 doubled, 0 uncaught exceptions")
    return 1 if books.problems else 0


def fuzz(count: int) -> int:
    """Feed damaged payloads, topics and frames to what takes them in; return the exit status."""
    fuzzed = [str(CHECKOUT / "tests" / part / "test_fuzz.py") for part in ("meters", "gateway")]
    environment = {**os.environ, "TALLYGATE_FUZZ": str(count)}
    command = [sys.executable, "-m", "pytest", "-q", *fuzzed]
    status = subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode
    print(f"{count} of each kind of damaged payload and frame: {'PROBLEM' if status else 'passed'}")
    return status


def bill_runs(kills: int) -> int:
    """Kill what computes a run over 1,000 communities so often; return the exit status."""
    test = str(CHECKOUT / "tests" / "billing" / "test_killed_runs.py")
    environment = {**os.environ, "TALLYGATE_KILLS": str(kills), "TALLYGATE_CITY": "1000"}
    command = [sys.executable, "-m", "pytest", "-q", test]
    status = subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode
    print(f"{kills} kills of a run by each means: {'PROBLEM' if status else 'passed'}")
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill everything, and count what is left.")
    parser.add_argument("--seed", type=int, default=20261122)
    for name, count in (("gateway", 50), ("broker", 20), ("archive", 20), ("disk", 3)):
        parser.add_argument(f"--{name}", type=int, default=count, metavar="TIMES")
    parser.add_argument("--fuzz", type=int, default=200_000, metavar="PAYLOADS")
    parser.add_argument("--runs", type=int, default=60, metavar="KILLS")
    arguments = parser.parse_args()
    print(f"machine: {machine()}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tallygate-chaos-") as folder:
        try:
            status = asyncio.run(play(arguments, Path(folder)))
        except (RuntimeError, TimeoutError) as error:
            print(f"PROBLEM: {error}")
            log = Path(folder, "gateway.log")
            if log.exists():
                print("".join(log.read_text("utf-8", "replace").splitlines(keepends=True)[-40:]))
            status = 1
    if arguments.fuzz:
        status = fuzz(arguments.fuzz) or status
    if arguments.runs:
        status = bill_runs(arguments.runs) or status
    print(f"seed {arguments.seed}, {time.monotonic() - began:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
