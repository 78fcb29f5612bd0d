"""Bundles of bills that rest on pools of every kind: recomputed offline, and no change passes."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from banded_yard import (
    BY_CALENDAR,
    BY_REGISTERS,
    REGISTERS,
    WITH_DEMAND,
    counted,
    define,
    document,
    hourly,
    hourly_document,
    later,
    pool,
)
from forged_bundle import changed, exported, flipped, found, leaves
from small_community import LIGHTS, PUBLIC, ZONE, Books, community_document, reading

from billing.bundle import sealed
from billing.bundle_check import check_bundle
from meters.interval import local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = "yard-2026-10-0002"
EVERY = 7
"""Every how many values of a statement one is changed."""
NOT_HELD = (
    r".*\.raw",
    r".*\.time",
    r".*\.segments\.\d+\.modulus",
    r"pool\.(version|title\..*|charging\.contract|source\.loss_band\.\d+)",
    r"evidence\.participants\.\d+\.(unit|account|building|floor|vacant)",
    r".*\.estimate\.samples\.\d+\.(start|end)",
    r"evidence\.sources\.\d+\.(point|findings\..*|steps\.pieces\.\d+\.known|peaks\..*)",
)
"""What nothing follows from, or what only the digest of the file tells."""


def lost(books: Books) -> None:
    """A loss between a master and two meters of homes, of which one is a neighbour's."""
    used = {
        "lift": {"flat": "100", "peak": "50", "valley": "40"},
        "E-201": {"flat": "60", "peak": "30", "valley": "20"},
        "E-301": {"flat": "30", "peak": "15", "valley": "15"},
    }
    for code, bands in used.items():
        books.archive.append(list(counted(code, bands)))
    registers = sorted(REGISTERS.values())
    behind = {"subs": ["E-201", "E-301"], "loss_band": ["0", "0.2"]}
    shared = pool("bands", point="lift", registers=registers, **behind)
    define(books, [shared], BY_REGISTERS, community=document(*used))


def owner_changed(books: Books) -> None:
    """A home that changes hands on the 12th, in a pool by days."""
    change = local_midnight(date(2026, 10, 12), ZONE)
    books.archive.append([reading("E-301", change, "999900"), reading("W-301", change, "110")])
    community = community_document()
    (account,) = (each for each in community["account"] if each["unit"] == "301")
    account["after_day"] = date(2026, 10, 12)
    community["account"].append(
        {"code": "B-301", "unit": "301", "holder": "李", "first_day": date(2026, 10, 12)}
    )
    define(books, [{**LIGHTS, "owner_change": "by days"}], community=community)


def with_demand(books: Books) -> None:
    books.archive.append(hourly())
    define(books, [pool("power-and-hours")], WITH_DEMAND, community=hourly_document())


def by_hours(books: Books) -> None:
    books.archive.append(hourly())
    define(books, [pool("hours")], BY_CALENDAR, community=hourly_document())


def dearer(books: Books) -> None:
    charge = {**PUBLIC["charge"][0], "price": "1"}
    example = [{"usage": "1", "expect": "1.00"}]
    define(books, [LIGHTS], later(PUBLIC, 15, charge=[charge], example=example))


KINDS: dict[str, Callable[[Books], None]] = {
    "a loss behind private meters": lost,
    "an owner who changes": owner_changed,
    "demand": with_demand,
    "time of use": by_hours,
    "another price from the 15th": dearer,
}


def bundle(books: Books, kind: str) -> dict[str, Any]:
    KINDS[kind](books)
    books.bill()
    return exported(books, NUMBER)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bill_is_recomputed_and_what_is_changed_in_its_statement_is_found(
    kind: str, blank_books: Books
) -> None:
    whole = bundle(blank_books, kind)
    assert check_bundle(sealed(whole)).differences == []

    unfound = set()
    for path, value in list(leaves(whole["statements"][0]))[::EVERY]:
        where = ("statements", 0, *path)
        if not found(sealed(changed(whole, where, flipped(value)))):
            unfound.add(".".join(map(str, path)))
    unexpected = {
        path for path in unfound if not any(re.fullmatch(each, path) for each in NOT_HELD)
    }
    assert unexpected == set()


def test_a_loss_tells_no_neighbours_meter(blank_books: Books) -> None:
    whole = bundle(blank_books, "a loss behind private meters")

    (statement,) = whole["statements"]
    assert set(statement["evidence"]["subs"]) == set(statement["pool"]["source"]["subs"])
    assert "E-201" in statement["evidence"]["subs"]
    assert "E-301" not in str(whole)


def moved(whole: dict[str, Any], *, of: int) -> dict[str, Any]:
    """Return a bundle in which use of a statement has moved from one band to the next."""
    runs = whole["statements"][0]["evidence"]["rated"][0]["inputs"]["bands"]["import_energy"]
    where = ("statements", 0, "evidence", "rated", 0, "inputs", "bands", "import_energy")
    for place, more in ((0, of), (1, -of)):
        use = str(Decimal(runs[place][1]) + more)
        whole = changed(whole, (*where, place, 1), use)
    return whole


def test_use_that_moves_to_a_cheaper_band_is_found(blank_books: Books) -> None:
    whole = bundle(blank_books, "time of use")

    said = found(sealed(moved(whole, of=1)))

    assert any("bands of import_energy: the bill says" in each for each in said), said
