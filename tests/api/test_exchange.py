"""An exchanged meter: both registers are recorded, and the bill comes to what was used of both."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import osmanthus_court as court
import pytest

from billing import tables
from billing.canonical import read_json
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    import httpx
    from conftest import House

TOLD: dict[str, Any] = {
    "at": "2026-10-10T02:30:00Z",
    "last": {"import_energy": "5500"},
    "new": "E-new",
    "new_type": "eastron-sdm120",
    "first": {"import_energy": "0.1"},
    "last_photo": "IMG_2041.jpg",
    "first_photo": "IMG_2042.jpg",
    "verified_until": "2034-10-09",
    "identity": "1712345",
}


def told(house: House, meter: str = "E-1-201", **changes: Any) -> httpx.Response:
    body = {key: value for key, value in {**TOLD, **changes}.items() if value is not None}
    return house.change("POST", f"/v1/meters/{meter}/exchange", **body)


def test_the_bill_is_what_both_meters_counted(house: House) -> None:
    answer = told(house)
    assert answer.status_code == 201, answer.text
    assert answer.json()["at"] == "2026-10-10T02:30:00Z"
    archive = house.app.state.resources.archive
    end = court.MIDNIGHTS[-1] + timedelta(seconds=14)
    series = Series("E-new", "import_energy")
    archive.append([Reading(series, end, Decimal("214.4"), "4356 6666", Verdict.GOOD)])
    court.bill_month(house.database, archive, court.MONTH)
    line = house.caller("li").get("/v1/bills/osmanthus-2026-10-0002/lines/1").json()
    # (5500 − 5401.9) + (214.4 − 0.1)
    assert line["quantity"] == "312.4"
    assert line["amount"] == "156.16", "as if one meter had stood there all the time"


def test_what_was_recorded_stands_in_the_registry_and_in_the_audit_log(house: House) -> None:
    assert told(house).is_success
    table = tables.installation
    with house.database.snapshot() as connection:
        rows = connection.execute(
            table.select().where(table.c.meter.in_(["E-1-201", "E-new"])).order_by(table.c.start)
        ).all()
        entry = connection.execute(
            tables.audit.select().where(tables.audit.c.action == "meter.exchange")
        ).one()
    old, new = rows
    assert old.end == new.start
    assert old.point_id == new.point_id
    assert read_json(old.last) == {"import_energy": "5500"}
    assert read_json(new.first) == {"import_energy": "0.1"}
    assert (old.last_photo, new.first_photo) == ("IMG_2041.jpg", "IMG_2042.jpg")
    assert str(new.verified_until) == "2034-10-09"
    assert (entry.actor, entry.subject) == ("engineer", "E-1-201")


def test_the_new_meter_takes_the_old_ones_place_on_the_list(listed: House) -> None:
    assert told(listed).is_success
    (bus,) = listed.caller("gw-1").get("/v1/gateway/devices").json()["bus"]
    assert bus["device"] == [
        {"meter": "E-new", "unit": 1, "type": "eastron-sdm120", "identity": "1712345"}
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"at": "2026-07-01T00:00:00Z"}, "stands since"),
        ({"at": "2027-01-01T00:00:00Z"}, "date the exchange between"),
        ({"new": "E-1-101"}, "stands at point"),
        ({"new": "E-1-201"}, "stands at point"),
        ({"new_type": "nothing"}, "is not known"),
        ({"first": {"volume": "1"}}, "has no counter 'volume'"),
        ({"last": {"volume": "1"}}, "has no counter 'volume'"),
        ({"last": {"import_energy": "-1"}}, "cannot show -1"),
    ],
)
def test_an_exchange_that_cannot_be_is_refused_whole(
    house: House, changes: dict[str, Any], says: str
) -> None:
    answer = told(house, **changes)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/exchange-refused")
    assert says in answer.json()["detail"]
    with house.database.snapshot() as connection:
        query = tables.installation.select().where(tables.installation.c.meter == "E-1-201")
        assert connection.execute(query).one().end is None


@pytest.mark.parametrize("last", ["12", "5401.8", "5800", "9999"])
def test_what_the_archive_contradicts_is_confirmed_or_refused(house: House, last: str) -> None:
    refused = told(house, last={"import_energy": last})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/exchange-refused")
    detail = refused.json()["detail"]
    assert f"cannot have been {last} when the meter was exchanged" in detail
    assert "import_energy of meter 'E-1-201' was 5" in detail
    assert told(house, last={"import_energy": last}, confirmed=True).is_success


@pytest.mark.parametrize("changes", [{"last": {}}, {"multiplier": "0"}, {"at": None}, {"x": 1}])
def test_an_exchange_without_its_facts_is_no_request(house: House, changes: Any) -> None:
    answer = told(house, **changes)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


def test_a_meter_is_exchanged_once(house: House) -> None:
    assert told(house).is_success
    again = told(house, new="E-other")
    assert again.status_code == 422
    assert "stands nowhere now" in again.json()["detail"]


def test_the_form_does_the_same(listed: House) -> None:
    engineer = listed.reader("engineer")
    path = "/engineering/meters/E-1-201/exchange"
    assert path in engineer.get("/engineering/meters/E-1-201").text
    fields = {
        "at": "2026-10-10T10:30",
        "last.import_energy": "5,500",
        "new": "E-new",
        "new_type": "eastron-sdm120",
        "first.import_energy": "0.1",
        "verified_until": "2034-10-09",
        "multiplier": "1",
        "identity": "",
    }
    for wrong, says in (
        ({"last.import_energy": "much"}, "is no number"),
        ({"last.import_energy": ""}, "at least one register"),
        ({"at": ""}, "say when"),
        ({"new": ""}, "fill in"),
        ({"multiplier": "-1"}, "must be above 0"),
    ):
        answer = engineer.post(path, csrf=engineer.csrf(path), **{**fields, **wrong})
        assert answer.status_code == 422
        assert says in answer.text, says
        assert 'value="2034-10-09"' in answer.text, "what was filled in is still there"
    doubtful = {**fields, "last.import_energy": "12"}
    answer = engineer.post(path, csrf=engineer.csrf(path), **doubtful)
    assert answer.status_code == 422
    assert 'name="confirmed"' in answer.text
    answer = engineer.post(path, csrf=engineer.csrf(path), **fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/engineering/meters/E-new")
    assert "2026-10-10 10:30:00" in engineer.get("/engineering/meters/E-new").text
    assert engineer.get("/engineering/meters/nobody/exchange").status_code == 404
