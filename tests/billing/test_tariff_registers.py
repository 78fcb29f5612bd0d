"""Time of use by tariff registers: a line rests on the usage of every register that it counts."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from small_community import (
    STARTS,
    TARIFFS,
    changed,
    community_document,
)

from billing.bundle import sealed
from billing.bundle_check import check_bundle
from billing.store.verification import verify_line
from billing.store.views.bundles import bundle_document
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from small_community import Books

BANDS = {"flat": "0.5", "peak": "0.9", "valley": "0.3"}
REGISTERS = {
    "flat": "import_energy_t1",
    "peak": "import_energy_t2",
    "valley": "import_energy_t3",
}
USED = {"flat": "30", "peak": "20.5", "valley": "11"}

BY_BAND = {
    "kind": "tariff",
    "id": "bands",
    "version": 1,
    "title": {"en": "bands"},
    "currency": "CNY",
    "valid_from": TARIFFS[0]["valid_from"],
    "medium": "electricity",
    "charge": [
        {
            "name": "energy",
            "title": {"en": "energy"},
            "kind": "time-of-use",
            "registers": REGISTERS,
            "prices": BANDS,
        }
    ],
    "example": [
        {"usage": dict.fromkeys(REGISTERS.values(), "1"), "expect": "1.70"},
    ],
}


def bill_by_band(books: Books) -> None:
    """Bill October; flat 301 is by band."""
    document = changed(
        community_document(),
        unit={"301": {"customer_class": "by-band"}},
        point={
            "E-301": {
                "installation": [
                    {
                        "meter": "E-301",
                        "type": "abb-a43",
                        "start": STARTS[0] - timedelta(days=1),
                        "first": dict.fromkeys(REGISTERS.values(), "100"),
                    }
                ]
            }
        },
    )
    document["tariffs"]["by-band"] = ["bands", "fee"]
    books.archive.append(
        [
            Reading(
                Series("E-301", REGISTERS[band]),
                start + timedelta(minutes=1),
                Decimal(100) + month * Decimal(used),
                "00",
                Verdict.GOOD,
            )
            for band, used in USED.items()
            for month, start in enumerate(STARTS)
        ]
    )
    books.define(document, tariffs=(*TARIFFS, BY_BAND))
    books.bill()


def exported(books: Books) -> dict[str, Any]:
    with books.database.snapshot() as connection:
        document = bundle_document(connection, "yard-2026-10-0004")
    assert document is not None
    return document


def test_a_line_by_band_rests_on_the_usage_of_every_register(blank_books: Books) -> None:
    bill_by_band(blank_books)

    bundle = exported(blank_books)

    ((amount,),) = blank_books.rows(
        "SELECT amount FROM bill_line JOIN bill ON id = bill_id WHERE unit_id ="
        " (SELECT id FROM unit WHERE code = '301') AND charge = 'energy'"
    )
    assert amount == 1500 + 1845 + 330
    assert blank_books.verify(1).failures == []
    assert [usage["register"] for usage in bundle["usages"]] == sorted(REGISTERS.values())
    assert bundle["lines"][0]["usages"] == [0, 1, 2]
    assert check_bundle(sealed(bundle)).differences == []


@pytest.mark.parametrize("register", REGISTERS.values())
def test_a_changed_register_is_found_whichever_it_is(register: str, blank_books: Books) -> None:
    bill_by_band(blank_books)
    ((usage_id, text),) = blank_books.rows(
        "SELECT id, evidence FROM usage WHERE register = :register", register=register
    )
    evidence = json.loads(text)
    evidence["segments"][0]["closing"]["value"] = "150"
    for (trigger,) in blank_books.rows(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'usage'"
    ):
        blank_books.execute(f"DROP TRIGGER {trigger}")
    blank_books.execute(
        "UPDATE usage SET evidence = :text WHERE id = :id", text=json.dumps(evidence), id=usage_id
    )

    with blank_books.database.snapshot() as connection:
        differences = verify_line(connection, "yard-2026-10-0004", 1)

    assert [each.what for each in differences] == [f"use of {register}"]


def test_a_register_that_a_bundle_leaves_out_is_missed(blank_books: Books) -> None:
    bill_by_band(blank_books)
    bundle = exported(blank_books)
    bundle["lines"][0]["usages"] = [0, 1]
    del bundle["usages"][2]

    (said,) = check_bundle(sealed(bundle)).differences

    assert said.startswith("line 1, energy: registers: the bill says")


def test_each_register_of_a_bundle_is_held_against_its_line(blank_books: Books) -> None:
    bill_by_band(blank_books)
    bundle = exported(blank_books)
    usage = bundle["usages"][2]
    usage["quantity"] += 10_000
    usage["evidence"]["segments"][0]["closing"]["value"] = "112"

    said = check_bundle(sealed(bundle)).differences

    assert any(each.startswith("line 1, energy: use of import_energy_t3") for each in said), said
