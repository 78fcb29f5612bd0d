"""What is old goes; what a bill may still need stays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from meters.archive.compaction import compact
from meters.archive.retention import Expired, RetentionError, cutoff, expire
from meters.interval import Interval
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from meters.archive.sql import SqlArchive

TODAY = date(2026, 10, 3)
NOON = datetime(2026, 10, 3, 12, tzinfo=UTC)
ALL = Interval(NOON - timedelta(days=4000), NOON + timedelta(days=4000))
ENERGY, WATER = Series("e-1", "import_energy"), Series("w-1", "volume")


def reading(days_ago: int, series: Series = ENERGY, verdict: Verdict = Verdict.GOOD) -> Reading:
    return Reading(series, NOON - timedelta(days=days_ago), Decimal(9), "0009", verdict)


@pytest.mark.parametrize(
    ("today", "months", "first"),
    [
        (TODAY, 24, date(2024, 10, 1)),
        (date(2026, 1, 31), 25, date(2023, 12, 1)),
        (date(2026, 12, 1), 36, date(2023, 12, 1)),
    ],
)
def test_whole_months_stay(today: date, months: int, first: date) -> None:
    assert cutoff(today, months) == first


def test_what_bills_may_need_is_not_deleted_whoever_asks() -> None:
    with pytest.raises(RetentionError, match="23 months are too few"):
        cutoff(TODAY, 23)


@pytest.mark.parametrize("compacted", [False, True])
def test_old_days_go_and_the_others_stay(sql_archive: SqlArchive, *, compacted: bool) -> None:
    readings = [reading(days) for days in (1000, 990, 800, 700, 1)]
    sql_archive.append(readings)
    if compacted:
        compact(sql_archive, TODAY)
    assert expire(sql_archive, cutoff(TODAY, 24)) == Expired(days=3, readings=3, silent=0)
    assert sql_archive.readings(ENERGY, ALL) == readings[3:]
    assert expire(sql_archive, cutoff(TODAY, 24)) == Expired(days=0, readings=0, silent=0)


@pytest.mark.parametrize("compacted", [False, True])
def test_a_silent_meter_keeps_the_register_from_which_its_next_use_is_counted(
    sql_archive: SqlArchive, *, compacted: bool
) -> None:
    last_good = reading(900, WATER)
    glitch = reading(899, WATER, Verdict.SUSPECT)
    old = [reading(950, WATER), reading(900), reading(1000)]
    sql_archive.append([*old, last_good, glitch, reading(1)])
    if compacted:
        compact(sql_archive, TODAY)
    assert expire(sql_archive, cutoff(TODAY, 24)) == Expired(days=4, readings=4, silent=1)
    assert sql_archive.readings(WATER, ALL) == [last_good]
    assert sql_archive.readings(ENERGY, ALL) == [reading(1)]
    wide = sql_archive.boundaries([WATER], NOON, window=timedelta(days=3000))[WATER]
    assert wide.before == last_good


def test_an_empty_archive_forgets_nothing(sql_archive: SqlArchive) -> None:
    assert expire(sql_archive, cutoff(TODAY, 24)) == Expired(days=0, readings=0, silent=0)
