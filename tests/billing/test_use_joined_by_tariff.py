"""Two tariffs of one meter, of which one changes inside the month: the other one does not notice.

Water by monthly steps stands beside a fund by the unit, whose price changes on the 20th. Most water
flowed before: parts of the steps for parts of the month would cost more than the month does.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from forged_bundle import exported
from small_community import (
    FEE,
    NOVEMBER,
    OCTOBER,
    POWER,
    PUBLIC,
    WATER,
    ZONE,
    Books,
    community_document,
    reading,
)

from billing.bundle import sealed
from billing.bundle_check import check_bundle
from billing.store.views import consumption
from meters.interval import local_midnight

if TYPE_CHECKING:
    from collections.abc import Sequence

THE_20TH = local_midnight(date(2026, 10, 20), ZONE)


def fund(version: int, since: date, price: str) -> dict[str, Any]:
    charge = {"name": "fund", "title": {"en": "fund"}, "kind": "per-unit", "register": "volume"}
    return {
        **WATER,
        "id": "fund",
        "version": version,
        "valid_from": since,
        "charge": [{**charge, "price": price}],
        "example": [{"usage": "10", "expect": str(Decimal(price) * 10)}],
    }


FUNDS = (fund(1, date(2026, 1, 1), "0.10"), fund(2, date(2026, 10, 20), "0.20"))


def define(books: Books, tariffs: Sequence[dict[str, Any]] = FUNDS) -> None:
    document = community_document()
    document["tariffs"]["residential"] = ["power", "water", "fee", "fund"]
    books.define(document, tariffs=(POWER, WATER, FEE, PUBLIC, *tariffs))


@pytest.fixture
def yard(blank_books: Books) -> Books:
    """The community with 101's water read on the 20th: 15 m³ by then, of 18.5."""
    define(blank_books)
    blank_books.archive.append([reading("W-101", THE_20TH, "27.345")])
    return blank_books


def lines(books: Books, unit: str = "101") -> list[tuple[str, Decimal, Decimal]]:
    rows = books.rows(
        "SELECT charge, bill_line.quantity, amount FROM bill_line JOIN bill ON bill.id = bill_id"
        " JOIN unit ON unit.id = bill.unit_id"
        " WHERE unit.code = :unit AND charge IN ('water', 'sewage', 'fund')"
        " ORDER BY bill.number, position",
        unit=unit,
    )
    return [
        (charge, Decimal(quantity).scaleb(-4), Decimal(amount).scaleb(-2))
        for charge, quantity, amount in rows
    ]


def test_a_month_by_steps_costs_what_it_costs_without_the_other_tariff(yard: Books) -> None:
    yard.bill()

    assert lines(yard) == [
        ("water", Decimal("18.5"), Decimal("105.50")),  # 12 × 5 + 6.5 × 7
        ("sewage", Decimal("16.65"), Decimal("22.64")),
        ("fund", Decimal(15), Decimal("1.50")),
        ("fund", Decimal("3.5"), Decimal("0.70")),
    ]
    assert yard.verify(1).failures == []


def test_the_other_tariff_needs_no_reading_for_it(yard: Books) -> None:
    """201 was not read on the 20th: its fund is divided by days, its water is what was read."""
    yard.bill()

    (_, water, _), _, (_, before, _), (_, after, _) = lines(yard, "201")
    assert water == before + after == Decimal("14.999")
    assert before == round(Decimal("14.999") * 19 / 31, 3)
    said = dict(
        yard.rows(
            "SELECT joined, evidence FROM usage JOIN point ON point.id = point_id"
            " WHERE code = 'W-201' AND (joined OR start > (SELECT min(start) FROM usage))"
        )
    )
    assert '"kind":"SplitByDays"' in said[0]
    assert '"kind":"SplitByDays"' not in said[1]


def test_what_is_used_is_counted_once(yard: Books) -> None:
    yard.bill()

    rows = yard.rows(
        'SELECT start, "end", usage.quantity, joined FROM usage JOIN point ON point.id = point_id'
        " WHERE code = 'W-101' ORDER BY usage.id"
    )
    assert [(quantity, bool(joined)) for _, _, quantity, joined in rows] == [
        (150_000, False),
        (35_000, False),
        (185_000, True),
    ]
    ((used,),) = yard.rows(
        "SELECT key FROM share JOIN statement ON statement.id = statement_id"
        " JOIN pool_version ON pool_version.id = pool_version_id"
        " JOIN unit ON unit.id = unit_id WHERE pool_version.code = 'pump' AND unit.code = '101'"
    )
    assert used == 185_000
    with yard.database.snapshot() as connection:
        of_units = consumption.used_by_units(connection, [1], "water")
    assert of_units[1][1] == 185_000


def test_the_next_month_opens_with_it_and_every_bill_is_proved_from_its_file(yard: Books) -> None:
    yard.bill("2026-10")
    yard.bill("2026-11")

    assert yard.verify(1).failures == yard.verify(2).failures == []
    november = [line for line in lines(yard) if line[0] == "water"][1]
    assert november == ("water", Decimal("13.255"), Decimal("68.79"))  # 12 × 5 + 1.255 × 7
    for (number,) in yard.rows("SELECT number FROM bill"):
        assert check_bundle(sealed(exported(yard, number))).differences == []


def test_a_tariff_that_changes_alone_is_cut_as_ever(blank_books: Books) -> None:
    """Without the change of the fund nothing is joined: a part is a usage, and the whole is it."""
    define(blank_books, FUNDS[:1])
    blank_books.bill()

    assert blank_books.rows("SELECT count(*) FROM usage WHERE joined") == [(0,)]
    assert [line for line in lines(blank_books) if line[0] == "water"] == [
        ("water", Decimal("18.5"), Decimal("105.50"))
    ]


def test_a_whole_that_is_not_the_sum_of_its_parts_is_found(yard: Books) -> None:
    yard.compute(yard.create())
    yard.execute("UPDATE usage SET quantity = quantity + 1 WHERE joined AND quantity = 185000")

    (said,) = [each for each in yard.verify(1).failures if "its parts" in each]
    assert said == (
        f"I2: W-101, volume: from {OCTOBER.interval.start} to {NOVEMBER.interval.start} "
        "18.5001 counted, its parts sum to 18.5"
    )
