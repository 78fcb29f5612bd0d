"""From the spool to the archive, once, whatever the archive does meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from gateway.forwarder import Forwarded, Forwarder
from gateway.quarantine import Fault
from gateway.spool import ConservationError, Spool
from gateway.spool_file import row
from meters.archive.open import open_archive
from meters.archive.protocol import (
    Appended,
    ArchiveUnavailableError,
    ArchiveUrlError,
    Refused,
)
from meters.interval import Interval
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from influxdb_server import InfluxdbServer

    from meters.archive.protocol import Archive

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
SERIES = Series("e-1", "import_energy")


class Kept:
    """An archive in memory that can be away, or be wrong."""

    def __init__(self) -> None:
        self.held: dict[tuple[Series, datetime], Reading] = {}
        self.away = False
        self.appends = 0
        self.opened = 0
        self.refuses: Callable[[Reading], bool] = lambda _: False
        self.forgets_to_count = False

    def open(self) -> Archive:
        self.opened += 1
        return self  # type: ignore[return-value] # the forwarder only appends and closes

    def append(self, readings: Sequence[Reading]) -> Appended:
        self.appends += 1
        if self.away:
            raise ArchiveUnavailableError("the archive is away")
        refused = tuple(Refused(r, "its value is too large") for r in readings if self.refuses(r))
        before = len(self.held)
        for reading in readings:
            if not self.refuses(reading):
                self.held.setdefault((reading.series, reading.time), reading)
        new = len(self.held) - before
        duplicates = len(readings) - new - len(refused)
        new -= 1 if self.forgets_to_count else 0
        return Appended(new, duplicates, refused=refused)

    def close(self) -> None:
        pass


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool.sqlite") as opened:
        yield opened


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def influxdb_archive_url(influxd: InfluxdbServer, influxdb_database: str) -> str:
    return f"influxdb+http://{influxd.host}:{influxd.port}/{influxdb_database}?version=1"


@pytest.fixture
def forwarder(spool: Spool, kept: Kept) -> Iterator[Forwarder]:
    made = Forwarder(spool, kept.open, now=lambda: NOW, batch=4)
    yield made
    made.close()


def _take_in(spool: Spool, *values: int, first: int = 0) -> None:
    spool.take_in(
        [
            row(
                Reading(
                    SERIES,
                    NOW + timedelta(seconds=first + n),
                    Decimal(value),
                    f"{value:04x}",
                    Verdict.GOOD,
                )
            )
            for n, value in enumerate(values)
        ]
    )


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.01)


def test_everything_arrives_in_batches_and_leaves_the_spool(
    spool: Spool, kept: Kept, forwarder: Forwarder
) -> None:
    _take_in(spool, *range(10))
    assert forwarder.forward_all() == Forwarded(stored=10)
    assert [r.value for r in kept.held.values()] == list(range(10))
    assert kept.appends == 3
    tally = spool.conservation()
    assert (tally.stored, tally.spooled) == (10, 0)


def test_what_is_sent_again_is_counted_as_duplicate(spool: Spool, forwarder: Forwarder) -> None:
    _take_in(spool, 1, 2)
    _take_in(spool, 1, 2)
    assert forwarder.forward_all() == Forwarded(stored=2, duplicates=2)
    assert spool.conservation().duplicate == 2


def test_an_archive_that_is_away_loses_nothing(
    spool: Spool, kept: Kept, forwarder: Forwarder
) -> None:
    kept.away = True
    _take_in(spool, *range(6))
    with pytest.raises(ArchiveUnavailableError):
        forwarder.forward_all()
    assert spool.conservation().spooled == 6
    kept.away = False
    assert forwarder.forward_all() == Forwarded(stored=6)
    assert kept.opened == 2, "an archive that was away is opened anew"


def test_one_reading_that_cannot_be_held_does_not_keep_back_the_others(
    spool: Spool, kept: Kept, forwarder: Forwarder
) -> None:
    kept.refuses = lambda reading: reading.value == 2
    _take_in(spool, *range(6))
    assert forwarder.forward_all() == Forwarded(stored=5, quarantined=1)
    (entry,) = spool.quarantine()
    assert entry.item.reason is Fault.REFUSED
    assert "its value is too large" in entry.item.detail
    assert spool.conservation().quarantined == 1
    assert kept.appends == 2, "the archive itself tells the one from the others"


def test_a_wrong_url_is_no_reason_to_refuse_readings(spool: Spool) -> None:
    forwarder = Forwarder(spool, lambda: open_archive("gopher://x"), now=lambda: NOW)
    _take_in(spool, 1)
    with pytest.raises(ArchiveUrlError):
        forwarder.forward_all()
    forwarder.close()
    assert spool.conservation().spooled == 1


def test_an_archive_that_miscounts_is_not_believed(
    spool: Spool, kept: Kept, forwarder: Forwarder
) -> None:
    kept.forgets_to_count = True
    _take_in(spool, 1, 2)
    with pytest.raises(ConservationError):
        forwarder.forward_all()
    assert spool.conservation().spooled == 2


def test_while_the_archive_is_away_the_intake_goes_on_and_then_all_is_caught_up(
    spool: Spool, kept: Kept, forwarder: Forwarder
) -> None:
    async def scenario() -> None:
        kept.away = True
        task = asyncio.create_task(forwarder.run())
        _take_in(spool, 1, 2)
        forwarder.wake()
        await _until(lambda: forwarder.progress.error is not None)
        assert forwarder.progress.error == "the archive is away"
        for second in range(10, 20):
            _take_in(spool, second, first=second)
            forwarder.wake()
        kept.away = False
        await _until(lambda: spool.tally().spooled == 0)
        await _until(lambda: forwarder.progress.last_success is not None)
        assert forwarder.progress.error is None
        assert forwarder.progress.last_success == NOW
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert spool.conservation().stored == 12


def test_after_a_long_outage_what_is_read_now_does_not_wait_for_the_backlog(
    spool: Spool, kept: Kept
) -> None:
    forwarder = Forwarder(spool, kept.open, now=lambda: NOW, batch=80)
    kept.away = True
    _take_in(spool, *range(2000))
    with pytest.raises(ArchiveUnavailableError):
        forwarder.forward_all()
    kept.away = False
    waited = []
    for minute in range(10):
        first = 5000 + 100 * minute
        _take_in(spool, *range(5), first=first)
        live = {(SERIES, NOW + timedelta(seconds=first + n)) for n in range(5)}
        batches = 0
        while not live <= kept.held.keys():
            forwarder.forward_batch()
            spool.conservation()
            batches += 1
        waited.append(batches)
    assert waited == [1] * 10
    assert spool.tally().spooled > 0, "the backlog is still on its way"
    backlog = [at for _, at in kept.held if at < NOW + timedelta(seconds=1500)]
    assert backlog == sorted(backlog), "and comes in its order"
    forwarder.forward_all()
    forwarder.close()
    assert spool.conservation().stored == len(kept.held) == 2050


def test_what_an_influxdb_refuses_is_kept_apart_and_all_else_arrives(
    spool: Spool, influxdb_archive_url: str
) -> None:
    forwarder = Forwarder(spool, lambda: open_archive(influxdb_archive_url), now=lambda: NOW)
    endless = Series("m" * 65_536, "volume")  # longer than a series' key may be
    bad = Reading(endless, NOW, Decimal(1), "0001", Verdict.GOOD)
    _take_in(spool, *range(50))
    spool.take_in([row(bad)])
    _take_in(spool, *range(50, 100), first=50)
    assert forwarder.forward_all() == Forwarded(stored=100, quarantined=1)
    forwarder.close()
    (entry,) = spool.quarantine()
    assert entry.item.reason is Fault.REFUSED
    assert "max key length exceeded" in entry.item.detail
    assert spool.conservation().spooled == 0
    with closing(open_archive(influxdb_archive_url)) as archive:
        held = archive.readings(SERIES, Interval(NOW, NOW + timedelta(hours=1)))
    assert [reading.value for reading in held] == list(range(100))


def test_an_unforeseen_error_stops_nothing(spool: Spool, kept: Kept, forwarder: Forwarder) -> None:
    async def scenario() -> None:
        kept.refuses = lambda _: 1 // 0 == 0
        _take_in(spool, 1)
        task = asyncio.create_task(forwarder.run())
        await _until(lambda: forwarder.progress.error is not None)
        assert (forwarder.progress.error or "").startswith("ZeroDivisionError")
        kept.refuses = lambda _: False
        await _until(lambda: spool.tally().spooled == 0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_a_flush_ends_where_the_archive_is_away(
    spool: Spool, kept: Kept, forwarder: Forwarder
) -> None:
    _take_in(spool, *range(6))
    asyncio.run(forwarder.flush(5))
    assert spool.tally().spooled == 0
    kept.away = True
    _take_in(spool, 1, first=100)
    asyncio.run(forwarder.flush(5))
    assert spool.conservation().spooled == 1


def test_the_real_archive_takes_it_all_and_a_conflict_is_kept_apart(
    spool: Spool, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/archive.sqlite"
    forwarder = Forwarder(spool, lambda: open_archive(url), now=lambda: NOW)
    _take_in(spool, *range(100))
    assert forwarder.forward_all() == Forwarded(stored=100)
    _take_in(spool, 0, 999)
    assert forwarder.forward_all() == Forwarded(duplicates=1, quarantined=1)
    forwarder.close()
    (entry,) = spool.quarantine()
    assert entry.item.reason is Fault.CONFLICT
    archive = open_archive(url)
    held = archive.readings(SERIES, Interval(NOW, NOW + timedelta(hours=1)))
    archive.close()
    assert [reading.value for reading in held] == list(range(100))
    spool.conservation()
