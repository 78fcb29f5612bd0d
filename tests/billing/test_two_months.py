"""Two months in a row: what was issued opens the next month, and the year goes on (I2, I3)."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from small_community import (
    NOVEMBER,
    OCTOBER,
    POOLS,
    SHOWN,
    STARTS,
    Books,
    boundary_readings,
    community_document,
    reading,
)

if TYPE_CHECKING:
    from meters.archive.sql import SqlArchive

SECOND = timedelta(seconds=1)


def usages(books: Books, point: str) -> list[tuple[Any, ...]]:
    return books.rows(
        "SELECT usage.start, usage.quantity, evidence FROM usage"
        " JOIN point ON point.id = point_id WHERE code = :point ORDER BY usage.id",
        point=point,
    )


def test_a_month_opens_with_what_was_issued_even_if_a_nearer_reading_came_later(
    books: Books,
) -> None:
    books.bill("2026-10")
    books.archive.append([reading("E-101", STARTS[1] + SECOND, "1251.00")])

    run = books.bill("2026-11")

    (_, first, _), (_, second, evidence) = usages(books, "E-101")
    assert (first, second) == (2_505_000, 1_907_500)
    opening = json.loads(evidence)["segments"][0]["opening"]
    assert (opening["source"], opening["value"]) == ("issued", "1250.5")
    assert [each["value"] for each in opening["readings"]] == ["1250.5"]
    assert not books.verify(run.id).failures


def test_until_a_month_is_issued_a_nearer_reading_still_counts(sqlite_books: Books) -> None:
    run_id = sqlite_books.create("2026-10")
    sqlite_books.compute(run_id)
    sqlite_books.archive.append([reading("E-101", STARTS[1] + SECOND, "1251.00")])

    sqlite_books.compute(run_id)

    assert [row[1] for row in usages(sqlite_books, "E-101")] == [2_510_000]


def test_what_months_bill_adds_up_to_what_the_meters_counted(books: Books) -> None:
    for period in ("2026-10", "2026-11"):
        books.bill(period)

    sums = dict(
        books.rows(
            "SELECT code, sum(quantity) FROM usage JOIN point ON point.id = point_id GROUP BY code"
        )
    )
    for meter, (first, _, last) in SHOWN.items():
        counted = Decimal(last) - Decimal(first) + (1_000_000 if meter == "E-301" else 0)
        times = 40 if meter == "lift" else 1
        assert Decimal(int(sums[meter])).scaleb(-4) == counted * times, meter


def test_billed_intervals_tile_time(books: Books) -> None:
    for period in ("2026-10", "2026-11"):
        books.bill(period)

    rows = books.rows('SELECT point_id, register, start, "end" FROM usage ORDER BY 1, 2, 3')
    assert len(rows) == 2 * len(SHOWN)
    for earlier, later in zip(rows[::2], rows[1::2], strict=True):
        assert earlier[:2] == later[:2]
        assert earlier[3] == later[2]


def test_yearly_steps_go_on_where_the_issued_bills_left_them(books: Books) -> None:
    for period in ("2026-10", "2026-11"):
        books.bill(period)

    lines = books.rows(
        "SELECT bill_line.evidence FROM bill_line JOIN bill ON bill.id = bill_id"
        " JOIN unit ON unit.id = unit_id"
        " WHERE charge = 'energy' AND unit.code = '101' ORDER BY period"
    )
    first, second = (json.loads(evidence) for (evidence,) in lines)
    assert first["inputs"]["before_year"] == {"import_energy": "0"}
    assert [part["quantity"] for part in first["parts"]] == ["200", "50.5", "0"]
    assert second["inputs"]["before_year"] == {"import_energy": "250.5"}
    assert [part["quantity"] for part in second["parts"]] == ["0", "149.5", "41.25"]


def test_what_was_computed_but_not_issued_does_not_count_as_used(sqlite_books: Books) -> None:
    first = sqlite_books.compute(sqlite_books.create("2026-10"))

    assert sqlite_books.compute(first.id).digest == first.digest


def test_a_new_year_starts_the_steps_anew(blank_books: Books, empty_archive: SqlArchive) -> None:
    books = Books(blank_books.database, empty_archive)
    books.define(community_document(), pools=())
    empty_archive.append(boundary_readings())
    ends = {"2026-12": 1, "2027-01": 2}
    start = STARTS[2]
    for months in ends.values():
        at = start + timedelta(days=31 * months)
        empty_archive.append(
            [reading(meter, at, str(Decimal(shown[2]) + months)) for meter, shown in SHOWN.items()]
        )
    for period in ("2026-10", "2026-11", "2026-12", "2027-01"):
        books.bill(period)

    rows = books.rows(
        "SELECT period, bill_line.evidence FROM bill_line JOIN bill ON bill.id = bill_id"
        " JOIN unit ON unit.id = unit_id WHERE charge = 'energy' AND unit.code = '101'"
        " ORDER BY period"
    )
    before = {period: json.loads(text)["inputs"]["before_year"] for period, text in rows}
    assert before == {
        "2026-10": {"import_energy": "0"},
        "2026-11": {"import_energy": "250.5"},
        "2026-12": {"import_energy": "441.25"},
        "2027-01": {"import_energy": "0"},
    }


def test_an_issued_closing_of_a_meter_that_left_does_not_open_the_next(
    blank_books: Books,
) -> None:
    """The meter is exchanged in the instant in which the month changes."""
    document = community_document()
    (point,) = (each for each in document["point"] if each["code"] == "E-101")
    old = point["installation"][0]
    new = {**old, "meter": "E-101-new", "start": NOVEMBER.interval.start}
    new["first"] = {"import_energy": "5"}
    point["installation"] = [
        {**old, "end": OCTOBER.interval.end, "last": {"import_energy": "1250.5"}},
        new,
    ]
    blank_books.define(document, pools=POOLS)
    blank_books.archive.append([reading("E-101-new", STARTS[2], "15.5")])

    for period in ("2026-10", "2026-11"):
        run = blank_books.bill(period)
        assert not blank_books.verify(run.id).failures

    assert [row[1] for row in usages(blank_books, "E-101")] == [2_505_000, 105_000]


@pytest.mark.parametrize("later", ["1250.4", "0"])
def test_a_later_truth_below_the_issued_closing_parks_the_next_month(
    later: str, blank_books: Books, empty_archive: SqlArchive
) -> None:
    """What was issued stays; that the register is lower now is for a person to decide."""
    books = Books(blank_books.database, empty_archive)
    books.define()
    empty_archive.append(boundary_readings(without=["E-101"]))
    empty_archive.append(
        [
            reading("E-101", STARTS[0], "1000"),
            reading("E-101", STARTS[1], "1250.5"),
            reading("E-101", STARTS[2], later),
        ]
    )
    books.bill("2026-10")

    run = books.compute(books.create("2026-11"))

    (problem,) = run.communities[0].problems
    assert (problem.kind, problem.subject) == ("FallingRegister", "E-101")
