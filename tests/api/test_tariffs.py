"""Tariffs: what is in force, drafts that are proven and tried, and publishing with four eyes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing import tables
from billing.store import tariff_drafts
from billing.store.views import tariffs

if TYPE_CHECKING:
    from conftest import House, Reader

    from billing.tariff import Tariff

FEE = """
kind = "tariff"
id = "{code}"
version = {version}
title = {{ zh = "物业费", en = "Property fee" }}
currency = "CNY"
valid_from = {since}

[[charge]]
kind = "per-area"
name = "property"
title = {{ zh = "物业费", en = "Property fee" }}
price = "3.00"

[[example]]
area = "100"
expect = "{expected}"
"""
PAGE = "/staff/tariffs"


@pytest.fixture
def fee(billed: House) -> Tariff:
    """The newest version of a tariff by area of the house."""
    with billed.database.snapshot() as connection:
        found = [
            versions[0]
            for versions in tariffs.by_code(connection).values()
            if any(each.kind == "per-area" for each in versions[0].charges)
        ]
    return found[0]


def file_of(fee: Tariff, *, version: int | None = None, expected: str = "300.00") -> str:
    number = fee.version + 1 if version is None else version
    return FEE.format(code=fee.id, version=number, since="2027-01-01", expected=expected)


def upload(reader: Reader, document: str) -> str:
    answer = reader.post(PAGE, csrf=reader.csrf(PAGE), document=document)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_every_tariff_is_listed_and_says_what_it_charges(billed: House, fee: Tariff) -> None:
    reader = billed.reader("clerk")
    assert f'href="{PAGE}/{fee.id}"' in reader.get(PAGE).text
    text = reader.get(f"{PAGE}/{fee.id}").text
    assert "by area" in text
    assert "for each m² and month." in text
    assert "up to 240" in reader.get(f"{PAGE}/power").text
    assert f"v{fee.version}" in text
    assert "按面积" in billed.reader("clerk", "zh-CN").get(f"{PAGE}/{fee.id}").text
    assert reader.get(f"{PAGE}/{fee.id}?version=99").status_code == 404


def test_a_draft_is_published_by_somebody_else_and_is_a_version_then(
    billed: House, fee: Tariff
) -> None:
    author, other = billed.reader("approver"), billed.reader("second-approver")
    address = upload(author, file_of(fee))
    assert "You drafted it, so somebody else publishes it." in author.get(address).text
    own = author.post(f"{address}/publish", csrf=author.csrf(address))
    assert own.status_code == 409
    answer = other.post(f"{address}/publish", csrf=other.csrf(address))
    assert answer.headers["location"] == f"{PAGE}/{fee.id}?version={fee.version + 1}"
    assert "price: 3" in other.get(answer.headers["location"]).text
    again = other.post(f"{address}/publish", csrf=other.csrf(address))
    assert again.status_code == 409
    log = tables.audit
    with billed.database.snapshot() as connection:
        rows = connection.execute(
            select(log.c.actor, log.c.action).where(log.c.action.like("tariff.%"))
        ).all()
        assert tariffs.versions(connection, fee.id)[0].version == fee.version + 1
    assert [tuple(row) for row in rows] == [
        ("approver", "tariff.draft"),
        ("second-approver", "tariff.publish"),
    ]


def test_what_is_wrong_with_a_file_is_said_and_nothing_is_kept(billed: House, fee: Tariff) -> None:
    reader = billed.reader("clerk")
    for document, says in (
        (file_of(fee, expected="299.99"), "expected 299.99, got 300.00"),
        (file_of(fee).replace("price", "prize"), "prize"),
        ("kind = ", "is not TOML"),
    ):
        answer = reader.post(PAGE, csrf=reader.csrf(PAGE), document=document)
        assert answer.status_code == 422
        assert says in answer.text
    known = reader.post(PAGE, csrf=reader.csrf(PAGE), document=file_of(fee, version=fee.version))
    assert known.status_code == 422
    with billed.database.snapshot() as connection:
        assert tariff_drafts.waiting(connection) == []


def test_a_draft_is_tried_on_an_issued_month_and_saves_nothing(billed: House, fee: Tariff) -> None:
    reader = billed.reader("clerk")
    address = upload(reader, file_of(fee))
    text = reader.get(f"{address}?community=osmanthus&period=2026-10").text
    assert "1-201" in text.partition('id="try"')[2]
    nothing = reader.get(f"{address}?community=osmanthus&period=2026-10&instead_of=nothing")
    assert (nothing.status_code, "This cannot be tried" in nothing.text) == (422, True)
    nowhere = reader.get(f"{address}?community=nowhere&period=2026-10")
    assert nowhere.status_code == 422
    with billed.database.snapshot() as connection:
        assert tariffs.versions(connection, fee.id)[0].version == fee.version


def test_a_draft_that_is_given_up_is_published_by_nobody(billed: House, fee: Tariff) -> None:
    clerk, approver = billed.reader("clerk"), billed.reader("approver")
    address = upload(clerk, file_of(fee))
    assert clerk.post(f"{address}/drop", csrf=clerk.csrf(address)).status_code == 303
    answer = approver.post(f"{address}/publish", csrf=approver.csrf(PAGE))
    assert answer.status_code == 409
    assert clerk.post(f"{address}/publish", csrf=clerk.csrf(PAGE)).status_code == 403


def test_a_tariff_is_in_force_by_the_day_of_the_community_that_it_charges(
    billed: House, fee: Tariff
) -> None:
    """At 17:30 UTC of October 31 it is November in Shanghai, and October still in Lisbon."""
    at = datetime(2026, 10, 31, 17, 30, tzinfo=UTC)
    with billed.database.transaction() as connection:
        row = connection.execute(select(tables.community)).one()._asdict()
        tariffs_of = '{"residential": ["away", "power"]}'
        connection.execute(
            tables.community.insert(),
            {**row, "id": 99, "code": "zz", "zone": "Europe/Lisbon", "tariffs": tariffs_of},
        )
        today = tariffs.today(connection, at)
    in_force = {
        code: today.in_force([fee.model_copy(update={"id": code, "valid_from": date(2026, 11, 1)})])
        for code in ("away", "power", "of no class")
    }
    assert {code: found is not None for code, found in in_force.items()} == {
        "away": False,
        "power": True,
        "of no class": True,
    }
