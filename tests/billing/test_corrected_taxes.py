"""Tax and corrections: what a line stated is taken back with it, so that sums of tax are right."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from small_community import FEE, POWER, PUBLIC, STARTS, WATER, after, community_document, reading

from billing import lifecycle
from billing.bundle import sealed
from billing.bundle_check import check_bundle
from billing.store.views.bundles import bundle_document

if TYPE_CHECKING:
    from small_community import Books

VAT = {"name": "vat", "title": {"zh": "增值税"}, "percent": 13, "included": True}
TAXED = {**POWER, "tax": [VAT], "charge": [{**POWER["charge"][0], "tax": "vat"}]}
CORRECTING = "yard-2026-10-0005"


@pytest.fixture
def late(blank_books: Books) -> Books:
    """October is billed, a reading of its end came late, and run 2 is to correct it."""
    blank_books.define(community_document(), tariffs=(TAXED, WATER, FEE, PUBLIC))
    blank_books.bill()
    blank_books.archive.append([reading("E-101", STARTS[1] + timedelta(seconds=1), "1251.00")])
    lifecycle.correct(
        blank_books.database,
        community="yard",
        first="2026-10",
        actor="clerk",
        now=after("2026-11"),
    )
    return blank_books


@pytest.fixture
def corrected(late: Books) -> Books:
    late.bill_run(2)
    return late


def stated(books: Books) -> list[tuple[int, str]]:
    """Return amount in fen and stated tax of unit 101's lines for power."""
    rows = books.rows(
        "SELECT line.amount, line.evidence FROM bill_line line JOIN bill ON bill.id = bill_id"
        " JOIN unit ON unit.id = bill.unit_id WHERE charge = 'energy' AND unit.code = '101'"
        " ORDER BY bill.number, line.position"
    )
    return [(amount, json.loads(text)["tax"]["amount"]) for amount, text in rows]


def test_a_reversal_states_the_tax_that_it_takes_back(corrected: Books) -> None:
    assert stated(corrected) == [(12484, "14.36"), (-12484, "-14.36"), (12511, "14.39")]
    assert corrected.verify(2).failures == []


def exported(books: Books) -> dict[str, Any]:
    with books.database.snapshot() as connection:
        document = bundle_document(connection, CORRECTING)
    assert document is not None
    return document


def test_a_bundle_holds_a_reversal_to_the_tax_that_it_takes_back(corrected: Books) -> None:
    document = exported(corrected)
    assert check_bundle(sealed(document)).differences == []

    document["lines"][0]["evidence"]["tax"]["amount"] = "-14.35"

    assert any("evidence" in each for each in check_bundle(sealed(document)).differences)


def test_another_tax_than_the_one_taken_back_is_found(late: Books) -> None:
    late.compute(2)
    late.execute(
        "UPDATE bill_line SET evidence = replace(evidence, '-14.36', '-14.35')"
        " WHERE bill_id IN (SELECT bill_id FROM correction WHERE reversal)"
    )

    assert any("what it takes back" in each for each in late.verify(2).failures)
