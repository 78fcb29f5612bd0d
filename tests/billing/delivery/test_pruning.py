"""Events of long ago are dropped with their messages; what may still be sent stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import told
from told import NOW, Clock, Noting

from billing.delivery.event import Event, Kind
from billing.delivery.schedule import Result, Said
from billing.store import delivery_outbox, delivery_pruning, delivery_webhooks
from billing.store.delivery_pruning import EventsGoneError, assert_kept, is_kept, prune

if TYPE_CHECKING:
    from small_community import Books

LATER = NOW + timedelta(days=1)


def kept(books: Books) -> list[str]:
    return [row[0] for row in books.rows("SELECT subject FROM event ORDER BY id")]


def test_what_was_sent_is_dropped_with_its_tries_and_what_waits_stays(books: Books) -> None:
    told.hook(books.database)
    told.tell(books.database, "B-1", "B-2", "B-3")
    says = [Result(Said.SENT, 200), Result(Said.REFUSED, 400, "no"), Result(Said.FAILED, 500, "no")]
    told.deliver(books.database, Noting(says=says))
    told.tell(books.database, "B-4")  # not told to anybody yet

    assert prune(books.database, before=NOW) == 0, "it has happened just then"
    assert prune(books.database, before=LATER) == 2
    (waiting,) = books.rows("SELECT e.subject FROM delivery d JOIN event e ON e.id = d.event_id")
    assert kept(books) == [waiting[0], "B-4"]
    assert len(books.rows("SELECT id FROM delivery_attempt")) == 1


def test_what_is_sent_again_counts_from_then(books: Books) -> None:
    made, clock = told.hook(books.database), Clock()
    told.tell(books.database, "B-1")
    told.deliver(books.database, Noting(), clock)
    with books.database.transaction() as connection:
        (sent,) = delivery_webhooks.sent(connection, made.id, limit=1)
        delivery_webhooks.replay(connection, made.id, sent.id, actor="a", now=NOW)
    assert prune(books.database, before=LATER) == 0
    clock.wait(days=10)
    told.deliver(books.database, Noting(), clock)
    assert prune(books.database, before=LATER) == 0
    assert prune(books.database, before=NOW + timedelta(days=11)) == 1
    with books.database.snapshot() as connection:
        assert not is_kept(connection, made.id, sent.id)


def test_a_meter_that_is_silent_still_is_told_of_once(books: Books) -> None:
    def silent(occasion: str) -> Event:
        return Event(
            kind=Kind.METER_OFFLINE,
            subject="E-1",
            at=NOW,
            data={},
            community_id=1,
            occasion=occasion,
        )

    with books.database.transaction() as connection:
        for occasion in ("first", "second"):
            delivery_outbox.tell(connection, silent(occasion))
    told.deliver(books.database, Noting())

    assert prune(books.database, before=LATER) == 1
    assert books.rows("SELECT key FROM event") == [("meter.offline:E-1@second",)]


def test_many_go_in_several_transactions(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_pruning, "AT_ONCE", 2)
    told.tell(books.database, "B-1", "B-2", "B-3")
    told.deliver(books.database, Noting())

    assert prune(books.database, before=LATER) == 3
    assert kept(books) == []


def test_who_asks_for_what_is_gone_is_told_since_when_there_is_something() -> None:
    assert_kept(NOW - timedelta(days=7), timedelta(days=7), now=NOW)
    with pytest.raises(EventsGoneError, match="ask for those since 2026-11-27T02:00:00"):
        assert_kept(NOW - timedelta(days=8), timedelta(days=7), now=NOW)
