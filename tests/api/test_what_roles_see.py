"""What each role sees of what it may read: own bills, masked rooms, nothing before its issue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.permission import ROLE_PERMISSIONS, Permission, Role

if TYPE_CHECKING:
    from conftest import House

OWN = "osmanthus-2026-10-0002"
LIFT, LIGHTS = 2_000_001, 2_000_002


def test_an_owner_of_two_units_sees_both_and_no_third(billed: House) -> None:
    items = billed.caller("landlord").get("/v1/bills?period=2026-10").json()["items"]
    assert {item["unit"] for item in items} == {"1-202", "2-101"}


def test_an_owner_sees_no_statement_that_no_own_bill_rests_on(billed: House) -> None:
    newcomer = billed.caller("newcomer")
    assert newcomer.get(f"/v1/statements/{LIGHTS}").status_code == 200
    assert newcomer.get(f"/v1/statements/{LIFT}").status_code == 404


def test_an_owner_sees_usage_of_own_bills_only(billed: House) -> None:
    items = billed.caller("li").get("/v1/usage").json()["items"]
    assert {item["unit"] for item in items} == {"1-201"}
    assert {item["usage"]["point"] for item in items} == {"1-201-e", "1-201-w"}


def test_a_tenant_sees_the_own_accounts_only(billed: House) -> None:
    items = billed.caller("tenant").get("/v1/bills").json()["items"]
    assert {item["unit"] for item in items} == {"1-201"}


def test_lists_of_statements_hold_what_their_reader_may_open(billed: House) -> None:
    found = {
        name: {item["id"] for item in billed.caller(name).get("/v1/statements").json()["items"]}
        for name in ("newcomer", "committee", "clerk")
    }
    assert found["committee"] == found["clerk"]
    assert LIFT in found["committee"] - found["newcomer"]
    assert LIGHTS in found["newcomer"]


def test_the_committee_sees_all_shares_and_no_room_by_its_name(billed: House) -> None:
    named = billed.caller("clerk").get(f"/v1/statements/{LIFT}").json()
    masked = billed.caller("committee").get(f"/v1/statements/{LIFT}").json()
    assert masked["amount"] == named["amount"]
    all_named, all_masked = (
        billed.caller(name).get(f"/v1/statements/{LIFT}/shares").json()["items"]
        for name in ("clerk", "committee")
    )
    assert len(all_masked) == len(all_named)
    rooms = {share["unit"] for share in all_named} - {None}
    assert rooms
    assert not rooms & {share["unit"] for share in all_masked}
    assert not any(share["mine"] for share in all_masked)
    page = billed.reader("committee").get(f"/statements/{LIFT}").text
    assert not any(room in page for room in rooms)


def test_an_auditor_may_change_nothing() -> None:
    changing = {
        permission
        for permission in ROLE_PERMISSIONS[Role.AUDITOR]
        if not permission.value.endswith(":read")
    }
    assert changing == set()


def test_bills_before_issue_are_for_staff_only(house: House) -> None:
    clerk = house.caller("clerk")
    created = clerk.post(
        "/v1/runs", key="october-1", json={"period": "2026-10", "communities": ["osmanthus"]}
    )
    run = created.json()["id"]
    assert clerk.post(f"/v1/runs/{run}/compute", key="october-2").status_code == 200
    assert clerk.get(f"/v1/bills/{OWN}").status_code == 200
    for outsider in ("li", "payments"):
        assert house.caller(outsider).get(f"/v1/bills/{OWN}").status_code == 404
        periods = {
            item["period"] for item in house.caller(outsider).get("/v1/bills").json()["items"]
        }
        assert periods == {"2026-09"}
    assert house.caller("li").get(f"/v1/statements/{LIFT}").status_code == 404


@pytest.mark.parametrize("role", list(Role))
def test_no_role_of_a_person_reports_as_a_gateway(role: Role) -> None:
    assert Permission.GATEWAY_REPORT not in ROLE_PERMISSIONS[role]
