"""What a reviewer is shown of a computed month, and how it differs from the month before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from small_community import SHOWN, STARTS, Books, boundary_readings, reading

from billing import comparison
from billing.anomalies import AnomalyKind
from billing.comparison import Difference
from billing.store.views import changes

if TYPE_CHECKING:
    from billing.store.runs import Run
    from meters.archive.sql import SqlArchive

MINUTE = timedelta(minutes=1)


def found(run: Run, kind: AnomalyKind) -> set[tuple[str, str]]:
    return {
        (each.unit, each.subject)
        for part in run.communities
        for each in part.anomalies
        if each.kind is kind
    }


def with_november(books: Books, archive: SqlArchive, **shown: str) -> Run:
    """Bill October, then compute November with what some meters show at its end instead."""
    archive.append(boundary_readings(without=shown))
    for meter, last in shown.items():
        first, second, _ = SHOWN[meter]
        for start, value in zip(STARTS, (first, second, last), strict=True):
            archive.append([reading(meter, start + MINUTE, value)])
    books = Books(books.database, archive)
    books.define()
    books.bill("2026-10")
    return books.compute(books.create("2026-11"))


def test_a_first_month_has_nothing_to_be_compared_with(sqlite_books: Books) -> None:
    run = sqlite_books.compute(sqlite_books.create())

    kinds = {each.kind for each in run.communities[0].anomalies}
    assert not kinds & {AnomalyKind.NEW, AnomalyKind.MISSING, AnomalyKind.HIGH}


def test_a_use_of_more_than_three_times_the_median_is_high(
    blank_books: Books, empty_archive: SqlArchive
) -> None:
    """E-101 used 250.5 kWh in October: 751.5 is three times that, and not more."""
    run = with_november(blank_books, empty_archive, **{"E-101": "2002.01"})
    assert ("101", "E-101 import_energy") in found(run, AnomalyKind.HIGH)


def test_three_times_the_median_is_not_high(blank_books: Books, empty_archive: SqlArchive) -> None:
    run = with_november(blank_books, empty_archive, **{"E-101": "2002.00"})
    assert ("101", "E-101 import_energy") not in found(run, AnomalyKind.HIGH)


def test_a_unit_that_used_something_and_now_nothing_is_shown(
    blank_books: Books, empty_archive: SqlArchive
) -> None:
    run = with_november(blank_books, empty_archive, **{"E-101": SHOWN["E-101"][1]})

    assert found(run, AnomalyKind.ZERO) == {("101", "E-101 import_energy")}


def test_what_is_always_empty_is_not_shown(blank_books: Books, empty_archive: SqlArchive) -> None:
    run = with_november(blank_books, empty_archive)

    assert "202" not in {unit for unit, _ in found(run, AnomalyKind.ZERO)}


def test_what_was_not_read_is_shown(blank_books: Books, empty_archive: SqlArchive) -> None:
    empty_archive.append(boundary_readings(without=["W-101"]))
    for hours, value in ((-1, "30.8"), (1, "30.9")):
        empty_archive.append([reading("W-101", STARTS[1] + timedelta(hours=hours), value)])
    empty_archive.append([reading("W-101", STARTS[0] + MINUTE, "12.345")])
    books = Books(blank_books.database, empty_archive)
    books.define()

    run = books.compute(books.create())

    assert found(run, AnomalyKind.ESTIMATED) == {("101", "W-101 volume")}


def test_what_comes_and_goes_is_shown(sqlite_books: Books) -> None:
    sqlite_books.bill("2026-10")
    sqlite_books.execute("UPDATE community SET tariffs = replace(tariffs, ',\"fee\"', '')")

    run = sqlite_books.compute(sqlite_books.create("2026-11"))

    assert {charge for _, charge in found(run, AnomalyKind.MISSING)} == {"property-fee", "refuse"}
    assert found(run, AnomalyKind.NEW) == set()


def test_a_run_shows_how_it_differs_from_the_month_before(books: Books) -> None:
    books.bill("2026-10")
    run = books.compute(books.create("2026-11"))

    with books.database.snapshot() as connection:
        shown = changes.differences(connection, run.communities[0])

    of_101 = {each.charge: (each.before, each.now) for each in shown if each.unit == "101"}
    assert of_101["energy"] == (12484, 11299)
    assert "property-fee" not in of_101, "it is the same in both"


def test_differences_name_what_was_not_billed_on_one_side() -> None:
    before = {("1", "fee"): 500, ("1", "gone"): 0, ("2", "fee"): 7}
    now = {("1", "fee"): 500, ("1", "new"): -3, ("2", "fee"): 9}

    assert comparison.differences(before, now) == (
        Difference("1", "gone", 0, None),
        Difference("1", "new", None, -3),
        Difference("2", "fee", 7, 9),
    )
    assert [each.amount for each in comparison.differences(before, now)] == [0, -3, 2]
