"""The spool keeps its account at every instant, whatever is refused on the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.quarantine import CONTENT_LIMIT_BYTES, Fault, quarantined
from gateway.spool import ConservationError, Spool, Tally
from gateway.spool_file import Row, SpoolError
from gateway.spool_lock import SpoolLockedError, is_locked
from meters.archive.protocol import Appended, Conflict, Refused
from meters.baseline import Baseline
from meters.reading import Reading, Reason, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.quarantine import Quarantined
    from gateway.spool_file import Pending

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
SERIES = Series("e-1", "import_energy")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool.sqlite") as opened:
        yield opened


def _rows(count: int, *, first: int = 0) -> list[Row]:
    at = int(NOW.timestamp())
    return [Row(*SERIES, at + n, f"{n}.5", "462a 7521", 0, "") for n in range(first, first + count)]


def _item(content: bytes = b"{") -> Quarantined:
    return quarantined(
        received_at=NOW, source="mqtt:t", reason=Fault.PAYLOAD, detail="not JSON", content=content
    )


def _pending(spool: Spool, limit: int = 1000) -> Pending:
    pending = spool.pending(limit)
    assert pending is not None
    return pending


def test_a_new_spool_is_empty_and_balanced(spool: Spool) -> None:
    assert spool.conservation() == Tally(0, 0, 0, 0, 0)
    assert spool.pending(10) is None


def test_readings_come_out_in_order_and_exactly_as_they_went_in(spool: Spool) -> None:
    at = int(NOW.timestamp())
    spool.take_in(
        [
            Row(*SERIES, at, "10909.28", "462a 7521", 0, ""),
            Row(*SERIES, at + 1, None, "7fc0 0000", 2, "not-a-number"),
            Row(*SERIES, at + 2, "5000", "459c 4000", 1, "falling,rate"),
        ]
    )
    assert _pending(spool).readings == (
        Reading(SERIES, NOW, Decimal("10909.28"), "462a 7521", Verdict.GOOD),
        Reading(
            SERIES,
            NOW.replace(second=1),
            None,
            "7fc0 0000",
            Verdict.INVALID,
            (Reason.NOT_A_NUMBER,),
        ),
        Reading(
            SERIES,
            NOW.replace(second=2),
            Decimal(5000),
            "459c 4000",
            Verdict.SUSPECT,
            (Reason.FALLING, Reason.RATE),
        ),
    )


def test_what_the_archive_confirmed_is_gone_and_counted(spool: Spool) -> None:
    spool.take_in(_rows(5), [_item()])
    pending = _pending(spool, limit=3)
    spool.settle(pending, Appended(stored=2, duplicates=1), now=NOW)
    assert spool.conservation() == Tally(
        received=6, stored=2, duplicate=1, quarantined=1, spooled=2
    )
    assert [r.value for r in _pending(spool).readings] == [Decimal("3.5"), Decimal("4.5")]


def test_a_conflict_goes_to_quarantine_with_both_values(spool: Spool) -> None:
    spool.take_in(_rows(1))
    pending = _pending(spool)
    kept = pending.readings[0]._replace(value=Decimal(7), raw="0007")
    appended = Appended(0, 0, (Conflict(pending.readings[0], kept),))
    spool.settle(pending, appended, now=NOW)
    (entry,) = spool.quarantine()
    assert entry.item.reason is Fault.CONFLICT
    assert entry.item.source == "meter:e-1"
    assert "the archive holds 7 (raw 0007), and keeps it" in entry.item.detail
    assert b'"value": "0.5"' in entry.item.content
    assert spool.conservation().quarantined == 1


def test_an_archive_that_does_not_account_for_the_batch_is_not_believed(spool: Spool) -> None:
    spool.take_in(_rows(3))
    with pytest.raises(ConservationError, match="accounts for 2 of 3"):
        spool.settle(_pending(spool), Appended(stored=2, duplicates=0), now=NOW)
    assert spool.conservation().spooled == 3


def test_the_same_batch_cannot_be_settled_twice(spool: Spool) -> None:
    spool.take_in(_rows(3))
    pending = _pending(spool)
    spool.settle(pending, Appended(3, 0), now=NOW)
    with pytest.raises(ConservationError, match="nothing was removed"):
        spool.settle(pending, Appended(3, 0), now=NOW)
    assert spool.conservation().stored == 3


def test_a_batch_that_fails_midway_leaves_no_trace(spool: Spool) -> None:
    broken = replace(_item(), source=None)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(sqlite3.IntegrityError):
        spool.take_in(_rows(3), [broken], {SERIES: Baseline(NOW, Decimal(1))})
    assert spool.conservation() == Tally(0, 0, 0, 0, 0)
    assert spool.baselines() == {}


def test_baselines_survive_exactly(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path) as spool:
        spool.take_in([], [], {SERIES: Baseline(NOW, Decimal("180.10"))})
        spool.take_in([], [], {SERIES: Baseline(NOW.replace(hour=9), Decimal("180.4"))})
    with Spool(path) as spool:
        assert spool.baselines() == {SERIES: Baseline(NOW.replace(hour=9), Decimal("180.4"))}


def test_a_second_process_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    program = (
        f"from pathlib import Path; from gateway.spool import Spool; Spool(Path({str(path)!r}))"
    )
    with Spool(path):
        assert is_locked(path)
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
        )
        assert done.returncode == 1
        assert "SpoolLockedError" in done.stderr
        assert "stop that process, or give this gateway a spool of its own" in done.stderr
    assert not is_locked(path)


def test_a_second_spool_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path), pytest.raises(SpoolLockedError, match="in use by the gateway process"):
        Spool(path)


def test_a_running_gateways_spool_can_be_looked_into(spool: Spool) -> None:
    spool.take_in(_rows(2))
    with Spool(spool.path, read_only=True) as other:
        assert other.tally().spooled == 2
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            other.take_in(_rows(1))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="its folder must exist and be writable"):
        Spool(tmp_path / "nowhere" / "spool.sqlite")


def test_another_database_is_not_taken_for_a_spool(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bill (amount)")
    with pytest.raises(SpoolError, match=r"other\.sqlite is no spool"):
        Spool(path)
    assert not is_locked(path)


def test_a_file_that_is_no_database_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    path.write_bytes(b"a precious text, long enough to look like something" * 20)
    with pytest.raises(SpoolError, match="cannot be used: file is not a database"):
        Spool(path)
    assert path.read_bytes().startswith(b"a precious text")


def test_a_newer_spool_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    Spool(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(SpoolError, match="version 99, this program knows version 2"):
        Spool(path)


def test_figures_that_do_not_add_up_are_an_error(spool: Spool) -> None:
    spool.take_in(_rows(2))
    with closing(sqlite3.connect(spool.path)) as other:
        other.execute("DELETE FROM pending WHERE id = 1")
        other.commit()
    with pytest.raises(ConservationError, match="do not add up"):
        spool.conservation()


def test_a_flood_is_bounded_and_reported_items_are_forgotten_first(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite", quarantine_limit=3) as spool:
        spool.take_in([], [_item(b"1"), _item(b"2")])
        spool.take_in([], [_item(b"3")])
        spool.mark_reported(1)
        spool.take_in([], [_item(b"4")])
        assert [e.item.content for e in spool.quarantine()] == [b"2", b"3", b"4"]
        spool.take_in([], [_item(b"5")])
        assert [e.item.content for e in spool.quarantine()] == [b"3", b"4", b"5"]
        assert spool.conservation().quarantined == 5


def test_reported_items_are_not_reported_again(spool: Spool) -> None:
    spool.take_in([], [_item(b"1"), _item(b"2"), _item(b"3")])
    spool.mark_reported(2)
    assert [e.item.content for e in spool.quarantine(unreported=True)] == [b"3"]
    assert [e.reported for e in spool.quarantine()] == [True, True, False]


def test_an_oversized_content_is_cut_and_says_so() -> None:
    item = _item(b"x" * (CONTENT_LIMIT_BYTES + 1))
    assert len(item.content) == CONTENT_LIMIT_BYTES
    assert "the first 65536 of 65537 bytes are kept" in item.detail


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("take"), st.integers(0, 5), st.integers(0, 3)),
            st.tuples(st.just("settle"), st.integers(1, 4), st.integers(0, 4)),
            st.tuples(st.just("refuse"), st.integers(1, 2), st.just(0)),
        ),
        max_size=20,
    )
)
def test_any_order_of_events_conserves(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    with Spool(tmp_path_factory.mktemp("spool") / "spool.sqlite", quarantine_limit=4) as spool:
        received = 0
        for step, first, second in steps:
            if step == "take":
                spool.take_in(_rows(first), [_item()] * second)
                received += first + second
            elif (pending := spool.pending(first)) is not None:
                if step == "refuse":
                    refused = tuple(Refused(r, "too large") for r in pending.readings)
                    spool.settle(pending, Appended(0, 0, refused=refused), now=NOW)
                    continue
                count = len(pending.readings)
                duplicates = min(second, count)
                conflicts = tuple(
                    Conflict(r, r) for r in pending.readings[: (count - duplicates) // 2]
                )
                stored = count - duplicates - len(conflicts)
                spool.settle(pending, Appended(stored, duplicates, conflicts), now=NOW)
            assert spool.conservation().received == received
            assert spool.conservation() == spool.tally()
