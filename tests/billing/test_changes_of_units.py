"""What changes of a unit from a day on: it stands in the registry of that month, and in the log."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from small_community import ZONE, Books

from billing.store import audit, changes, holders, opening_balance, registry
from billing.store.changes import Change, ChangeError, UnknownUnitError
from billing.store.holders import Shown
from billing.store.ledger import trial_balance
from meters.interval import local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from billing.registry import Point, Span, Unit

NOW = datetime(2026, 11, 3, tzinfo=UTC)
FIFTEENTH = Change(
    community="yard",
    unit="101",
    since=date(2026, 10, 15),
    actor="clerk",
    reason="a baby was born",
    now=NOW,
)
METERS = Shown("W-101", {"volume": Decimal("20.5")}, photo="handover.jpg")


def apply(
    books: Books, make: Callable[..., object], change: Change, *rest: Any, **named: Any
) -> None:
    with books.database.transaction() as connection:
        make(connection, change, *rest, **named)


def unit_of(books: Books, code: str = "101", period: str = "2026-10") -> Unit:
    with books.database.snapshot() as connection:
        seen = registry.read(connection, 1, period)
    return next(unit for unit in seen.units if unit.code == code)


def spans(books: Books, code: str = "101", period: str = "2026-10") -> tuple[Span, ...]:
    return unit_of(books, code, period).spans


def point_of(books: Books, code: str) -> Point:
    with books.database.snapshot() as connection:
        seen = registry.read(connection, 1, "2026-10")
    return next(point for point in seen.points if point.code == code)


def logged(books: Books, action: str) -> list[dict[str, Any]]:
    rows = books.rows("SELECT detail FROM audit WHERE action = :action", action=action)
    return [json.loads(detail) for (detail,) in rows]


def test_an_attribute_holds_from_its_day_on(books: Books) -> None:
    apply(books, changes.set_attribute, FIFTEENTH, "persons", Decimal(5))

    before, after = spans(books)
    assert (before.days, after.days) == (14, 17)
    assert "persons" not in before.attributes
    assert after.attributes["persons"] == 50_000
    assert before.attributes["area"] == after.attributes["area"] == 885_000
    (november,) = spans(books, period="2026-11")
    assert november.attributes["persons"] == 50_000
    (said,) = logged(books, "unit.attribute")
    assert said == {
        "attribute": "persons",
        "value": "5",
        "was": None,
        "since": "2026-10-15",
        "reason": "a baby was born",
    }


def test_a_second_word_on_the_same_day_replaces_the_first(sqlite_books: Books) -> None:
    for persons in ("5", "4"):
        apply(sqlite_books, changes.set_attribute, FIFTEENTH, "persons", Decimal(persons))

    assert spans(sqlite_books)[1].attributes["persons"] == 40_000
    assert [each["was"] for each in logged(sqlite_books, "unit.attribute")] == [None, "5"]


def test_an_attribute_may_be_not_known_any_more(sqlite_books: Books) -> None:
    apply(sqlite_books, changes.set_attribute, FIFTEENTH, "area", None)

    before, after = spans(sqlite_books)
    assert before.attributes["area"] == 885_000
    assert "area" not in after.attributes


def test_a_class_and_own_tariffs_hold_from_their_day_on(books: Books) -> None:
    books.execute(
        "UPDATE community SET tariffs = :tariffs",
        tariffs='{"residential": ["power", "water", "fee"], "shop": ["power"]}',
    )
    apply(books, changes.set_class, FIFTEENTH, "shop")
    twentieth = replace(FIFTEENTH, since=date(2026, 10, 20))
    apply(books, changes.set_tariffs, twentieth, ["fee", "water"])
    apply(books, changes.set_tariffs, replace(FIFTEENTH, since=date(2026, 10, 31)), None)

    assert [(span.days, span.customer_class, span.tariffs) for span in spans(books)] == [
        (14, "residential", ("power", "water", "fee")),
        (5, "shop", ("power",)),
        (11, "shop", ("fee", "water")),
        (1, "shop", ("power",)),
    ]


def test_vacancy_begins_and_ends_on_a_day(sqlite_books: Books) -> None:
    apply(sqlite_books, changes.set_vacant, FIFTEENTH)
    apply(sqlite_books, changes.set_occupied, replace(FIFTEENTH, since=date(2026, 10, 20)))

    assert [(span.days, span.vacant) for span in spans(sqlite_books)] == [
        (14, False),
        (5, True),
        (12, False),
    ]


def test_who_moves_in_ends_what_was_held_before(books: Books) -> None:
    apply(books, holders.move_in, FIFTEENTH, code="T-101", holder="李", shown=[METERS])

    before, after = spans(books)
    assert before.account is not None
    assert after.account is not None
    assert (before.account.code, before.days) == ("A-101", 14)
    assert (after.account.code, after.account.holder) == ("T-101", "李")
    (recorded,) = point_of(books, "W-101").recorded
    assert recorded.meter == "W-101"
    assert recorded.at == local_midnight(date(2026, 10, 15), ZONE)
    assert recorded.registers == {"volume": Decimal("20.5")}
    assert recorded.photo == "handover.jpg"
    assert logged(books, "meter.interim")[0]["meter"] == "W-101"


def test_a_wrong_day_of_moving_in_is_corrected_for_both(sqlite_books: Books) -> None:
    apply(sqlite_books, holders.move_in, FIFTEENTH, code="T-101", holder="李")
    for day in (10, 20):
        moved = replace(FIFTEENTH, since=date(2026, 10, day))
        apply(sqlite_books, holders.move_in, moved, code="T-101", holder="李")

        before, after = spans(sqlite_books)
        assert before.account is not None
        assert after.account is not None
        assert [before.account.code, after.account.code] == ["A-101", "T-101"]
        assert before.days == day - 1


def test_who_moves_in_later_leaves_the_empty_days_empty(sqlite_books: Books) -> None:
    apply(sqlite_books, holders.move_out, FIFTEENTH)
    twentieth = replace(FIFTEENTH, since=date(2026, 10, 20))
    apply(sqlite_books, holders.move_in, twentieth, code="T-101", holder="李")

    held = [(span.days, span.account and span.account.code) for span in spans(sqlite_books)]
    assert held == [(14, "A-101"), (5, None), (12, "T-101")]


def test_a_register_is_recorded_again_in_place_of_a_wrong_one(sqlite_books: Books) -> None:
    apply(sqlite_books, holders.record, FIFTEENTH, [METERS])
    right = replace(METERS, registers={"volume": Decimal("21.5")})
    apply(sqlite_books, holders.record, FIFTEENTH, [right])

    (recorded,) = point_of(sqlite_books, "W-101").recorded
    assert recorded.registers == {"volume": Decimal("21.5")}
    assert logged(sqlite_books, "meter.interim")[1]["was"] == '{"volume":"20.5"}'


REFUSED: dict[str, tuple[Callable[[Connection], object], str]] = {
    "a negative attribute": (
        lambda c: changes.set_attribute(c, FIFTEENTH, "persons", Decimal(-1)),
        "persons of unit 101 cannot be -1",
    ),
    "an unknown class": (
        lambda c: changes.set_class(c, FIFTEENTH, "shop"),
        "no customer class 'shop'; it has residential",
    ),
    "an unknown tariff": (
        lambda c: changes.set_tariffs(c, FIFTEENTH, ["power", "powre"]),
        "there is no tariff 'powre'",
    ),
    "a tariff twice": (
        lambda c: changes.set_tariffs(c, FIFTEENTH, ["power", "power"]),
        "cannot be billed twice",
    ),
    "no reason": (
        lambda c: changes.set_class(c, replace(FIFTEENTH, reason=" "), "residential"),
        "say why",
    ),
    "a vacancy in another": (
        lambda c: changes.set_vacant(c, replace(FIFTEENTH, unit="202")),
        "unit 202 is vacant from 2026-05-01 already",
    ),
    "a vacancy of no day": (
        lambda c: changes.set_vacant(c, FIFTEENTH, until=FIFTEENTH.since),
        "holds no day",
    ),
    "the end of no vacancy": (
        lambda c: changes.set_occupied(c, FIFTEENTH),
        "unit 101 was not vacant before 2026-10-15",
    ),
    "an account of another unit": (
        lambda c: holders.move_in(c, FIFTEENTH, code="A-201", holder="李"),
        "A-201 is another unit's",
    ),
    "two who move in on a day": (
        lambda c: holders.move_in(
            c, replace(FIFTEENTH, since=date(2026, 1, 1)), code="T-101", holder="李"
        ),
        "A-101 holds unit 101 from 2026-01-01 already",
    ),
    "nobody who moves out": (
        lambda c: holders.move_out(c, replace(FIFTEENTH, since=date(2026, 1, 1))),
        "nobody who held unit 101 before 2026-01-01",
    ),
    "a point of another unit": (
        lambda c: holders.record(c, FIFTEENTH, [replace(METERS, point="W-201")]),
        "unit 101 has no point 'W-201'",
    ),
    "a register that nobody can have read yet": (
        lambda c: holders.record(c, replace(FIFTEENTH, since=date(2026, 11, 20)), [METERS]),
        "nobody can have read what W-101 shows on 2026-11-20",
    ),
    "a register of no meter": (
        lambda c: holders.record(c, replace(FIFTEENTH, since=date(2026, 9, 1)), [METERS]),
        "no meter stood at W-101",
    ),
    "no register": (
        lambda c: holders.record(c, FIFTEENTH, [replace(METERS, registers={})]),
        "at least one register",
    ),
    "a register below zero": (
        lambda c: holders.record(
            c, FIFTEENTH, [replace(METERS, registers={"volume": Decimal(-1)})]
        ),
        "volume of W-101 cannot show -1",
    ),
    "a register finer than bills": (
        lambda c: holders.record(
            c, FIFTEENTH, [replace(METERS, registers={"volume": Decimal("1.00001")})]
        ),
        "more than 4 decimals",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_and_leaves_nothing(case: str, sqlite_books: Books) -> None:
    make, says = REFUSED[case]
    before = spans(sqlite_books)

    with pytest.raises(ChangeError, match=says), sqlite_books.database.transaction() as connection:
        make(connection)

    assert spans(sqlite_books) == before
    assert sqlite_books.rows("SELECT * FROM audit") == []


def test_an_unknown_unit_is_named(sqlite_books: Books) -> None:
    with pytest.raises(UnknownUnitError, match="'yard' has no unit '999'"):
        apply(sqlite_books, changes.set_class, replace(FIFTEENTH, unit="999"), "residential")


def test_it_is_said_from_which_issued_month_a_change_counts(sqlite_books: Books) -> None:
    def issued(since: date) -> str | None:
        with sqlite_books.database.snapshot() as connection:
            return changes.issued_from(connection, replace(FIFTEENTH, since=since))

    assert issued(FIFTEENTH.since) is None
    sqlite_books.bill("2026-10")
    assert issued(FIFTEENTH.since) == "2026-10"
    assert issued(date(2026, 11, 1)) is None


def test_an_opening_balance_is_entered_once(books: Books) -> None:
    said: dict[str, Any] = {"reason": "from the old books", "actor": "clerk", "now": NOW}
    with books.database.transaction() as connection:
        opening_balance.enter(connection, "yard", "A-101", 12_345, **said)
        opening_balance.enter(connection, "yard", "A-201", -500, **said)

    with books.database.snapshot() as connection:
        balance = {"receivable": 12_345, "credit": -500, "opening": -11_845}
        assert trial_balance(connection) == balance
    for account, expected in (
        ("A-101", opening_balance.OpeningExistsError),
        ("A-999", opening_balance.UnknownAccountError),
    ):
        with pytest.raises(expected), books.database.transaction() as connection:
            opening_balance.enter(connection, "yard", account, 1, **said)
    assert [each["amount"] for each in logged(books, "account.open")] == ["123.45", "-5.00"]
    with books.database.snapshot() as connection:
        assert audit.verify(connection) == 2
