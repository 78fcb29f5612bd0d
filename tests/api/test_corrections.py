"""Corrections on a page: what would change, and the run that corrects."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing import tables

if TYPE_CHECKING:
    from conftest import House

PREVIEW = "/staff/corrections?community=osmanthus&first=2026-10"


def test_without_a_change_there_is_nothing_to_correct(billed: House) -> None:
    page = billed.reader("clerk").get(PREVIEW).text
    assert "Nothing changes." in page
    assert "Make the correction run" not in page


def test_a_changed_area_is_shown_and_corrected_by_a_run(billed: House) -> None:
    _change_area(billed)
    reader = billed.reader("clerk")
    page = reader.get(PREVIEW).text
    assert "1-201" in page
    assert "Lines taken back" in page
    csrf = reader.csrf(PREVIEW)
    answer = reader.post("/staff/corrections", csrf=csrf, community="osmanthus", first="2026-10")
    assert (answer.status_code, answer.headers.get("location")) == (303, "/staff/runs/3")


def test_on_the_next_bill_a_correction_comes_with_the_run_of_the_next_month(billed: House) -> None:
    table = tables.community
    with billed.database.transaction() as connection:
        connection.execute(table.update().values(corrections="next bill"))
    _change_area(billed)
    reader = billed.reader("clerk")
    csrf = reader.csrf(PREVIEW)
    early = reader.post("/staff/corrections", csrf=csrf, community="osmanthus", first="2026-10")
    assert (early.status_code, "This month cannot be billed now" in early.text) == (409, True)
    billed.now = datetime(2026, 12, 2, tzinfo=UTC)
    reader = billed.reader("clerk")
    csrf = reader.csrf(PREVIEW)
    answer = reader.post("/staff/corrections", csrf=csrf, community="osmanthus", first="2026-10")
    assert (answer.status_code, answer.headers.get("location")) == (303, "/staff/runs/3")
    run = billed.caller("clerk").get("/v1/runs/3").json()
    assert (run["period"], len(run["communities"])) == ("2026-11", 2)


def test_programs_see_what_would_change_and_make_the_run(billed: House) -> None:
    _change_area(billed)
    clerk = billed.caller("clerk")

    seen = clerk.get("/v1/corrections?community=osmanthus&first=2026-10").json()
    asked = {"community": "osmanthus", "first": "2026-10"}
    made = clerk.post("/v1/corrections", key="correct-1", json=asked)

    (month,) = seen["months"]
    assert (month["period"], month["problems"]) == ("2026-10", [])
    moved = {each["unit"]: each for each in month["corrections"]}
    own = moved["1-201"]
    taken, owed = (
        sum(map(Decimal, amounts))
        for amounts in (
            [each["amount"] for each in own["taken_back"]],
            [each["amount"] for each in own["owed"]],
        )
    )
    assert owed - taken == Decimal(own["change"]) != 0
    assert {each["bill"] for each in own["taken_back"]} == {"osmanthus-2026-10-0002"}
    assert (made.status_code, made.json()["id"], made.json()["state"]) == (201, 3, "draft")


def test_the_page_offers_the_last_month_that_is_issued(billed: House) -> None:
    text = billed.reader("clerk").get("/staff/corrections").text

    assert 'name="first" value="2026-10"' in text


def test_a_month_that_is_not_issued_and_an_unknown_community_are_refused(billed: House) -> None:
    reader = billed.reader("clerk")
    early = reader.get("/staff/corrections?community=osmanthus&first=2027-01")
    assert (early.status_code, "This month cannot be billed now" in early.text) == (409, True)
    unknown = reader.get("/staff/corrections?community=elsewhere&first=2026-10")
    assert (unknown.status_code, "There is no such community" in unknown.text) == (422, True)
    csrf = reader.csrf(PREVIEW)
    answer = reader.post("/staff/corrections", csrf=csrf, community="elsewhere", first="2026-10")
    assert answer.status_code == 422


def _change_area(house: House) -> None:
    unit, fact = tables.unit, tables.unit_attribute
    mine = select(unit.c.id).where(unit.c.code == "1-201").scalar_subquery()
    with house.database.transaction() as connection:
        connection.execute(
            fact.update().where(fact.c.unit_id == mine, fact.c.name == "area").values(value="90.00")
        )
