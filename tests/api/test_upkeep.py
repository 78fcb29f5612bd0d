"""While the API runs its archive stays small."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import told
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import select

from api.upkeep import archive_upkeep, delivery_upkeep, median_upkeep
from billing.store import medians
from billing.work_tables import similar_use
from meters.archive.open import open_archive
from meters.archive.sql import SqlArchive
from meters.archive.stock import take_stock
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import House

NOW = datetime(2026, 10, 10, 8, tzinfo=UTC)


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What was given to the scheduler, to be called here instead of at its hour."""
    given: list[Callable[[], None]] = []
    add = BackgroundScheduler.add_job

    def _add(
        self: BackgroundScheduler, tick: Callable[[], None], *rest: object, **how: object
    ) -> object:
        given.append(tick)
        return add(self, tick, *rest, **how)

    monkeypatch.setattr(BackgroundScheduler, "add_job", _add)
    return given


def test_days_that_are_closed_are_compacted_and_the_last_ones_wait(
    tmp_path: Path, ticks: list[Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    archive = SqlArchive(f"sqlite:///{tmp_path / 'archive.db'}")
    series = Series("e-1", "import_energy")
    archive.append(
        [
            Reading(series, NOW - timedelta(days=day), Decimal(day), "", Verdict.GOOD)
            for day in range(10)
        ]
    )
    with archive_upkeep(archive, lambda: NOW, after_days=3), caplog.at_level(logging.INFO):
        ticks[0]()
        ticks[0]()
    stock = take_stock(archive)
    assert (stock.rows, stock.chunked) == (4, 6)
    assert caplog.text.count("6 readings of 6 closed days are compacted") == 1
    archive.close()


def test_an_archive_that_is_away_is_tried_again_at_the_next_tick(
    tmp_path: Path, ticks: list[Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    archive = SqlArchive(f"sqlite:///{tmp_path}/later/archive.db")
    with archive_upkeep(archive, lambda: NOW, after_days=3):
        ticks[0]()
        assert "is not compacted now" in caplog.text
        (tmp_path / "later").mkdir()
        caplog.clear()
        ticks[0]()
        assert "is not compacted now" not in caplog.text
    archive.close()


def test_an_archive_that_keeps_itself_is_left_alone(ticks: list[Callable[[], None]]) -> None:
    archive = open_archive("influxdb+http://127.0.0.1:1/db?version=1")
    with archive_upkeep(archive, lambda: NOW, after_days=3):
        assert ticks == []
    archive.close()


def test_nothing_is_compacted_where_nobody_wants_it(
    tmp_path: Path, ticks: list[Callable[[], None]]
) -> None:
    archive = SqlArchive(f"sqlite:///{tmp_path / 'archive.db'}")
    with archive_upkeep(archive, lambda: NOW, after_days=0):
        assert ticks == []
    archive.close()


def test_upkeep_delivers_while_it_runs_and_stops_with_it(
    house: House, ticks: list[Callable[[], None]]
) -> None:
    told.tell(house.database, "B-1")
    channels = house.app.state.resources.channels
    with delivery_upkeep(house.database, channels, lambda: house.now):
        send, notice = ticks
        send()
        notice()
    assert waiting(house) == 0
    told.tell(house.database, "B-2")
    send()
    assert waiting(house) == 1


def test_upkeep_keeps_medians_of_months_that_are_issued(
    billed: House, ticks: list[Callable[[], None]]
) -> None:
    with median_upkeep(billed.database, lambda: billed.now):
        (keep,) = ticks
        keep()
    with billed.database.snapshot() as connection:
        assert medians.missing(connection) == []
        assert len(connection.scalars(select(similar_use.c.medians)).all()) == 2


def waiting(house: House) -> int:
    """Return of how many events nobody was told yet."""
    with house.database.snapshot() as connection:
        counted = "SELECT count(*) FROM event WHERE spread_at IS NULL"
        return int(connection.exec_driver_sql(counted).scalar_one())
