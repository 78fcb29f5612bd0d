"""What waits for the spool is bounded, kept in batches, and told when it is durable."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gateway.committer import Committer, Words
from gateway.health import DeviceHealth, Health
from gateway.inbox import Inbox
from gateway.intake import Intake
from gateway.spool import Spool
from meters.catalog import shipped
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
SDM120 = shipped()["eastron-sdm120"]
WORDS = Words("e-1", NOW, {0x48: 0x462A, 0x49: 0x751F, 0x4A: 0, 0x4B: 0})


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool.sqlite") as opened:
        yield opened


@pytest.fixture
def intake(spool: Spool) -> Intake:
    return Intake(spool, meters={"e-1": SDM120})


@pytest.fixture
def committer(intake: Intake) -> Iterator[Committer]:
    made = Committer(
        intake, health=Health([DeviceHealth("e-1", SDM120.id)]), committed=lambda: None
    )
    made.start()
    yield made
    assert made.stop(10)


def test_an_errand_is_done_between_batches_and_durable_when_it_is_told(
    committer: Committer, intake: Intake, spool: Spool
) -> None:
    assert committer.offer(WORDS)
    series = Series("e-1", "import_energy")
    committer.call(lambda: intake.rebase(series, NOW, spool.baselines()[series].value)).exception(9)
    assert committer.call(lambda: intake.uncommitted).result(9) == 0
    assert spool.baselines()[series].time == NOW
    assert spool.conservation().spooled == 2


def test_an_errand_that_fails_is_told_to_who_asked_and_to_nobody_else(
    committer: Committer, spool: Spool
) -> None:
    with pytest.raises(ZeroDivisionError):
        committer.call(lambda: 1 // 0).result(9)
    given_up = committer.call(lambda: time.sleep(0.1))
    committer.call(lambda: None).cancel()
    given_up.result(9)
    assert committer.offer(WORDS)
    committer.call(lambda: None).result(9)
    assert committer.is_alive
    assert spool.conservation().spooled == 2


def test_an_inbox_is_bounded_by_weight_and_takes_one_of_any_size_when_empty() -> None:
    inbox: Inbox[str] = Inbox(5, weight=len)
    assert inbox.offer("far too long")
    assert not inbox.offer("a")
    inbox.insist("b")
    assert inbox.collect(3, linger_s=0, lull_s=0) == ["far too long"]
    assert inbox.offer("abcd")
    assert not inbox.offer("c")
    assert inbox.collect(3, linger_s=0, lull_s=0) == ["b", "abcd"]


def test_an_inbox_that_is_closed_gives_what_it_holds_and_then_nothing() -> None:
    inbox: Inbox[str] = Inbox(5, weight=len)
    inbox.offer("a")
    inbox.close()
    assert inbox.collect(3, linger_s=9, lull_s=9) == ["a"]
    assert inbox.collect(3, linger_s=9, lull_s=9) is None


def test_an_inbox_wakes_who_waits() -> None:
    inbox: Inbox[str] = Inbox(5, weight=len)
    found: list[list[str] | None] = []

    def collect() -> None:
        found.append(inbox.collect(1, linger_s=0, lull_s=0))
        found.append(inbox.collect(1, linger_s=0, lull_s=0))

    waiting = threading.Thread(target=collect)
    waiting.start()
    inbox.offer("a")
    inbox.close()
    waiting.join(10)
    assert found == [["a"], None]
