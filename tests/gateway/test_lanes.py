"""After a week without the archive: what waits goes in order, and today's values with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gateway.lanes import LIVE_SHARE, ROWS_A_STATEMENT
from gateway.spool import Spool
from gateway.spool_file import Row, runs
from meters.archive.protocol import Appended

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meters.reading import Reading

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
WEEK = 4 * 24 * 7
LIMIT = 80


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool.sqlite") as opened:
        yield opened


def _row(register: str, number: int) -> Row:
    return Row("e-1", register, number, f"{number}", "", 0, "")


def _forward(spool: Spool, limit: int = LIMIT) -> Sequence[Reading]:
    pending = spool.pending(limit)
    if pending is None:
        return ()
    assert len(pending.readings) <= limit
    spool.settle(pending, Appended(len(pending.readings), 0), now=NOW)
    return pending.readings


def _numbers(readings: Sequence[Reading], register: str) -> list[int]:
    return [int(r.time.timestamp()) for r in readings if r.series.register == register]


def test_a_week_is_caught_up_in_order_while_live_readings_go_out_at_once(spool: Spool) -> None:
    for number in range(WEEK):
        spool.take_in([_row("energy", number)], gauges=[_row("power", number)])
    forwarded: list[Reading] = []
    live = WEEK
    oldest: list[int] = []
    while spool.tally().spooled:
        spool.take_in([_row("energy", live)], gauges=[_row("power", live)])
        batch = _forward(spool)
        assert live in _numbers(batch, "energy"), "what came last does not wait for the week"
        oldest.append(min(_numbers(batch, "energy")))
        forwarded += batch
        live += 1
        assert live < 2 * WEEK, "the archive never catches up"
    assert oldest[:-1] == sorted(oldest[:-1])
    for register in ("energy", "power"):
        assert sorted(_numbers(forwarded, register)) == list(range(live)), "all, and each once"
    assert spool.conservation().stored == 2 * live


def test_what_one_batch_holds_goes_in_its_order(spool: Spool) -> None:
    spool.take_in([_row("energy", n) for n in range(30)], gauges=[_row("power", 0)])
    batch = _forward(spool)
    assert _numbers(batch, "energy") == list(range(30))
    assert _numbers(batch, "power") == [0]


def test_what_bills_rest_on_goes_before_gauges(spool: Spool) -> None:
    spool.take_in([], gauges=[_row("power", n) for n in range(LIMIT)])
    spool.take_in([_row("energy", n) for n in range(LIMIT)])
    batch = _forward(spool)
    assert len(_numbers(batch, "energy")) == LIMIT - LIMIT // LIVE_SHARE
    assert _numbers(batch, "power") == list(range(LIMIT - LIMIT // LIVE_SHARE, LIMIT))


def test_forwarding_does_not_hold_up_what_comes_in(spool: Spool) -> None:
    spool.take_in([_row("energy", n) for n in range(100)])
    with spool._reading_guard:  # as long as the archive's batch is read, and longer
        spool.take_in([_row("energy", 100)])
    assert spool.conservation().spooled == 101


@pytest.mark.parametrize("count", [0, 1, ROWS_A_STATEMENT - 1, ROWS_A_STATEMENT, 250])
def test_however_many_come_together_each_is_kept_in_its_order(spool: Spool, count: int) -> None:
    rows = [_row("energy", n) for n in range(count)]
    spool.take_in(rows)
    pending = spool.pending(1000)
    found = () if pending is None else pending.readings
    assert _numbers(found, "energy") == list(range(count))


def test_numbers_are_let_go_in_runs() -> None:
    assert runs([]) == []
    assert runs([1, 2, 3, 7, 8, 12]) == [(1, 3), (7, 8), (12, 12)]
