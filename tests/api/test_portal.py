"""What owners and payment clients get: bills, explanations, usage, in pages."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from api import problems
from api.paging import paged, read_cursor, write_cursor
from api.problems import ProblemError

if TYPE_CHECKING:
    from conftest import Caller, House
    from sqlalchemy import Connection

OCTOBER = "osmanthus-2026-10-0002"


def everything(caller: Caller, path: str) -> list[dict[str, Any]]:
    """Follow the cursors of a list to its end."""
    items, cursor = [], ""
    while True:
        page = caller.get(f"{path}{cursor}").json()
        items.extend(page["items"])
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"


def test_a_bill_is_the_sum_of_its_lines_in_exact_texts(billed: House) -> None:
    bill = billed.caller("li").get(f"/v1/bills/{OCTOBER}").json()
    assert bill["total"] == "500.98"
    assert [(line["charge"], line["amount"]) for line in bill["lines"]] == [
        ("energy", "156.16"),  # 240 × 0.4883 + 72.4 × 0.5383
        ("water", "56.80"),  # 3.8 × 5 + 5.4 × 7: 8.2 of the year's first 12 m³ went in September
        ("sewage", "11.26"),  # 9.2 × 0.9 × 1.36
        ("fee", "159.05"),  # 88.36 × 1.8
        ("refuse", "8.00"),
        ("discount", "-7.95"),
        ("b1-lift", "75.69"),
        ("lights", "41.97"),
    ]
    assert sum(Decimal(line["amount"]) for line in bill["lines"]) == Decimal(bill["total"])
    assert (bill["issued_on"], bill["due_on"]) == ("2026-11-15", "2026-11-30")


def test_each_line_says_in_one_sentence_why(billed: House) -> None:
    lines = billed.caller("li").get(f"/v1/bills/{OCTOBER}").json()["lines"]
    assert [line["sentence"] for line in lines] == [
        (
            "312.4 kWh from 1 Oct to 31 Oct, of which 240 in step 1 at ¥0.4883, 72.4 in step 2 at "
            "¥0.5383 (steps of the month)."
        ),
        (
            "9.2 m³ from 1 Oct to 31 Oct, of which 3.8 in step 1 at ¥5.00, 5.4 in step 2 at ¥7.00 "
            "(steps of the year)."
        ),
        "90% of the 9.2 m³ from 1 Oct to 31 Oct, that is 8.28 m³, at ¥1.36 per m³.",
        "88.36 m² at ¥1.80 per m² for one month.",
        "¥8.00 for October 2026.",
        "−5% of ¥159.05 (Property fee).",
        (
            "356.5 kWh for ¥199.03, shared by floor area: 88.36 of 209.11 m² are yours; 10% is"
            " borne by the property company."
        ),
        "300.7 kWh for ¥167.88, shared equally by household: 1 of 4 households are yours.",
    ]


def test_sentences_come_in_chinese_where_it_is_asked_for(billed: House) -> None:
    answer = billed.caller("li").get(
        f"/v1/bills/{OCTOBER}", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}
    )
    assert answer.json()["lines"][0]["sentence"] == (
        "10月1日至10月31日用量 312.4 kWh：第 1 档 240，单价 ¥0.4883；第 2 档 72.4，单价 ¥0.5383"
        "（按月度阶梯）。"
    )


def test_every_line_explains_itself_and_holds(billed: House) -> None:
    caller = billed.caller("li")
    for position in range(1, 9):
        line = caller.get(f"/v1/bills/{OCTOBER}/lines/{position}").json()
        assert line["check"] == {"holds": True, "differences": []}, line


def test_a_metered_line_leads_to_the_raw_words(billed: House) -> None:
    line = billed.caller("li").get(f"/v1/bills/{OCTOBER}/lines/1").json()
    (segment,) = line["usage"]["segments"]
    assert (segment["opening"]["value"], segment["closing"]["value"]) == ("5401.9", "5714.3")
    assert segment["opening"]["source"] == "issued", "October opens with what closed September"
    assert segment["closing"]["source"] == "read"
    assert segment["closing"]["readings"] == [
        {
            "time": "2026-10-31T16:00:14Z",
            "value": "5714.3",
            "raw": "45b2 9266",
            "verdict": "good",
        }
    ]
    keys = ("step", "quantity", "price", "amount", "above", "until")
    assert [tuple(part[key] for key in keys) for part in line["parts"]] == [
        (1, "240", "0.4883", "117.192", "0", "240"),
        (2, "72.4", "0.5383", "38.97292", "240", "400"),
        (3, "0", "0.7883", "0", "400", None),
    ]
    assert {(part["band"], part["divisor"]) for part in line["parts"]} == {(None, 1)}
    assert line["tariff"]["rounding"] == {"direction": "half-up", "unit": "0.01", "place": "line"}


def test_a_shared_line_leads_to_its_statement(billed: House) -> None:
    caller = billed.caller("li")
    share = caller.get(f"/v1/bills/{OCTOBER}/lines/7").json()["share"]
    assert share["keys"] == [
        {"basis": "area", "part": "1", "key": "88.36", "total": "209.11", "unit": "m2"}
    ]
    assert share["company_share"] == "0.1"
    address = f"/v1/statements/{share['statement']}"
    statement = caller.get(address).json()
    shares = caller.get(f"{address}/shares").json()["items"]
    assert statement["conserved"] is True
    assert statement["amount"] == "199.03"
    assert sum(Decimal(each["amount"]) for each in shares) == Decimal("199.03")


def test_an_owner_sees_other_rooms_masked_and_out_of_order(billed: House) -> None:
    lift = billed.caller("li").get("/v1/statements/2000001").json()
    shares = billed.caller("li").get("/v1/statements/2000001/shares").json()["items"]
    assert [(each["unit"], each["mine"]) for each in shares] == [
        ("1-201", True),
        ("1-•••", False),
        (None, False),
    ]
    assert lift["excluded"] == []
    clerk = billed.caller("clerk").get("/v1/statements/2000001").json()
    named = billed.caller("clerk").get("/v1/statements/2000001/shares").json()["items"]
    assert [each["unit"] for each in named] == ["1-201", "1-202", None]
    assert clerk["excluded"] == [{"unit": "1-101", "reason": "floor"}]


def drop_guards(connection: Connection) -> None:
    triggers = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for name in connection.scalars(triggers).all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


def test_evidence_that_was_changed_does_not_hold(billed: House) -> None:
    """Only behind the back of the database's own guards can an issued line be changed."""
    with billed.database.transaction() as connection:
        drop_guards(connection)
        connection.execute(
            text(
                "UPDATE bill_line SET amount = amount + 1 WHERE bill_id = 2000002 AND position = 1"
            )
        )
    check = billed.caller("li").get(f"/v1/bills/{OCTOBER}/lines/1").json()["check"]
    assert check["holds"] is False
    assert check["differences"]
    page = billed.reader("li").get(f"/bills/{OCTOBER}/lines/1?check=true")
    assert "It does not hold." in page.text


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_cursors_lead_through_all_bills_once(billed: House, limit: int) -> None:
    numbers = [
        each["number"] for each in everything(billed.caller("clerk"), f"/v1/bills?limit={limit}")
    ]
    assert numbers == [
        f"osmanthus-2026-{month}-000{place}" for month in ("10", "09") for place in (1, 2, 3, 4)
    ]


def everything_by(caller: Caller, limit: int) -> list[tuple[str, str]]:
    """Return the bill and the point of all usage, by pages of `limit`."""
    found = everything(caller, f"/v1/usage?limit={limit}")
    return [(each["bill"], each["usage"]["point"]) for each in found]


@pytest.mark.parametrize("limit", [1, 2])
def test_cursors_lead_through_all_usage_once(billed: House, limit: int) -> None:
    found = everything(billed.caller("li"), f"/v1/usage?limit={limit}")
    assert [(each["period"], each["usage"]["register"]) for each in found] == [
        ("2026-10", "import_energy"),
        ("2026-10", "volume"),
        ("2026-09", "import_energy"),
        ("2026-09", "volume"),
    ]


def test_bills_without_usage_between_others_end_no_page(billed: House) -> None:
    clerk = billed.caller("clerk")
    before = everything_by(clerk, 50)
    assert everything_by(clerk, 1) == before
    with billed.database.transaction() as connection:
        drop_guards(connection)
        connection.execute(
            text(
                "UPDATE bill_line SET usage_id = NULL WHERE bill_id IN (2000001, 2000002, 2000003)"
            )
        )
    ended = tuple(f"osmanthus-2026-10-000{number}" for number in (1, 2, 3))
    left = [each for each in before if each[0] not in ended]
    assert everything_by(clerk, 1) == left
    assert 0 < len(left) < len(before)


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!", "W10", "WyIxIl0", "e30", "%00", "WyIyMDI2LTEwIiwiLTEiXQ"]
)
@pytest.mark.parametrize("path", ["/v1/bills", "/v1/usage"])
def test_a_foreign_cursor_is_refused(billed: House, path: str, cursor: str) -> None:
    answer = billed.caller("clerk").get(f"{path}?cursor={cursor}")
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-cursor"


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_a_cursor_holds_any_texts(parts: list[str]) -> None:
    assert read_cursor(write_cursor(parts), len(parts)) == tuple(parts)


@given(st.text())
def test_no_text_but_a_cursor_is_taken_for_one(cursor: str) -> None:
    with pytest.raises(ProblemError) as raised:  # noqa: PT012  a text may happen to be a cursor
        assert len(read_cursor(cursor, 2) or ()) == 2
        raise ProblemError(problems.INVALID_CURSOR)
    assert raised.value.kind is problems.INVALID_CURSOR


@given(st.lists(st.integers(0, 1000), unique=True).map(sorted), st.integers(1, 7))
def test_pages_of_any_size_hold_every_row_once(rows: list[int], limit: int) -> None:
    found: list[int] = []
    after = -1
    while True:
        offered = [row for row in rows if row > after][: limit + 1]
        page = paged(offered, limit, key=lambda row: (str(row),), shown=lambda row: row)
        found += page.items
        if page.next_cursor is None:
            break
        (held,) = read_cursor(page.next_cursor, 1) or ()
        after = int(held)
    assert found == rows


@pytest.mark.parametrize(
    "path",
    [
        "/v1/bills?limit=0",
        "/v1/bills?limit=501",
        "/v1/bills?period=2026-13",
        "/v1/bills?period=%27%20OR%201=1",
        f"/v1/bills/{OCTOBER}/lines/x",
        f"/v1/bills/{OCTOBER}/lines/0",
    ],
)
def test_a_request_that_makes_no_sense_says_where(billed: House, path: str) -> None:
    answer = billed.caller("li").get(path)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "/problems/invalid-request"
    assert problem["errors"][0]["where"]


@pytest.mark.parametrize("number", ["x", "' OR 1=1 --", "../../etc/passwd", "你好", "%2e%2e"])
def test_a_bill_that_does_not_exist_is_not_found(billed: House, number: str) -> None:
    answer = billed.caller("clerk").get(f"/v1/bills/{number}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"
