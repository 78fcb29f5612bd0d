"""A delivery is sent by one, tried again by a schedule, and found again when its sender dies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import told
from told import NOW, Clock, Noting

from billing.database import Database
from billing.delivery.schedule import Result, Said, State
from billing.store import audit, delivery_outbox, delivery_queue, delivery_webhooks
from billing.store.delivery_queue import LEASE

if TYPE_CHECKING:
    from small_community import Books

STATES = "SELECT state, tries FROM delivery ORDER BY id"
FAILED = Result(Said.FAILED, 503, "busy")


def test_what_failed_is_tried_again_when_it_is_due(books: Books) -> None:
    told.hook(books.database)
    told.tell(books.database, "B-1")
    sender, clock = Noting(says=[FAILED]), Clock()

    assert told.deliver(books.database, sender, clock) == 1
    assert books.rows(STATES) == [("waiting", 1)]
    assert told.deliver(books.database, sender, clock) == 0
    clock.wait(seconds=6)
    assert told.deliver(books.database, sender, clock) == 1

    assert books.rows(STATES) == [("sent", 2)]
    (first, second) = sender.sent
    assert first == second  # the same message, under the same id
    assert books.rows("SELECT said, status, detail FROM delivery_attempt ORDER BY id") == [
        ("failed", 503, "busy"),
        ("sent", 200, ""),
    ]


def test_of_many_processes_one_has_a_delivery(books: Books) -> None:
    told.hook(books.database)
    told.tell(books.database, "B-1")
    with books.database.transaction() as connection:
        delivery_outbox.spread(connection, (), now=NOW)

    def take(_: int) -> bool:
        with Database(books.database.url) as own, own.transaction() as connection:
            return delivery_queue.lease(connection, ["webhook"], now=NOW) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(16))) == 1


def test_processes_that_spread_at_once_make_each_delivery_once(books: Books) -> None:
    told.hook(books.database)
    told.tell(books.database, *(f"B-{number}" for number in range(40)))

    def spread(_: int) -> int:
        with Database(books.database.url) as own, own.transaction() as connection:
            return delivery_outbox.spread(connection, (), now=NOW)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(spread, range(8))) == 40
    assert books.rows("SELECT count(*), count(DISTINCT event_id) FROM delivery") == [(40, 40)]


def test_a_slow_endpoint_is_sent_one_message_at_a_time(books: Books) -> None:
    told.hook(books.database)
    told.hook(books.database, url="https://other.example.com/")
    told.tell(books.database, "B-1", "B-2")
    with books.database.transaction() as connection:
        delivery_outbox.spread(connection, (), now=NOW)
        taken = [delivery_queue.lease(connection, ["webhook"], now=NOW) for _ in range(3)]

    assert [each and each.webhook_id for each in taken] == [1, 2, None]


def test_what_a_dead_sender_left_is_tried_again_or_looked_at(books: Books) -> None:
    told.hook(books.database)
    for repeatable, state in (([], State.UNSURE), (["webhook"], State.WAITING)):
        told.tell(books.database, f"B-{state}")
        with books.database.transaction() as connection:
            delivery_outbox.spread(connection, (), now=NOW)
            leased = delivery_queue.lease(connection, ["webhook"], now=NOW)
            assert leased is not None
            assert delivery_queue.recover(connection, repeatable, now=NOW) == []
            late = NOW + LEASE
            assert delivery_queue.recover(connection, repeatable, now=late) == [(leased.id, state)]
            # whoever was thought dead and comes back changes nothing any more
            sent = Result(Said.SENT, 200)
            assert delivery_queue.record(connection, leased, sent, begun=NOW, now=late) is None

    assert books.rows(STATES) == [("unsure", 1), ("waiting", 1)]


def test_an_endpoint_that_fails_for_three_days_is_switched_off_and_the_log_says_so(
    books: Books,
) -> None:
    made = told.hook(books.database)
    told.tell(books.database, "B-1")
    sender, clock = Noting(says=[FAILED] * 20), Clock()
    while clock.now < NOW + timedelta(days=4):
        if clock.now == NOW + timedelta(days=2, hours=20):
            told.tell(books.database, "B-2")
        told.deliver(books.database, sender, clock)
        clock.wait(hours=1)

    with books.database.snapshot() as connection:
        found = delivery_webhooks.read(connection, made.id)
        wanted = audit.Wanted(action="webhook.disable")
        (entry,) = audit.entries(connection, wanted, limit=10)
    assert (found.state, found.failing_since) == ("disabled", NOW)
    assert (entry.actor, entry.subject) == ("delivery", str(made.id))
    assert books.rows("SELECT state FROM delivery") == [("failed",), ("failed",)]
    told.tell(books.database, "B-3")
    assert told.deliver(books.database, sender, clock) == 0


def test_one_success_ends_the_count_of_failures(books: Books) -> None:
    made = told.hook(books.database)
    told.tell(books.database, "B-1")
    sender, clock = Noting(says=[FAILED]), Clock()
    told.deliver(books.database, sender, clock)
    clock.wait(days=4)
    told.deliver(books.database, sender, clock)

    with books.database.snapshot() as connection:
        found = delivery_webhooks.read(connection, made.id)
    assert (found.state, found.failing_since) == ("on", None)


def test_an_endpoint_that_is_gone_is_switched_off_at_once(books: Books) -> None:
    made = told.hook(books.database)
    told.tell(books.database, "B-1")
    told.deliver(books.database, Noting(says=[Result(Said.GONE, 410)]))

    with books.database.snapshot() as connection:
        assert delivery_webhooks.read(connection, made.id).state == "disabled"
