"""People say where they are told of what; nothing goes to an address that nobody has confirmed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import told
from told import NOW, Clock, Noting

from billing.delivery.address import AddressError
from billing.delivery.event import Kind
from billing.store import delivery_contacts
from billing.store.delivery_contacts import NoAccountError, UnknownCodeError

if TYPE_CHECKING:
    from small_community import Books

    from billing.store.delivery_contacts import Contact

A_101 = 1


def state(books: Books, address: str = "li@example.com", channel: str = "email") -> Contact:
    with books.database.transaction() as connection:
        return delivery_contacts.state(
            connection,
            person="li",
            accounts=[A_101],
            channel=channel,
            address=address,
            language="en",
            kinds=[Kind.BILL_ISSUED],
            now=NOW,
        )


def code(books: Books) -> str:
    """Return the code that the last link held."""
    rows = books.rows("SELECT data FROM event WHERE kind = 'address.stated' ORDER BY id DESC")
    return str(json.loads(rows[0][0])["code"])


def confirm(books: Books, with_code: str, *, hours: int = 0) -> Contact:
    with books.database.transaction() as connection:
        now = NOW + timedelta(hours=hours)
        return delivery_contacts.confirm(connection, with_code, now=now)


def test_an_owner_is_told_of_a_bill_once_the_address_is_confirmed(books: Books) -> None:
    stated = state(books)
    mail = Noting("email")
    assert told.deliver(books.database, mail) == 1  # the link, and nothing else
    confirmed = confirm(books, code(books))
    assert (stated.confirmed_at, confirmed.confirmed_at) == (None, NOW)

    told.tell(books.database, "B-9")  # of nobody's account
    with books.database.transaction() as connection:
        told.delivery_outbox.tell(connection, told.an_event("B-1", account_id=A_101))
    assert told.deliver(books.database, mail) == 1
    assert [subject for subject, _ in mail.sent] == ["1", "B-1"]


def test_of_one_bill_and_channel_there_is_one_delivery(books: Books) -> None:
    state(books)
    confirm(books, code(books))
    event = told.an_event("yard-2026-10-0001", account_id=A_101)
    for _ in range(2):
        with books.database.transaction() as connection:
            told.delivery_outbox.tell(connection, event)
        told.deliver(books.database, Noting("email"))

    assert books.rows(
        "SELECT channel, target, state FROM delivery WHERE target LIKE 'contact:%'"
        " AND event_id IN (SELECT id FROM event WHERE kind = 'bill.issued')"
    ) == [("email", "contact:1", "sent")]


def test_a_new_address_is_confirmed_anew_and_the_newest_link_counts(books: Books) -> None:
    state(books)
    first = code(books)
    confirm(books, first)
    assert state(books).confirmed_at == NOW  # the same address stays confirmed

    assert state(books, "other@example.com").confirmed_at is None
    second = code(books)
    state(books, "third@example.com")
    for old in (first, second):
        with pytest.raises(UnknownCodeError):
            confirm(books, old)
    assert confirm(books, code(books)).address == "third@example.com"


def test_a_link_counts_once_and_for_a_day(books: Books) -> None:
    state(books)
    with pytest.raises(UnknownCodeError, match="older than a day"):
        confirm(books, code(books), hours=24)
    confirm(books, code(books), hours=23)
    with pytest.raises(UnknownCodeError):
        confirm(books, code(books), hours=23)


def test_what_is_dropped_is_forgotten(books: Books) -> None:
    state(books)
    with books.database.transaction() as connection:
        assert delivery_contacts.drop(connection, person="li", channel="email", now=NOW)
        assert not delivery_contacts.drop(connection, person="li", channel="email", now=NOW)
        assert delivery_contacts.of_person(connection, "li") == []


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("email", "li"),
        ("email", "li@localhost"),
        ("email", "li@example.com\nBcc: all@example.com"),
        ("email", "li@example.com, all@example.com"),
        ("email", '"li x"@example.com'),
        ("email", "li..x@example.com"),
        ("email", ".li@example.com"),
        ("email", "l" * 65 + "@example.com"),
        ("email", "a" * 250 + "@example.com"),
        ("sms", "110 or 120"),
        ("sms", "12345"),
        ("sms", "+1234567890123456"),
    ],
)
def test_what_is_no_address_is_refused(sqlite_books: Books, channel: str, address: str) -> None:
    with pytest.raises(AddressError, match="is no "):
        state(sqlite_books, address, channel)


def test_a_number_is_kept_in_digits(sqlite_books: Books) -> None:
    assert state(sqlite_books, "+86 138-0000-1234", "sms").address == "+8613800001234"


def test_who_has_no_account_is_told_nothing(sqlite_books: Books) -> None:
    with pytest.raises(NoAccountError), sqlite_books.database.transaction() as connection:
        delivery_contacts.state(
            connection,
            person="clerk",
            accounts=(),
            channel="email",
            address="clerk@example.com",
            language="en",
            kinds=[Kind.BILL_ISSUED],
            now=NOW,
        )


def test_a_phone_rings_in_the_morning_and_a_link_comes_at_once(sqlite_books: Books) -> None:
    state(sqlite_books, "13800001234", "sms")
    night = Clock(NOW.replace(hour=14))  # ten in the evening there
    sms = Noting("sms", repeatable=False)
    assert told.deliver(sqlite_books.database, sms, night) == 1
    confirm(sqlite_books, code(sqlite_books))
    event = told.an_event("B-1", account_id=A_101)
    with sqlite_books.database.transaction() as connection:
        told.delivery_outbox.tell(connection, event)

    assert told.deliver(sqlite_books.database, sms, night) == 0
    night.wait(hours=9, minutes=59)
    assert told.deliver(sqlite_books.database, sms, night) == 0
    night.wait(minutes=1)
    assert told.deliver(sqlite_books.database, sms, night) == 1
