"""Pools whose supply has bands, demand, or another price within the month: exact in every part."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from banded_yard import (
    BY_CALENDAR,
    BY_REGISTERS,
    PRICES,
    REGISTERS,
    WITH_DEMAND,
    charge,
    counted,
    define,
    document,
    hourly,
    hourly_document,
    hours,
    later,
    pool,
)
from click.testing import CliRunner
from small_community import LIGHTS, PUBLIC, ZONE, Books, after, reading

from billing.commands.main import billing
from billing.store import papers
from meters.interval import local_midnight

if TYPE_CHECKING:
    from datetime import datetime

    from billing.store.runs import Run

USED = {"flat": "30.01", "peak": "20.5", "valley": "11"}
FLAT, PEAK, VALLEY = "15.01", "18.45", "3.30"
"""What USED costs; 30.01 × 0.5 is 15.005."""


def printed(books: Books, *options: str) -> str:
    """Return what the command says of the only statement."""
    ((number,),) = books.rows("SELECT id FROM statement")
    command = ["statement", str(number), "--database", books.database.url, *options]
    return CliRunner().invoke(billing, command, catch_exceptions=False).stdout


def published(books: Books) -> dict[str, Any]:
    """Return the only statement as it is published."""
    document: dict[str, Any] = json.loads(printed(books, "--json"))
    return document


def parts(statement: dict[str, Any]) -> list[tuple[str | None, str, str]]:
    """Return band, quantity and amount of each part of the supply."""
    rows = statement["supply"]["parts"]
    return [(each.get("band"), each["quantity"], each["amount"]) for each in rows]


def assert_exact_in_every_part(statement: dict[str, Any]) -> None:
    """Hold what each bears of each part against the parts and against the shares."""
    rows, shares = statement["supply"]["parts"], statement["shares"]
    for name, of_part, of_share in (
        ("steps", "amount", "amount"),
        ("step_quantities", "quantity", "quantity"),
    ):
        table = [[Decimal(cell) for cell in share[name]] for share in shares]
        assert [sum(column) for column in zip(*table, strict=True)] == [
            Decimal(each[of_part]) for each in rows
        ]
        energy = [place for place, each in enumerate(rows) if each["charge"] == "energy"]
        counted_ = energy if name == "step_quantities" else range(len(rows))
        assert [sum(row[place] for place in counted_) for row in table] == [
            Decimal(each[of_share]) for each in shares
        ]


def problems(run: Run) -> list[tuple[str, str]]:
    return [(each.kind, each.text) for each in run.communities[0].problems]


def test_each_band_of_tariff_registers_is_shared_exactly(blank_books: Books) -> None:
    blank_books.archive.append(list(counted("lift", USED)))
    shared = pool("bands", point="lift", registers=sorted(REGISTERS.values()))
    define(blank_books, [shared], BY_REGISTERS, community=document("lift"))
    run = blank_books.bill()

    statement = published(blank_books)
    assert (statement["supply"]["quantity"], statement["supply"]["amount"]) == ("61.51", "36.76")
    assert parts(statement) == [
        ("flat", "30.01", FLAT),
        ("peak", "20.5", PEAK),
        ("valley", "11", VALLEY),
    ]
    assert_exact_in_every_part(statement)
    assert {each["amount"] for each in statement["shares"]} == {"9.19"}
    assert blank_books.verify(run.id).failures == []
    said = printed(blank_books)
    assert "energy peak" in said
    assert "20.5 kWh x 0.9        18.45" in said


def test_one_register_is_divided_by_the_calendar_of_its_tariff(blank_books: Books) -> None:
    blank_books.archive.append(hourly())
    define(blank_books, [pool("hours")], BY_CALENDAR, community=hourly_document())
    run = blank_books.bill()

    used: Counter[str] = Counter()
    for _, band, use in hours():
        used[band] += use
    statement = published(blank_books)
    assert [(band, Decimal(quantity)) for band, quantity, _ in parts(statement)[:3]] == [
        (band, Decimal(use) / 100) for band, use in sorted(used.items())
    ]
    exact = sum(use * Decimal(PRICES[band]) for band, use in used.items()) / 100
    assert abs(Decimal(statement["supply"]["amount"]) - exact) <= Decimal("0.005")
    assert_exact_in_every_part(statement)
    assert blank_books.verify(run.id).failures == []


def test_demand_is_billed_in_kw_and_borne_like_the_rest(blank_books: Books) -> None:
    blank_books.archive.append(hourly())
    define(blank_books, [pool("power-and-hours")], WITH_DEMAND, community=hourly_document())
    run = blank_books.bill()

    highest = max(use for _, _, use in hours())
    statement = published(blank_books)
    demand = next(each for each in statement["supply"]["parts"] if each["charge"] == "demand")
    assert demand == {
        "charge": "demand",
        "quantity": "0.27",
        "unit": "kW",
        "price": "30",
        "amount": "8.10",
    }
    assert highest == 27
    assert_exact_in_every_part(statement)
    assert blank_books.verify(run.id).failures == []


AT_15 = local_midnight(later(PUBLIC, 15)["valid_from"], ZONE)
DEARER = later(PUBLIC, 15, charge=[{**PUBLIC["charge"][0], "price": "1"}])
DEARER["example"] = [{"usage": "1", "expect": "1.00"}]


@pytest.mark.parametrize(
    ("read", "expect", "by"),
    [
        # 90.55 kWh, of which 60.05 before the 15th
        ([("lights", AT_15, "560.05")], [("60.05", "33.53"), ("30.5", "30.50")], "readings"),
        # 14 of 31 days
        ([], [("40.89", "22.83"), ("49.66", "49.66")], "days"),
    ],
    ids=["readings", "days"],
)
def test_a_price_that_changes_divides_by_readings_else_by_days_and_says_which(
    read: list[tuple[str, datetime, str]],
    expect: list[tuple[str, str]],
    by: str,
    blank_books: Books,
) -> None:
    blank_books.archive.append([reading(*each) for each in read])
    define(blank_books, [LIGHTS], DEARER)
    run = blank_books.bill()

    statement = published(blank_books)
    assert [
        (each["quantity"], each["amount"])
        for each in statement["supply"]["parts"]
        if each["charge"] == "energy"
    ] == expect
    assert statement["supply"]["cuts"] == [{"from": "2026-10-15", "by": by}]
    assert statement["supply"]["quantity"] == "90.55"
    assert_exact_in_every_part(statement)
    assert blank_books.verify(run.id).failures == []
    said = printed(blank_books)
    assert f"divided   from 2026-10-15 on by {by}" in said


def test_a_price_change_that_changes_no_price_changes_no_total(blank_books: Books) -> None:
    blank_books.archive.append([reading("lights", AT_15, "560.05")])
    define(blank_books, [LIGHTS], later(PUBLIC, 15))
    blank_books.bill()

    # 90.55 × 0.5583 is 50.55, while 60.05 and 30.50 by themselves come to 33.53 and 17.03
    assert published(blank_books)["supply"]["amount"] == "50.55"


MASTER = {"flat": "100", "peak": "50", "valley": "40"}
SUBS = {
    "E-201": {"flat": "60", "peak": "30", "valley": "20"},
    "E-301": {"flat": "30", "peak": "15", "valley": "15"},
}
LOST = pool(
    "bands",
    point="lift",
    registers=sorted(REGISTERS.values()),
    subs=["E-201", "E-301"],
    loss_band=["0", "0.2"],
)


def with_master(books: Books, subs: dict[str, dict[str, str]]) -> None:
    for code, used in {"lift": MASTER, **subs}.items():
        books.archive.append(list(counted(code, used)))
    define(books, [LOST], BY_REGISTERS, community=document("lift", *subs))


def test_a_loss_is_what_is_lost_in_each_band(blank_books: Books) -> None:
    with_master(blank_books, SUBS)
    run = blank_books.bill()

    statement = published(blank_books)
    assert parts(statement) == [
        ("flat", "10", "5.00"),
        ("peak", "5", "4.50"),
        ("valley", "5", "1.50"),
    ]
    assert (statement["supply"]["quantity"], statement["supply"]["amount"]) == ("20", "11.00")
    loss = statement["evidence"]["loss"]
    assert loss["bands"]["peak"] == {"master": "50", "lost": "5"}
    assert loss["of_cost"] == "11/107"
    assert_exact_in_every_part(statement)
    assert blank_books.verify(run.id).failures == []


def test_a_band_in_which_subs_count_more_than_their_master_is_held(blank_books: Books) -> None:
    with_master(blank_books, {**SUBS, "E-301": {"flat": "20", "peak": "25", "valley": "15"}})
    waiting = blank_books.compute(blank_books.create())

    ((kind, text),) = problems(waiting)
    assert kind == "LossOutsideBand"
    assert "20 of its master's use is lost, but in peak -5, so its meters disagree" in text

    with blank_books.database.transaction() as connection:
        ((community_id,),) = blank_books.rows("SELECT id FROM community")
        papers.approve_loss(
            connection,
            community_id=community_id,
            pool="lights",
            period="2026-10",
            lost=200_000,
            reason="its clock is a band late",
            actor="head",
            now=after("2026-10"),
        )
    run = blank_books.bill_run(waiting.id)
    assert parts(published(blank_books)) == [
        ("flat", "20", "10.00"),
        ("peak", "-5", "-4.50"),
        ("valley", "5", "1.50"),
    ]
    assert_exact_in_every_part(published(blank_books))
    assert blank_books.verify(run.id).failures == []


def test_what_subs_are_charged_and_the_loss_come_to_what_the_master_costs(
    blank_books: Books,
) -> None:
    with_master(blank_books, SUBS)
    blank_books.bill()

    billed = sum(
        Decimal(use) * Decimal(PRICES[band]) for used in SUBS.values() for band, use in used.items()
    )
    whole = sum(Decimal(use) * Decimal(PRICES[band]) for band, use in MASTER.items())
    assert billed + Decimal(published(blank_books)["supply"]["amount"]) == whole


CONTRACTED = {
    **WITH_DEMAND,
    "charge": [
        *BY_CALENDAR["charge"],
        charge(
            "demand",
            "demand",
            register="import_energy",
            minutes=60,
            price="30",
            least={"attribute": "subscribed_kva", "share": "0.4"},
        ),
    ],
    "example": [
        {
            "bands": [[band, "1"] for band in sorted(PRICES)],
            "demand": "2",
            "attributes": {"subscribed_kva": "1"},
            "expect": "61.70",
        }
    ],
}
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a loss by a calendar": (
        pool("hours", subs=["E-301"], loss_band=["0", "1"]),
        BY_CALENDAR,
        "let registers count the bands, of the master and its subs, or share all that the master",
    ),
    "demand of two meters": (
        pool("power-and-hours", points=["lights", "pump"]),
        WITH_DEMAND,
        "make each of its points a pool of its own",
    ),
    "other registers": (
        pool("bands"),
        BY_REGISTERS,
        "import_energy_t3, and the pool shares import_energy; let both name the same",
    ),
    "a contracted demand": (
        pool("power-and-hours"),
        CONTRACTED,
        "reads 'subscribed_kva', and a shared meter has none; let the tariff assume it",
    ),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_cannot_be_shared_says_what_to_do(case: str, blank_books: Books) -> None:
    shared, tariff, words = REFUSED[case]
    blank_books.archive.append(hourly())
    define(blank_books, [shared], tariff, community=hourly_document())

    found = problems(blank_books.compute(blank_books.create()))

    assert any(kind == "TariffMismatch" and words in text for kind, text in found), found


def test_a_contracted_demand_that_the_tariff_assumes_is_billed(blank_books: Books) -> None:
    blank_books.archive.append(hourly())
    assuming = {**CONTRACTED, "assume": {"subscribed_kva": "1"}}
    define(blank_books, [pool("power-and-hours")], assuming, community=hourly_document())
    run = blank_books.bill()

    demand = published(blank_books)["supply"]["parts"][-1]
    assert (demand["quantity"], demand["amount"]) == ("0.4", "12.00")
    assert blank_books.verify(run.id).failures == []
