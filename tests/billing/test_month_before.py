"""What a month bills differently from the month before: charge by charge, and by unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from billing.comparison import Difference
from billing.store.views import changes

if TYPE_CHECKING:
    from small_community import Books

    from billing.store.runs import CommunityRun

OF_LINES = """
    SELECT bill_line.bill_id, bill_line.position, unit.code, charge, amount
    FROM bill_line JOIN bill ON bill.id = bill_line.bill_id JOIN unit ON unit.id = bill.unit_id
    WHERE bill.period = :period ORDER BY 1, 2"""
SET_AMOUNT = "UPDATE bill_line SET amount = :fen WHERE bill_id = :bill AND position = :position"
RENAME = "UPDATE bill_line SET charge = :new WHERE bill_id = :bill AND position = :position"
DROP = "DELETE FROM bill_line WHERE bill_id = :bill AND position = :position"
SET_TOTAL = """
    UPDATE bill SET total = (SELECT sum(amount) FROM bill_line WHERE bill_id = :bill)
    WHERE id = :bill"""

Charges: TypeAlias = "list[tuple[str, int | None, int | None]]"
"""Charges with what they cost before and now."""


class Months:
    """October issued, and a November whose lines come to the same but for what is moved."""

    def __init__(self, books: Books) -> None:
        self._books = books
        books.bill("2026-10")
        self.run = books.compute(books.create("2026-11")).id
        self.before = {
            (unit, charge): amount
            for _bill, _position, unit, charge, amount in books.rows(OF_LINES, period="2026-10")
        }
        self._lines = {
            (unit, charge): (bill, position)
            for bill, position, unit, charge, _ in books.rows(OF_LINES, period="2026-11")
        }
        assert self.before.keys() == self._lines.keys()
        for line, fen in self.before.items():
            self.bill(*line, fen)

    def bill(self, unit: str, charge: str, fen: int) -> None:
        self._change(SET_AMOUNT, unit, charge, fen=fen)

    def rename(self, unit: str, charge: str, new: str, *, fen: int) -> None:
        self.bill(unit, charge, fen)
        self._change(RENAME, unit, charge, new=new)

    def drop(self, unit: str, charge: str) -> None:
        self._change(DROP, unit, charge)

    def _change(self, sql: str, unit: str, charge: str, **values: object) -> None:
        bill, position = self._lines[unit, charge]
        self._books.execute(sql, bill=bill, position=position, **values)
        self._books.execute(SET_TOTAL, bill=bill)

    def moves(self, *, limit: int = 50, skipped: int = 0) -> tuple[dict[str, Charges], int]:
        """Return the charges that differ by unit, in their order, and how many units move."""
        with self._books.database.snapshot() as connection:
            found = changes.moves(connection, [self._part], limit=limit, skipped=skipped)
        told = {
            each.code: [(one.charge, one.before, one.now) for one in each.charges]
            for each in found.units
        }
        return told, found.count

    def differences(self) -> tuple[Difference, ...]:
        with self._books.database.snapshot() as connection:
            return changes.differences(connection, self._part)

    @property
    def _part(self) -> CommunityRun:
        return self._books.run(self.run).communities[0]


@pytest.fixture
def months(books: Books) -> Months:
    return Months(books)


def test_a_month_alike_moves_nobody_and_of_one_that_differs_that_charge_alone_is_told(
    months: Months,
) -> None:
    assert months.moves() == ({}, 0)
    assert months.differences() == ()

    months.bill("101", "energy", 12484 + 500)  # beside property fee, refuse and water as they were
    assert months.moves() == ({"101": [("energy", 12484, 12984)]}, 1)


def test_charges_that_move_against_each_other_are_told(months: Months) -> None:
    months.bill("101", "energy", 12484 + 100)
    months.bill("101", "refuse", 600 - 100)

    moved = [("energy", 12484, 12584), ("refuse", 600, 500)]
    assert months.moves() == ({"101": moved}, 1)


def test_what_was_not_billed_differs_from_zero(months: Months) -> None:
    months.bill("101", "refuse", 0)
    months.drop("201", "refuse")

    assert months.differences() == (
        Difference("101", "refuse", 600, 0),
        Difference("201", "refuse", 600, None),
    )
    moved = {"101": [("refuse", 600, 0)], "201": [("refuse", 600, None)]}
    assert months.moves() == (moved, 2)


def test_a_charge_of_nothing_that_is_new_moves_a_unit_by_nothing(months: Months) -> None:
    months.rename("201", "refuse", "litter", fen=0)
    months.bill("201", "property-fee", months.before["201", "property-fee"] + 600)

    (charges,), count = (months.moves()[0].values(), months.moves()[1])
    assert (charges[1:], count) == ([("refuse", 600, None), ("litter", None, 0)], 1)


def test_the_largest_moves_come_first_and_pages_follow_each_other(months: Months) -> None:
    for unit, fen in (("101", 601), ("201", 0), ("301", 1900)):
        months.bill(unit, "refuse", fen)

    largest = {
        "301": [("refuse", 600, 1900)],
        "201": [("refuse", 600, 0)],
        "101": [("refuse", 600, 601)],
    }
    found, count = months.moves()
    assert ([*found.items()], count) == ([*largest.items()], 3)
    assert [*months.moves(limit=2)[0]] == ["301", "201"]
    assert months.moves(limit=2, skipped=2) == ({"101": [("refuse", 600, 601)]}, 3)
    assert months.moves(limit=2, skipped=3) == ({}, 0)
