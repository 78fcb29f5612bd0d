"""Use by month and day: as it was billed and read, of the own time only, with gaps that say why."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import osmanthus_court as court
import pytest
from sqlalchemy import event, insert, select, update

from api.pages import columns
from api.pages.columns import Box, Used
from billing import similar, tables
from billing.store import medians
from billing.store.changes import Change, set_attribute
from billing.work_tables import similar_use
from meters.reading import Reading, Reason, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import House

LI, CHEN = "100000000287", "100000000190"
FIRST_MIDNIGHT = datetime(2026, 9, 30, 16, tzinfo=UTC)
"""The first of October begins in Shanghai."""


def asked(house: House, path: str, name: str = "li") -> Any:
    answer = house.caller(name).get(f"/v1/usage/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_month(house: House, path: str = "months") -> dict[str, Any]:
    return {each["month"]: each for each in asked(house, path)["months"]}


def read(house: House, day: int, value: str, verdict: Verdict = Verdict.GOOD) -> None:
    """Have li's electricity meter read a little after the first midnight of `day` of October."""
    at = FIRST_MIDNIGHT + timedelta(days=day - 1, seconds=20)
    reasons = () if verdict is Verdict.GOOD else (Reason.RATE,)
    series = Series("E-1-201", court.ENERGY)
    reading = Reading(series, at, Decimal(value), "0000 0000", verdict, reasons)
    house.app.state.resources.archive.append([reading])


def held_since(house: House, first_day: date) -> None:
    with house.database.transaction() as connection:
        account = tables.account
        connection.execute(
            update(account).where(account.c.code == "A-1-201").values(first_day=first_day)
        )


def enough(house: House, monkeypatch: pytest.MonkeyPatch, fewest: int) -> None:
    """Let so many households make a median."""
    monkeypatch.setattr(similar, "FEWEST", fewest)


def keep(house: House) -> int:
    """Keep the medians of all issued months; return of how many they were not kept."""
    with house.database.transaction() as connection:
        return sum(medians.keep(connection, each) for each in medians.missing(connection))


# --- months ---------------------------------------------------------------------------------------


def test_twelve_months_are_those_that_bills_count(billed: House) -> None:
    found = asked(billed, "months")
    assert {key: found[key] for key in ("payment_code", "room", "medium", "unit")} == {
        "payment_code": LI,
        "room": "1-201",
        "medium": "electricity",
        "unit": "kWh",
    }
    assert [each["month"] for each in found["months"]][::11] == ["2025-11", "2026-10"]
    assert [each["quantity"] for each in found["months"]] == [None] * 10 + ["281.5", "312.4"]
    assert [each["gap"] for each in found["months"]] == ["not-billed"] * 10 + [None] * 2
    water = by_month(billed, "months?medium=water")
    assert (water["2026-09"]["quantity"], water["2026-10"]["quantity"]) == ("8.2", "9.2")


def test_the_same_month_of_the_year_before_stands_beside(billed: House) -> None:
    found = by_month(billed, "months?until=2027-10")
    assert found["2027-10"]["last_year"] == "312.4"
    assert found["2027-09"]["last_year"] == "281.5"
    assert found["2027-08"]["last_year"] is None


def test_who_moved_in_sees_nothing_from_before(billed: House) -> None:
    held_since(billed, date(2026, 10, 1))
    found = by_month(billed)
    assert (found["2026-09"]["quantity"], found["2026-09"]["gap"]) == (None, "not-held")
    assert found["2026-10"]["quantity"] == "312.4"
    assert by_month(billed, "months?until=2027-09")["2027-09"]["last_year"] is None


def test_a_month_that_is_held_in_part_is_not_taken_for_its_part(billed: House) -> None:
    held_since(billed, date(2026, 10, 2))
    october = by_month(billed)["2026-10"]
    assert (october["quantity"], october["gap"]) == (None, "not-billed")


def test_medians_are_of_enough_households_only(
    billed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert by_month(billed)["2026-10"]["similar"] is None, "four households are too few"
    enough(billed, monkeypatch, 4)
    found = by_month(billed)
    assert found["2026-10"]["similar"] == {"median": "150", "by_area": False}
    assert found["2026-09"]["similar"] == {"median": "160", "by_area": False}
    assert found["2026-08"]["similar"] is None
    enough(billed, monkeypatch, 2)
    assert by_month(billed)["2026-10"]["similar"] == {"median": "220", "by_area": True}


def test_who_is_similar_is_as_it_was_in_each_month(
    billed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flat that grows is held against larger ones from then on."""
    with billed.database.transaction() as connection:
        unit, attribute = tables.unit, tables.unit_attribute
        unit_id = connection.scalar(select(unit.c.id).where(unit.c.code == "1-201"))
        row = {"unit_id": unit_id, "since": date(2026, 10, 1), "name": "area", "value": 1_000_000}
        connection.execute(insert(attribute).values(row))
    enough(billed, monkeypatch, 2)
    found = by_month(billed)
    assert found["2026-09"]["similar"] == {"median": "210", "by_area": True}
    assert found["2026-10"]["similar"] == {"median": "250", "by_area": True}


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """Note where the use of all is added up."""
    found: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "sum(" in statement and re.search(r"\busage\b", statement):
            found.append(statement)

    engine = house.database.within(1).engine
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def test_medians_cost_one_question_and_none_once_they_are_kept(
    billed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough(billed, monkeypatch, 2)
    with statements(billed) as first:
        worked_out = asked(billed, "months")
    assert (keep(billed), keep(billed)) == (2, 0)
    with statements(billed) as again:
        assert asked(billed, "months") == worked_out
    assert (len(first), len(again)) == (1, 0)
    assert worked_out["months"][-1]["similar"] == {"median": "220", "by_area": True}


def test_of_too_few_households_no_median_is_kept(
    billed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(billed)
    enough(billed, monkeypatch, 2)
    assert by_month(billed)["2026-10"]["similar"] is None
    with billed.database.snapshot() as connection:
        kept = connection.scalars(select(similar_use.c.medians)).all()
    assert len(kept) == 2
    assert not re.search(r"[1-9]", "".join(kept)), "nobody's own figure stands there"


def test_an_area_that_is_corrected_later_reaches_the_medians(
    billed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough(billed, monkeypatch, 2)
    assert keep(billed) == 2
    assert by_month(billed)["2026-10"]["similar"] == {"median": "220", "by_area": True}

    say(billed, "1-201", since=date(2026, 10, 1))
    say(billed, "1-202", since=date(2027, 1, 1))

    found = by_month(billed)
    assert found["2026-10"]["similar"] == {"median": "250", "by_area": True}
    assert found["2026-09"]["similar"] == {"median": "210", "by_area": True}
    assert keep(billed) == 1, "September's households are as they were"
    assert by_month(billed) == found


def say(house: House, unit: str, *, since: date) -> None:
    """Let a unit be of 100 m² since a day."""
    change = Change(
        community="osmanthus",
        unit=unit,
        since=since,
        actor="clerk",
        reason="measured again",
        now=house.now,
    )
    with house.database.transaction() as connection:
        set_attribute(connection, change, "area", Decimal(100))


# --- days -----------------------------------------------------------------------------------------


def test_days_are_differences_at_midnights_and_gaps_where_nothing_was_read(billed: House) -> None:
    read(billed, 2, "5412")
    read(billed, 3, "5420.5")
    found = asked(billed, "days?month=2026-10")
    days = {each["day"]: each for each in found["days"]}
    assert len(days) == 31
    assert [days[f"2026-10-0{day}"]["quantity"] for day in (1, 2, 3)] == ["10.1", "8.5", None]
    assert days["2026-10-03"]["gap"] == "not-read"
    assert days["2026-10-01"]["gap"] is None


def test_a_day_of_which_only_a_glitch_was_read_is_a_gap(billed: House) -> None:
    read(billed, 2, "99999.9", Verdict.SUSPECT)
    found = asked(billed, "days?month=2026-10")["days"]
    assert (found[0]["quantity"], found[0]["gap"]) == (None, "not-read")


def test_a_counter_that_ran_back_is_in_doubt(billed: House) -> None:
    read(billed, 2, "5412")
    read(billed, 3, "5405")
    found = asked(billed, "days?month=2026-10")["days"]
    assert (found[1]["quantity"], found[1]["gap"]) == (None, "in-doubt")


def test_days_of_a_billed_month_begin_and_end_with_what_was_billed(billed: House) -> None:
    """What bills rest on counts, also where somebody stated it in place of a reading."""
    for day, value in enumerate(range(5410, 5710, 10), 2):
        read(billed, day, str(value))
    found = asked(billed, "days?month=2026-10")["days"]
    assert sum(Decimal(each["quantity"]) for each in found) == Decimal("312.4")


def test_days_end_with_yesterday_and_have_the_year_before_beside_them(billed: House) -> None:
    read(billed, 2, "5412")
    found = asked(billed, "days")
    assert (found["month"], len(found["days"])) == ("2026-11", 14)
    billed.now = datetime(2027, 11, 2, tzinfo=UTC)
    billed.tokens.clear()
    days = asked(billed, "days?month=2027-10")["days"]
    assert (days[0]["day"], days[0]["last_year"]) == ("2027-10-01", "10.1")
    assert days[1]["last_year"] is None
    assert asked(billed, "days?month=2030-01")["days"] == []


def test_days_before_the_account_are_not_held(billed: House) -> None:
    read(billed, 2, "5412")
    read(billed, 3, "5420.5")
    held_since(billed, date(2026, 10, 2))
    found = asked(billed, "days?month=2026-10")["days"]
    assert (found[0]["quantity"], found[0]["gap"]) == (None, "not-held")
    assert found[1]["quantity"] == "8.5"


def test_similar_households_are_told_by_the_day_as_an_average(
    billed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(billed, "days")["similar"] is None
    enough(billed, monkeypatch, 4)
    told = {"median": "4.8", "by_area": False, "month": "2026-10"}
    assert asked(billed, "days")["similar"] == told
    assert asked(billed, "days?month=2026-10")["similar"] == told
    assert asked(billed, "days?month=2026-08")["similar"] is None


# --- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["months", "days"])
def test_what_is_held_already_is_not_sent_again(billed: House, path: str) -> None:
    caller = billed.caller("li")
    tag = caller.get(f"/v1/usage/{path}").headers["ETag"]
    again = caller.get(f"/v1/usage/{path}", headers={"If-None-Match": tag})
    assert (again.status_code, again.text) == (304, "")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"months?code={CHEN}", 404),
        (f"days?code={CHEN}", 404),
        ("months?medium=gas", 404),
        ("months?until=0001-01", 422),
        ("days?month=9999-12", 422),
        ("days?month=2026-13", 422),
        (f"months?code={LI}", 200),
    ],
)
def test_what_is_not_there_is_told_so(billed: House, path: str, status: int) -> None:
    assert billed.caller("li").get(f"/v1/usage/{path}").status_code == status


def text_of(house: House, path: str, language: str = "en") -> str:
    page = house.reader("li", language).get(path).text
    assert len(page.encode()) < 30_000
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<main")[2]))


def test_the_page_says_in_a_table_what_its_picture_shows(billed: House) -> None:
    shown = text_of(billed, "/meters/usage")
    assert "October 2026 312.4 – –" in shown
    assert "November 2025 not billed yet" in shown
    assert "尚未出账" in text_of(billed, "/meters/usage", "zh-CN")
    read(billed, 2, "5412")
    days = text_of(billed, "/meters/usage/days?month=2026-10")
    assert "1 Oct 10.1 –" in days
    assert "2 Oct not read" in days
    assert "未抄到" in text_of(billed, "/meters/usage/days?month=2026-10", "zh-CN")


def test_my_meters_lead_to_the_use_of_each(billed: House) -> None:
    reader = billed.reader("li")
    found = re.findall(r'href="(/meters/usage\?[^"]+)"', reader.get("/meters").text)
    assert len(found) == 2
    for each in found:
        assert reader.get(each.replace("&amp;", "&")).status_code == 200


def test_columns_stand_side_by_side_and_gaps_are_drawn() -> None:
    drawing = columns.drawn(
        [Used(3_124_000, 2_000_000, 2_500_000), Used(None, is_gap=True), Used(0, estimated=True)]
    )
    assert drawing is not None
    assert drawing.top == 5_000_000
    assert drawing.boxes == (
        Box(33, 144, 133, 96, "earlier"),
        Box(133, 91, 166, 149, "used"),
        Box(0, 120, 333, 3, "similar"),
        Box(349, 224, 299, 16, "gap"),
        Box(799, 238, 167, 2, "estimated"),
    )
    assert columns.drawn([Used(None), Used(None, similar=3)]) is None
