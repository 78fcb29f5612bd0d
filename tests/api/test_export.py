"""My data: one archive with all of it, and with nothing of a neighbour."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from api import exporting
from api.language import english
from api.principal import Principal
from api.store import logins
from billing.bundle_check import check_bundle
from billing.delivery.event import Kind
from billing.store import audit, delivery_contacts

if TYPE_CHECKING:
    from conftest import House

BILLS = ["osmanthus-2026-09-0002", "osmanthus-2026-10-0002"]
NEIGHBOURS = (
    *("陈晓", "王芳", "Ada Zhou", "1-101", "1-202", "2-101"),
    *("osmanthus-2026-10-0001", "osmanthus-2026-10-0003", "osmanthus-2026-10-0004"),
    "chen@example.com",
)


def archive(house: House, name: str = "li") -> ZipFile:
    answer = house.caller(name).get("/v1/export", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    return ZipFile(io.BytesIO(answer.content))


def busy(house: House) -> House:
    """Let the owner pay and ask, and a neighbour too."""
    for name, number in (("li", "0002"), ("chen", "0001")):
        caller = house.caller(name)
        code = caller.get("/v1/payables").json()["items"][0]["payment_code"]
        paid = house.caller("clerk").post(
            "/v1/payments",
            key=f"cash-{name}-1",
            json={"payment_code": code, "channel": "cash", "amount": "7.00", "document": name},
        )
        asked = caller.post(
            f"/v1/bills/osmanthus-2026-10-{number}/lines/1/disputes",
            key=f"ask-{name}-01",
            json={"reason": f"asked by {name}"},
        )
        assert (paid.status_code, asked.status_code) == (201, 201)
        with house.database.transaction() as connection:
            delivery_contacts.state(
                connection,
                person=name,
                accounts=[1],
                channel="email",
                address=f"{name}@example.com",
                language="en",
                kinds=[Kind.BILL_ISSUED],
                now=house.now,
            )
    return house


def rows(found: ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(found.read(name).decode("utf-8-sig"))))


def document(found: ZipFile, name: str) -> Any:
    return json.loads(found.read(name))


def test_the_archive_holds_everything_about_the_own_accounts(billed: House) -> None:
    found = archive(busy(billed))
    assert found.testzip() is None
    names = set(found.namelist())
    assert names >= {f"{folder}/{each}.json" for folder in ("bills", "evidence") for each in BILLS}
    assert document(found, "login.json") == {
        "name": "li",
        "role": "owner",
        "created_at": "2026-11-15T08:00:00+00:00",
        "accounts": ["A-1-201"],
        "settings": {"language": "en", "large_type": False},
        "notifications": [
            {
                "channel": "email",
                "address": "li@example.com",
                "language": "en",
                "events": ["bill.issued"],
                "stated_at": "2026-11-15T08:00:00Z",
                "confirmed_at": None,
            }
        ],
    }
    assert [each["holder"] for each in document(found, "accounts.json")] == ["李明"]
    assert document(found, f"bills/{BILLS[1]}.json")["total"] == "500.98"
    assert sum(row["bill"] == BILLS[1] for row in rows(found, "bill-lines.csv")) == 8
    assert {row["unit"] for row in rows(found, "bill-lines.csv")} == {"1-201"}
    assert [row["amount"] for row in rows(found, "payments.csv")] == ["7.00"]
    assert len(document(found, "receipts.json")) == 1
    assert "payment" in {row["kind"] for row in rows(found, "account-statements.csv")}
    assert {row["point"] for row in rows(found, "usage.csv")} == {"1-201-e", "1-201-w"}
    (asked,) = document(found, "disputes.json")
    assert asked["words"][0]["text"] == "asked by li"
    assert "pool-statements/2026-10-b1-lift.json" in names
    readme = found.read("README.txt").decode()
    assert "Your data at Tallygate" in readme
    assert "您在 Tallygate 的数据" in readme


def test_its_evidence_computes_the_bills_again(billed: House) -> None:
    found = archive(billed)
    for each in BILLS:
        assert check_bundle(found.read(f"evidence/{each}.json")).differences == []


def test_it_holds_nothing_of_a_neighbour(billed: House) -> None:
    found = archive(busy(billed))
    for name in found.namelist():
        text = found.read(name).decode("utf-8-sig")
        assert [each for each in (*NEIGHBOURS, "asked by chen") if each in text] == [], name


def test_the_audit_log_says_that_it_was_handed_out(billed: House) -> None:
    archive(billed)
    with billed.database.snapshot() as connection:
        log = audit.entries(connection, audit.Wanted(action="data.export"), limit=9)
    assert [(each.actor, each.subject) for each in log] == [("li", "login:li")]


def test_it_is_got_on_a_page_by_a_form(billed: House) -> None:
    li = billed.reader("li")
    assert 'action="/export"' in li.get("/export").text
    assert 'href="/export"' in li.get("/account").text
    assert li.post("/export", csrf="guessed").status_code == 403
    answer = li.post("/export", csrf=li.csrf("/export"))
    assert answer.headers["content-disposition"] == (
        'attachment; filename="tallygate-2026-11-15.zip"'
    )
    assert "README.txt" in ZipFile(io.BytesIO(answer.content)).namelist()


def test_it_is_sent_while_it_is_made(billed: House) -> None:
    with billed.database.snapshot() as connection:
        own = frozenset({logins.account_id(connection, "A-1-201")})
    wish = exporting.Wish(
        caller=Principal(name="li", permissions=frozenset(), accounts=own),
        accounts=own,
        now=billed.now,
        reader=english(),
        settings={},
    )
    pieces = exporting.archive(billed.database, wish)
    first = next(pieces)
    assert first.startswith(b"PK")
    assert len(list(pieces)) > 10


@pytest.mark.parametrize("text", ["=1+1", "+86 571", "@x"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert exporting._csv([{"note": text}]).decode("utf-8-sig").splitlines()[1] == f"'{text}"
