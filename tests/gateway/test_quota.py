"""Space ends: gauges go first, what bills rest on never goes, and everything is counted."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gateway import quota
from gateway.committer import SPOOL_ALARM, Committer, Message, Parcel
from gateway.health import DeviceHealth, Health
from gateway.intake import Intake
from gateway.quarantine import Fault, quarantined
from gateway.quota import MEGABYTE, SpoolFullError
from gateway.site import MqttMeter
from gateway.spool import ConservationError, Spool
from gateway.spool_file import Row
from meters.archive.protocol import Appended
from meters.catalog import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.spool_file import Pending

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
QUOTA = 200_000
METER = MqttMeter("w-1", shipped()["wmbusmeters-water"], "wmbusmeters/w-1", "76348799")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool.sqlite", quota_bytes=QUOTA) as opened:
        yield opened


def _rows(register: str, count: int, *, first: int = 0) -> list[Row]:
    at = int(NOW.timestamp())
    return [
        Row("e-1", register, at + n, f"{n}.5", "462a 7521", 0, "")
        for n in range(first, first + count)
    ]


def _settle(spool: Spool, pending: Pending | None) -> None:
    assert pending is not None
    spool.settle(pending, Appended(len(pending.readings), 0), now=NOW)


def _registers(pending: Pending | None) -> list[str]:
    return [] if pending is None else [each.series.register for each in pending.readings]


def _until_full(spool: Spool, *, first: int = 0) -> int:
    """Fill it with what bills rest on; return how many readings it took."""
    for taken in range(first, 10**6, 100):
        try:
            spool.take_in(_rows("import_energy", 100, first=taken))
        except SpoolFullError:
            return taken
    raise AssertionError("it never filled")


def test_gauges_make_room_and_are_counted(spool: Spool) -> None:
    for turn in range(60):
        first = 100 * turn
        spool.take_in(
            _rows("import_energy", 20, first=first), gauges=_rows("power", 100, first=first)
        )
    assert spool.occupancy().used_bytes <= QUOTA
    tally = spool.conservation()
    assert tally.received == 60 * 120
    assert tally.dropped > 0
    assert tally.spooled == 60 * 120 - tally.dropped
    pending = spool.pending(100_000)
    assert pending is not None
    assert _registers(pending).count("import_energy") == 60 * 20
    gauges = [r.time for r in pending.readings if r.series.register == "power"]
    assert gauges == sorted(gauges)
    assert gauges[-1] == NOW + timedelta(seconds=5999), "the oldest go first"


def test_what_bills_rest_on_stays_and_nothing_more_is_taken_in(spool: Spool) -> None:
    spool.take_in([], gauges=_rows("power", 500))
    taken = _until_full(spool)
    tally = spool.conservation()
    assert (tally.received, tally.dropped, tally.spooled) == (taken + 500, 500, taken)
    with pytest.raises(SpoolFullError, match="nothing is acknowledged until the archive takes"):
        spool.take_in(_rows("import_energy", 100, first=taken), gauges=_rows("power", 5))
    assert spool.conservation() == tally
    spool.take_in([], gauges=_rows("power", 5000))
    assert spool.conservation().dropped > 5000, "gauges alone are taken, and make room at once"
    _settle(spool, spool.pending(1000))
    spool.take_in(_rows("import_energy", 100, first=taken))
    assert spool.conservation().spooled == taken + 100 - 1000


def test_what_is_in_quarantine_gives_way_to_bills_after_the_gauges(spool: Spool) -> None:
    item = quarantined(
        received_at=NOW, source="mqtt:t", reason=Fault.PAYLOAD, detail="", content=b"x" * 1000
    )
    spool.take_in([], [item] * 100)
    taken = _until_full(spool)
    assert spool.quarantine() == ()
    tally = spool.conservation()
    assert (tally.quarantined, tally.spooled) == (100, taken)


def test_gauges_that_are_forwarded_while_they_make_room_are_not_lost(spool: Spool) -> None:
    spool.take_in(_rows("import_energy", 10), gauges=_rows("power", 600))
    under_way = spool.pending(1000)
    _until_full(spool, first=10)
    assert spool.conservation().dropped == 600
    _settle(spool, under_way)
    tally = spool.conservation()
    assert (tally.stored, tally.dropped) == (610, 0)
    with pytest.raises(ConservationError, match="nothing was removed"):
        _settle(spool, under_way)


def test_a_spool_that_fills_says_so_before_it_is_full(spool: Spool) -> None:
    assert not spool.occupancy().is_nearly_full
    _until_full(spool)
    assert spool.occupancy().is_nearly_full
    assert quota.Occupancy(90 * MEGABYTE, 100 * MEGABYTE).is_nearly_full
    assert str(quota.Occupancy(90 * MEGABYTE, 100 * MEGABYTE)) == "the spool holds 90 of 100 MB"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small disk needs root and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def page_limit(tmp_path: Path) -> Path:
    """A folder on a disk that is large enough: the file itself is not to grow."""
    return tmp_path


def _full_disk(spool: Spool) -> Callable[[], None]:
    """Let `spool` find no space; return what ends that."""
    ballast = spool.path.with_name("ballast")
    if os.path.ismount(spool.path.parent):
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(bytes(10**7))
        return ballast.unlink
    (pages,) = spool._connection.execute("PRAGMA page_count").fetchone()
    spool._connection.execute(f"PRAGMA max_page_count = {pages}")
    return lambda: spool._connection.execute("PRAGMA max_page_count = 1000000").close()


@pytest.mark.parametrize("folder", ["small_disk", "page_limit"])
def test_a_full_disk_stops_acknowledging_alarms_and_resumes_three_times(
    request: pytest.FixtureRequest, folder: str
) -> None:
    where: Path = request.getfixturevalue(folder)
    with Spool(where / "spool.sqlite") as spool:
        health = Health([DeviceHealth("w-1", METER.type.id)])
        intake = Intake(spool, mqtt=[METER])
        committer = Committer(intake, health=health, committed=lambda: None)
        acknowledged: list[int] = []
        committer.start()
        try:
            for turn in range(3):
                end = _full_disk(spool)
                offered = 0
                while SPOOL_ALARM not in health.alarms:
                    number = 10_000 * turn + offered
                    parcel = _parcel(number, lambda number=number: acknowledged.append(number))
                    assert committer.offer(parcel)
                    offered += 1
                    assert offered < 10_000, "the disk never filled"
                    time.sleep(0.005)
                assert len(acknowledged) < offered
                assert "nothing is acknowledged" in health.alarms[SPOOL_ALARM]
                held = spool.conservation()
                assert held.received == held.stored + held.spooled + held.dropped
                end()
                _until(lambda: SPOOL_ALARM not in health.alarms)
                _until(lambda offered=offered: len(acknowledged) == offered)
                spool.conservation()
                while (pending := spool.pending(5000)) is not None:
                    _settle(spool, pending)
                acknowledged.clear()
        finally:
            assert committer.stop(30)
        tally = spool.conservation()
        assert tally.received == tally.stored + tally.dropped


def _parcel(number: int, acknowledge: Callable[[], None]) -> Parcel:
    time = (NOW + timedelta(seconds=number)).isoformat()
    telegram = f'{{"id":"76348799","total_m3":{number},"max_flow_m3h":0,"timestamp":"{time}"}}'
    message = Message(METER.topic, telegram.encode(), NOW + timedelta(days=2), retained=False)
    return Parcel([message], acknowledge)


def _until(condition: Callable[[], bool], *, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_other_failures_of_the_disk_are_told(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("gateway.lanes.put", broken)
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        spool.take_in(_rows("power", 1))
    assert spool.conservation().received == 0
