"""An InfluxDB that is killed again and again has kept all that it acknowledged.

TALLYGATE_KILLS says how often (3), TALLYGATE_SEED in which way (1).
"""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from influxdb_server import InfluxdbServer, find_influxd
from required_parts import missing

from meters.archive.open import open_archive
from meters.archive.protocol import ArchiveUnavailableError
from meters.interval import Interval
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KILLS = int(os.environ.get("TALLYGATE_KILLS", "3"))
SEED = int(os.environ.get("TALLYGATE_SEED", "1"))
START = datetime(2026, 10, 1, tzinfo=UTC)
METERS = 50
BATCH = 500


def numbered(number: int) -> Reading:
    return Reading(
        Series(f"meter-{number % METERS}", "import_energy"),
        START + timedelta(seconds=number // METERS),
        Decimal(number) / 100,
        f"{number:08x}",
        Verdict.GOOD,
    )


class Load:
    """Appends numbered readings until it is told to stop, each batch until it is acknowledged."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.acknowledged = 0
        self.outages = 0
        self.stored = 0
        self.duplicates = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            batch = [numbered(self.acknowledged + n) for n in range(BATCH)]
            with closing(open_archive(self._url)) as archive:  # anew, as the forwarder does
                try:
                    while not self._stopping.is_set():
                        done = archive.append(batch)
                        self.stored += done.stored
                        self.duplicates += done.duplicates
                        self.acknowledged += BATCH
                        batch = [numbered(self.acknowledged + n) for n in range(BATCH)]
                except ArchiveUnavailableError:
                    self.outages += 1
                    time.sleep(0.02)


def test_nothing_acknowledged_is_lost_however_often_the_server_is_killed(
    tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    executable = find_influxd()
    if executable is None:
        missing.skip("InfluxDB", "influxdb")
    seeded = random.Random(SEED)  # noqa: S311 - no secret
    with InfluxdbServer(executable, tmp_path) as server:
        server.ask('CREATE DATABASE "archive"')
        url = f"influxdb+http://{server.host}:{server.port}/archive?version=1"
        load = Load(url)
        load.start()
        for _ in range(KILLS):
            before = load.acknowledged
            while load.acknowledged <= before:  # it is at work again
                time.sleep(0.01)
            time.sleep(seeded.uniform(0, 0.5))
            noticed = load.outages
            server.kill()
            while load.outages <= noticed:  # else a slow machine sleeps through it
                time.sleep(0.01)
            server.start()
        load.stop()
        with closing(open_archive(url)) as archive:
            whole = Interval(START, START + timedelta(days=30))
            found = {
                (reading.series, reading.time): reading
                for number in range(METERS)
                for reading in archive.readings(numbered(number).series, whole)
            }
    record_testsuite_property("influxd acknowledged", load.acknowledged)
    lost = [
        number
        for number in range(load.acknowledged)
        if found.get((numbered(number).series, numbered(number).time)) != numbered(number)
    ]
    assert lost == []
    assert load.outages >= KILLS
    assert load.acknowledged == load.stored + load.duplicates
    assert len(found) - load.acknowledged <= BATCH, "at most the last batch was never acknowledged"
