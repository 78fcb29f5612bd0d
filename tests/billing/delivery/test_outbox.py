"""What happens is told in its transaction, and spread to whoever asked for it, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import told

from billing.delivery.event import Kind

if TYPE_CHECKING:
    from small_community import Books
    from till import Till

    from meters.archive.sql import SqlArchive

KINDS = "SELECT kind, subject FROM event ORDER BY id"


def test_each_issued_bill_is_told_of_with_what_a_client_needs(books: Books) -> None:
    books.bill()

    rows = books.rows("SELECT kind, subject, data FROM event ORDER BY subject")
    assert [row[:2] for row in rows] == [
        ("bill.issued", f"yard-2026-10-000{number}") for number in (1, 2, 3, 4)
    ]
    assert json.loads(rows[0][2]) == {
        "bill": "yard-2026-10-0001",
        "community": "yard",
        "account": "A-101",
        "unit": "101",
        "period": "2026-10",
        "total": "497.04",
        "currency": "CNY",
        "issued_on": "2026-12-03",
        "due_on": "2026-12-13",
    }


def test_what_is_undone_was_never_told(sqlite_books: Books) -> None:
    with sqlite_books.database.snapshot() as connection:  # which nobody commits
        told.delivery_outbox.tell(connection, told.an_event())

    assert sqlite_books.rows(KINDS) == []


def test_the_same_is_told_once(books: Books) -> None:
    told.tell(books.database, "B-1", "B-1")
    told.tell(books.database, "B-1", "B-2")

    assert books.rows(KINDS) == [("bill.issued", "B-1"), ("bill.issued", "B-2")]


def test_a_payment_is_told_of_when_it_is_posted(sqlite_till: Till) -> None:
    paid = sqlite_till.hand(5000)
    (row,) = sqlite_till.books.rows("SELECT subject, data FROM event WHERE kind = 'payment.posted'")

    assert row[0] == str(paid.id)
    data = json.loads(row[1])
    assert "holder" not in data
    assert data["amount"] == "50.00"
    assert data["pays"] == [{"claim": "bill:yard-2026-10-0001", "amount": "50.00"}]


def test_a_payment_that_waits_for_approval_is_not_told_of(sqlite_till: Till) -> None:
    sqlite_till.hand(900_000)

    assert sqlite_till.books.rows("SELECT * FROM event WHERE kind = 'payment.posted'") == []


def test_a_run_is_told_of_that_is_blocked(sqlite_books: Books, empty_archive: SqlArchive) -> None:
    run_id = sqlite_books.create()
    for _ in range(2):
        assert sqlite_books.compute(run_id, archive=empty_archive).state == "blocked"

    rows = sqlite_books.rows("SELECT subject, data FROM event WHERE kind = 'run.blocked'")
    assert [row[0] for row in rows] == [str(run_id)]
    assert json.loads(rows[0][1])["communities"] == ["yard"]


def test_a_webhook_hears_of_what_it_asked_for(sqlite_books: Books) -> None:
    bills = told.hook(sqlite_books.database, Kind.BILL_ISSUED)
    told.hook(sqlite_books.database, Kind.RUN_BLOCKED)
    told.tell(sqlite_books.database, "B-1", "B-2")
    sender = told.Noting()

    assert told.deliver(sqlite_books.database, sender) == 2
    assert sorted(subject for subject, _ in sender.sent) == ["B-1", "B-2"]
    assert sqlite_books.rows("SELECT webhook_id, state FROM delivery") == [(bills.id, "sent")] * 2
    assert told.deliver(sqlite_books.database, sender) == 0


def test_what_nobody_hears_of_is_settled(sqlite_books: Books) -> None:
    told.tell(sqlite_books.database, "B-1")

    assert told.deliver(sqlite_books.database, told.Noting()) == 0
    assert sqlite_books.rows("SELECT count(*) FROM event WHERE spread_at IS NULL") == [(0,)]
