"""Fees that read what a unit has: what is known, what is assumed, and what has no result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from small_community import FEE, TARIFFS, UNITS, after, changed, community_document

from billing.holding import hold

if TYPE_CHECKING:
    from small_community import Books

FORMULA = {
    "name": "cleaning",
    "title": {"en": "Cleaning"},
    "kind": "formula",
    "formula": "60 [CNY] × 1 [person] ÷ persons",
    "prorate": True,
}


def cleaning(**more: Any) -> tuple[dict[str, Any], ...]:
    """Return the tariffs with cleaning by persons in the place of the property fee."""
    example = {"attributes": {"persons": 2}, "expect": "30.00"}
    fee = {**FEE, "charge": [FORMULA], "example": [example], **more}
    return tuple(fee if each["id"] == "fee" else each for each in TARIFFS)


def living(persons: dict[str, str]) -> dict[str, Any]:
    return changed(
        community_document(),
        unit={unit: {"persons": persons[unit]} for unit in UNITS if unit in persons},
    )


def test_a_formula_is_billed_to_each_unit(blank_books: Books) -> None:
    blank_books.define(living(dict.fromkeys(UNITS, "7")), tariffs=cleaning())
    blank_books.bill()

    rows = blank_books.rows(
        "SELECT quantity, amount FROM bill_line WHERE charge = 'cleaning' ORDER BY bill_id"
    )
    assert rows == [(85_714, 857)] * len(UNITS)
    assert blank_books.verify(1).failures == []


def test_a_unit_for_which_a_formula_has_no_result_blocks_and_is_not_billed_nothing(
    blank_books: Books,
) -> None:
    blank_books.define(living({**dict.fromkeys(UNITS, "2"), "201": "0"}), tariffs=cleaning())
    (part,) = blank_books.compute(blank_books.create()).communities

    (problem,) = part.problems
    assert (problem.kind, problem.subject) == ("NoResult", "201")
    assert "a formula of tariff 'fee' has no result" in problem.text
    assert blank_books.rows("SELECT * FROM bill") == []


def test_a_held_unit_without_a_result_takes_no_line_from_the_others(blank_books: Books) -> None:
    blank_books.define(living({**dict.fromkeys(UNITS, "2"), "201": "0"}), tariffs=cleaning())
    run_id = blank_books.create()
    hold(
        blank_books.database,
        run_id=run_id,
        community="yard",
        unit="201",
        reason="who lives there?",
        actor="clerk",
        now=after("2026-10"),
    )
    (part,) = blank_books.compute(run_id).communities

    assert part.problems == ()
    rows = blank_books.rows(
        "SELECT unit.code, line.amount FROM bill_line line JOIN bill ON bill.id = line.bill_id"
        " JOIN unit ON unit.id = bill.unit_id WHERE charge = 'cleaning' ORDER BY unit.code"
    )
    assert rows == [("101", 3000), ("202", 3000), ("301", 3000)]


def test_what_is_not_known_blocks_unless_the_tariff_says_what_to_take(blank_books: Books) -> None:
    known = living({"101": "2", "201": "2", "202": "2"})
    blank_books.define(known, tariffs=cleaning())
    (part,) = blank_books.compute(blank_books.create()).communities

    assert [(each.kind, each.subject) for each in part.problems] == [("NoAttribute", "301")]


def test_what_is_assumed_stands_in_the_evidence(blank_books: Books) -> None:
    known = living({"101": "2", "201": "2", "202": "2"})
    blank_books.define(known, tariffs=cleaning(assume={"persons": "4"}))
    blank_books.bill()

    rows = blank_books.rows(
        "SELECT amount FROM bill_line WHERE charge = 'cleaning' ORDER BY bill_id"
    )
    assert rows == [(3000,), (3000,), (3000,), (1500,)]
    assert blank_books.verify(1).failures == []
