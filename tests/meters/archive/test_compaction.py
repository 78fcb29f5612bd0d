"""Closed days take a fiftieth of the space, and nobody who asks can tell."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from meters.archive import compaction
from meters.archive.chunk import CorruptChunkError
from meters.archive.compaction import Compacted, compact
from meters.archive.protocol import Appended, Conflict
from meters.archive.sql import SqlArchive
from meters.archive.stock import take_stock
from meters.interval import Interval
from meters.reading import Reading, Reason, Series, Verdict

if TYPE_CHECKING:
    from pathlib import Path

MIDNIGHT = datetime(2026, 10, 1, tzinfo=UTC)
TODAY = date(2026, 10, 4)
ALL = Interval(MIDNIGHT - timedelta(days=400), MIDNIGHT + timedelta(days=400))
METERS = [Series(f"sdm120-{n}", "import_energy") for n in range(3)]


def reading(quarter: int, series: Series = METERS[0], value: str | None = None) -> Reading:
    shown = Decimal(value) if value else Decimal(quarter) / 100
    return Reading(
        series, MIDNIGHT + timedelta(minutes=15 * quarter), shown, f"{quarter:04x}", Verdict.GOOD
    )


def history(quarters: int) -> list[Reading]:
    return [reading(quarter, series) for quarter in range(quarters) for series in METERS]


def answers(archive: SqlArchive) -> list[object]:
    """Everything that the protocol lets anybody ask, about every day."""
    instants = [MIDNIGHT + timedelta(hours=5 * step, seconds=1) for step in range(-2, 24)]
    return [
        *(archive.readings(series, ALL) for series in METERS),
        *(archive.boundaries(METERS, instant) for instant in instants),
        *(archive.boundaries(METERS, at, window=timedelta(days=30)) for at in instants[::5]),
        archive.latest(),
        archive.latest(METERS[:1]),
        archive.last_read(METERS).times_s.tolist(),
    ]


def test_nobody_who_asks_can_tell_what_is_compacted(sql_archive: SqlArchive) -> None:
    sql_archive.append(history(4 * 96))
    before = answers(sql_archive)
    assert compact(sql_archive, date(2026, 10, 3)) == Compacted(days=2, chunks=6, readings=576)
    assert answers(sql_archive) == before
    assert compact(sql_archive, TODAY) == Compacted(days=1, chunks=3, readings=288)
    assert answers(sql_archive) == before
    stock = take_stock(sql_archive)
    assert (stock.series, stock.rows, stock.chunks, stock.chunked) == (3, 288, 9, 864)
    assert stock.readings == len(history(4 * 96))
    assert stock.first == MIDNIGHT


def test_a_second_compaction_finds_nothing_to_do(sql_archive: SqlArchive) -> None:
    sql_archive.append(history(96))
    compact(sql_archive, TODAY)
    assert compact(sql_archive, TODAY) == Compacted()


def test_what_is_sent_again_for_a_closed_day_is_told_from_what_is_new(
    sql_archive: SqlArchive,
) -> None:
    sql_archive.append([reading(q) for q in range(96) if q != 50])
    compact(sql_archive, TODAY)
    late, other, again = reading(50), reading(51, value="999"), reading(52)
    done = sql_archive.append([late, other, again, again, reading(400)])
    assert done == Appended(stored=2, duplicates=2, conflicts=(Conflict(other, reading(51)),))
    assert sql_archive.append([late]) == Appended(stored=0, duplicates=1)
    expected = [reading(q) for q in [*range(96), 400]]
    assert sql_archive.readings(METERS[0], ALL) == expected
    found = sql_archive.boundaries(METERS[:1], late.time)[METERS[0]]
    assert (found.before, found.after) == (late, reading(51))


def test_a_late_reading_joins_its_chunk_at_the_next_compaction(sql_archive: SqlArchive) -> None:
    sql_archive.append([reading(q) for q in range(96) if q != 50])
    compact(sql_archive, TODAY)
    sql_archive.append([reading(50)])
    assert take_stock(sql_archive).rows == 1
    assert compact(sql_archive, TODAY) == Compacted(days=1, chunks=1, readings=1)
    stock = take_stock(sql_archive)
    assert (stock.rows, stock.chunks, stock.chunked) == (0, 1, 96)
    assert sql_archive.readings(METERS[0], ALL) == [reading(q) for q in range(96)]
    assert sql_archive.append([reading(50)]) == Appended(stored=0, duplicates=1)


def test_verdicts_and_reasons_stay_and_a_suspect_reading_is_no_boundary(
    sql_archive: SqlArchive,
) -> None:
    odd = [
        Reading(METERS[0], MIDNIGHT, None, "ffff ffff", Verdict.INVALID, (Reason.SENTINEL,)),
        reading(1),
        Reading(
            METERS[0],
            MIDNIGHT + timedelta(minutes=20),
            Decimal("7.5"),
            "0001",
            Verdict.SUSPECT,
            (Reason.RATE, Reason.LATE),
        ),
    ]
    sql_archive.append(odd)
    compact(sql_archive, TODAY)
    assert sql_archive.readings(METERS[0], ALL) == odd
    found = sql_archive.boundaries(METERS[:1], MIDNIGHT + timedelta(minutes=30))[METERS[0]]
    assert found.before == reading(1)
    assert sql_archive.latest()[METERS[0]] == odd[-1]


def test_many_meters_go_in_several_slices(
    sqlite_archive: SqlArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_SLICE", 7)
    many = [Series(f"m-{n}", "volume") for n in range(50)]
    sqlite_archive.append([reading(q, one) for q in range(4) for one in many])
    assert compact(sqlite_archive, TODAY) == Compacted(1, 50, 200)
    found = sqlite_archive.boundaries(many, MIDNIGHT + timedelta(minutes=31))
    assert all(b.before == reading(2, s) and b.after == reading(3, s) for s, b in found.items())


def test_a_chunk_that_would_lose_something_leaves_all_as_it_was(
    sqlite_archive: SqlArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_archive.append(history(96))
    before = answers(sqlite_archive)

    def _fail(_rows: object) -> bytes:
        raise CorruptChunkError("for the test")

    monkeypatch.setattr(compaction, "pack", _fail)
    with pytest.raises(CorruptChunkError):
        compact(sqlite_archive, TODAY)
    assert answers(sqlite_archive) == before
    assert take_stock(sqlite_archive).chunks == 0


def test_writers_and_readers_go_on_while_days_are_compacted(archive_url: str) -> None:
    archive, other = SqlArchive(archive_url), SqlArchive(archive_url)
    whole = history(3 * 96)
    archive.append(whole[: 2 * 288])
    rest, seen = whole[2 * 288 :], []
    again = whole[100:130]

    def _write() -> None:
        for start in range(0, len(rest), 36):
            assert other.append(rest[start : start + 36]).stored == 36
            assert other.append(again).duplicates == len(again)
            seen.append(len(other.readings(METERS[0], ALL)))

    writer = threading.Thread(target=_write)
    writer.start()
    for day in (2, 3, 4, 4):
        compact(archive, date(2026, 10, day))
    writer.join()
    compact(archive, TODAY)
    assert seen == sorted(seen)
    assert len(seen) == len(rest) // 36
    for series in METERS:
        assert archive.readings(series, ALL) == [one for one in whole if one.series == series]
    assert take_stock(archive).chunked == len(whole)
    other.close()
    archive.close()


def test_a_compacted_archive_is_small(tmp_path: Path) -> None:
    archive = SqlArchive(f"sqlite:///{tmp_path / 'archive.db'}")
    meters = [Series(f"sdm120-{n:04}", "import_energy") for n in range(40)]
    archive.append([reading(q, one) for q in range(5 * 96) for one in meters])
    before = take_stock(archive).bytes
    compact(archive, date(2026, 10, 6))
    assert take_stock(archive).bytes >= before, "the pages are free, but inside the file"
    archive.shrink()
    stock = take_stock(archive)
    assert stock.free_bytes == 0
    assert stock.bytes < before / 5
    assert archive.append([reading(0, meters[0])]).duplicates == 1
    archive.close()
