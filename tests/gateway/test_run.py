"""A whole gateway: it reads, keeps and forwards, works while others are away, and stops cleanly."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from running_gateway import running_gateway, stored, until

from gateway.health import StatusFile, status
from gateway.run import Gateway, GatewayFailedError
from gateway.site import load_site
from gateway.spool import Spool
from gateway.spool_lock import SpoolLockedError
from meters.archive.open import open_archive
from meters.archive.protocol import ArchiveUnavailableError
from meters.reading import Series

if TYPE_CHECKING:
    from meters.archive.protocol import Archive

ROOT = Path(__file__).parents[2]
SITE = """
gateway = "north-1"
[archive]
url = "sqlite:///archive.sqlite"
[poll]
billing_s = 1
[[bus]]
name = "line"
host = "127.0.0.1"
port = {port}
timeout_s = "0.5"
[[bus.device]]
meter = "b-1"
unit = 1
type = "bove-ultrasonic"
"""


async def _zero(request: Any, wire: Any) -> None:
    wire.answer(request, (0,) * request.words)


def test_a_gateway_reads_forwards_and_leaves_nothing_behind(peer: Any, site_file: Any) -> None:
    async def scenario() -> None:
        async with peer(_zero) as line:
            site = load_site(site_file(SITE.format(port=line.port)), {})
            async with running_gateway(site):
                await until(lambda: stored(site) >= 4)
        found = status("north-1", site.spool_path)
        assert found["running"] is False
        assert found["tally"]["spooled"] == 0
        assert found["devices"][0]["state"] == "ok"
        assert found["archive"]["error"] is None
        archive = open_archive(site.archive_url)
        latest = archive.latest()
        archive.close()
        assert latest.keys() == {Series("b-1", "volume"), Series("b-1", "reverse_volume")}

    asyncio.run(scenario())


def test_while_the_archive_is_away_readings_wait_and_then_arrive(peer: Any, site_file: Any) -> None:
    def away(_url: str) -> Archive:
        raise ArchiveUnavailableError("the archive is away")

    async def scenario() -> None:
        async with peer(_zero) as line:
            site = load_site(site_file(SITE.format(port=line.port)), {})
            async with running_gateway(site, connect=away):
                snapshot = StatusFile(site.spool_path)
                await until(lambda: snapshot.read().get("tally", {}).get("spooled", 0) >= 4)
                await until(lambda: snapshot.read()["archive"]["error"] == "the archive is away")
            waited = status("north-1", site.spool_path)["tally"]["spooled"]
            assert waited >= 4
            async with running_gateway(site):
                await until(lambda: stored(site) >= waited)

    asyncio.run(scenario())


def test_a_second_gateway_on_the_same_spool_is_refused(peer: Any, site_file: Any) -> None:
    async def scenario() -> None:
        async with peer(_zero) as line:
            site = load_site(site_file(SITE.format(port=line.port)), {})
            async with running_gateway(site):
                await until(lambda: stored(site) > 0)
                with pytest.raises(SpoolLockedError):
                    await Gateway(site).run(asyncio.Event())

    asyncio.run(scenario())


def test_a_part_that_ends_by_itself_ends_the_gateway_with_a_reason(
    peer: Any, site_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with peer(_zero) as line:
            site = load_site(site_file(SITE.format(port=line.port)), {})
            monkeypatch.setattr("gateway.committer.Committer.is_alive", False)
            with pytest.raises(GatewayFailedError, match="the committer has ended"):
                await Gateway(site).run(asyncio.Event())
            with Spool(site.spool_path) as spool:
                spool.conservation()

    asyncio.run(scenario())


def test_a_restart_does_not_make_a_meter_silent(peer: Any, site_file: Any) -> None:
    async def scenario() -> None:
        async with peer(_zero) as line:
            site = load_site(site_file(SITE.format(port=line.port)), {})
            async with running_gateway(site):
                await until(lambda: stored(site) > 0)
        # nobody answers now, and still it is known when the meter was heard last
        async with running_gateway(site):
            await until(
                lambda: StatusFile(site.spool_path).read()["devices"][0]["state"] == "backoff"
            )
        (device,) = status("north-1", site.spool_path)["devices"]
        assert device["last_answer"] is not None
        assert "nobody accepts connections" in device["error"]

    asyncio.run(scenario())


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(peer: Any, site_file: Any, signum: signal.Signals) -> None:
    async def scenario() -> None:
        async with peer(_zero) as line:
            path = site_file(SITE.format(port=line.port))
            site = load_site(path, {})
            program = "from gateway.commands import gateway; gateway()"
            gateway = await asyncio.create_subprocess_exec(
                *(sys.executable, "-W", "error", "-c", program, "run", str(path)),
                cwd=ROOT,
                stderr=asyncio.subprocess.PIPE,
            )
            await until(lambda: stored(site) > 0)
            gateway.send_signal(signum)
            _, log = await asyncio.wait_for(gateway.communicate(), 20)
            text = log.decode()
            assert gateway.returncode == 0, text
            assert "gateway north-1 starts" in text
            assert "gateway north-1 stopped" in text
            assert "Traceback" not in text
            assert "Warning" not in text
        with Spool(site.spool_path) as spool:
            assert spool.conservation().spooled == 0

    asyncio.run(scenario())


def test_a_hangup_makes_it_read_its_settings_anew(peer: Any, site_file: Any) -> None:
    more = '[[bus.device]]\nmeter = "b-2"\nunit = 2\ntype = "bove-ultrasonic"\n'

    async def scenario() -> None:
        async with peer(_zero) as line:
            path = site_file(SITE.format(port=line.port))
            site = load_site(path, {})
            program = "from gateway.commands import gateway; gateway()"
            log = path.with_suffix(".log")
            with log.open("wb") as told:
                gateway = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-W", "error", "-c", program, "run", str(path)),
                    cwd=ROOT,
                    stderr=told,
                )
            await until(lambda: stored(site) > 0)
            path.write_text(SITE.format(port=line.port) + "nonsense = 1")
            gateway.send_signal(signal.SIGHUP)
            refused = "the settings are refused, everything goes on as it is"
            await until(lambda: refused in log.read_text("utf-8"))
            path.write_text(SITE.format(port=line.port) + more)
            gateway.send_signal(signal.SIGHUP)
            await until(lambda: "reads 2 meters on 1 buses" in log.read_text("utf-8"))
            await until(lambda: any(request.unit == 2 for request in line.requests))
            gateway.terminate()
            assert await asyncio.wait_for(gateway.wait(), 20) == 0, log.read_text("utf-8")
        with Spool(site.spool_path) as spool:
            assert spool.conservation().spooled == 0

    asyncio.run(scenario())


def test_the_wall_clock_that_is_passed_in_is_the_one_that_counts(peer: Any, site_file: Any) -> None:
    then = datetime(2031, 1, 1, 12, tzinfo=UTC)

    async def scenario() -> None:
        async with peer(_zero) as line:
            site = load_site(site_file(SITE.format(port=line.port)), {})
            stop = asyncio.Event()
            task = asyncio.create_task(Gateway(site, now=lambda: then).run(stop))
            await until(lambda: stored(site) == 2)
            stop.set()
            await task
        archive = open_archive(site.archive_url)
        assert {reading.time for reading in archive.latest().values()} == {then}
        archive.close()

    asyncio.run(scenario())
