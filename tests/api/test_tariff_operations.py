"""Tariffs over HTTP: drafted, tried and published by programs as by people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from osmanthus_court import DEARER

if TYPE_CHECKING:
    from conftest import House

DRAFTS = "/v1/tariff-drafts"


def test_a_draft_is_tried_and_published_by_somebody_else(billed: House) -> None:
    clerk, approver = billed.caller("clerk"), billed.caller("approver")

    made = clerk.post(DRAFTS, key="draft-it", json={"document": DEARER}).json()
    draft = f"{DRAFTS}/{made['id']}"
    tried = clerk.get(f"{draft}/trial?community=osmanthus&period=2026-10").json()
    waiting = clerk.get(DRAFTS).json()["items"]
    published = approver.post(f"{draft}/publish", key="publish-1").json()
    again = approver.post(f"{draft}/publish", key="publish-2").json()

    assert (made["tariff"], made["version"], made["state"]) == ("property", 2, "open")
    assert made["document"] == DEARER
    # 90.5, 88.36, 120.75 and 64 m² at 2.00; before at 1.80 less 5 %, and 8.00 for refuse
    assert {each["unit"]: (each["before"], each["now"]) for each in tried["units"]} == {
        "1-101": ("162.75", "181.00"),
        "1-201": ("159.10", "176.72"),
        "1-202": ("214.48", "241.50"),
        "2-101": ("117.44", "128.00"),
    }
    assert (tried["before"], tried["now"], tried["change"]) == ("653.77", "727.22", "73.45")
    assert tried["not_tried"] == []
    assert [each["id"] for each in waiting] == [made["id"]]
    assert (published["state"], published["decided_by"]) == ("published", "approver")
    assert again["type"] == "/problems/wrong-state"
    assert clerk.get(DRAFTS).json()["items"] == []


def test_who_has_drafted_a_tariff_does_not_publish_it(billed: House) -> None:
    approver = billed.caller("approver")
    made = approver.post(DRAFTS, key="draft-it", json={"document": DEARER}).json()

    answer = approver.post(f"{DRAFTS}/{made['id']}/publish", key="publish-1")

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/four-eyes")
    assert approver.get(f"{DRAFTS}/{made['id']}").json()["state"] == "open"


def test_versions_say_which_is_in_force_and_all_that_their_file_says(billed: House) -> None:
    clerk, approver = billed.caller("clerk"), billed.caller("approver")
    made = clerk.post(DRAFTS, key="draft-it", json={"document": DEARER}).json()
    approver.post(f"{DRAFTS}/{made['id']}/publish", key="publish-1")

    listed = clerk.get("/v1/tariffs").json()["items"]
    shown = clerk.get("/v1/tariffs/property/versions/2").json()

    assert [
        (each["version"], each["valid_from"], each["in_force"])
        for each in listed
        if each["id"] == "property"
    ] == [(2, "2027-01-01", False), (1, "2020-01-01", True)]
    assert shown["document"]["charge"][0]["price"] == "2"
    assert shown["digest"] in {each["digest"] for each in listed}
    assert clerk.get("/v1/tariffs/property/versions/3").status_code == 404


def test_a_version_is_in_force_from_the_midnight_of_the_community_on(billed: House) -> None:
    made = billed.caller("clerk").post(DRAFTS, key="draft-it", json={"document": DEARER}).json()
    billed.caller("approver").post(f"{DRAFTS}/{made['id']}/publish", key="publish-1")
    midnight = datetime(2026, 12, 31, 16, tzinfo=UTC)  # in Shanghai

    def told() -> tuple[list[bool], bool, bool]:
        caller, reader = billed.caller("auditor"), billed.reader("auditor")
        listed = [
            each["in_force"]
            for each in caller.get("/v1/tariffs").json()["items"]
            if each["id"] == "property"
        ]
        shown = caller.get("/v1/tariffs/property/versions/2").json()["in_force"]
        page = reader.get("/staff/tariffs/property?version=2").text
        return listed, shown, '<span class="badge good">In force</span>' in page

    billed.now = midnight - timedelta(minutes=1)
    assert told() == ([False, True], False, False)
    billed.now = midnight
    assert told() == ([True, False], True, True)


def test_a_draft_whose_examples_fail_is_not_kept(billed: House) -> None:
    clerk = billed.caller("clerk")
    wrong = DEARER.replace('"200.00"', '"201.00"')

    answer = clerk.post(DRAFTS, key="draft-it", json={"document": wrong})

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/definition-refused")
    assert "201" in answer.json()["detail"]
    assert clerk.get(DRAFTS).json()["items"] == []


def test_a_month_in_which_the_tariff_billed_nothing_cannot_be_tried(billed: House) -> None:
    clerk = billed.caller("clerk")
    other = DEARER.replace('"property"', '"service"').replace("version = 2", "version = 1")
    made = clerk.post(DRAFTS, key="draft-it", json={"document": other}).json()
    trial = f"{DRAFTS}/{made['id']}/trial?community=osmanthus&period=2026-10"

    refused, named = clerk.get(trial), clerk.get(f"{trial}&instead_of=property")

    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/cannot-be-tried")
    assert "it was by" in refused.json()["detail"]
    assert named.json()["change"] == "73.45"


def test_a_tariff_that_another_company_charges_is_not_changed_alone(strangers: House) -> None:
    own, elsewhere = strangers.caller("clerk"), strangers.caller("clerk elsewhere")

    refused = elsewhere.post(DRAFTS, key="draft-it", json={"document": DEARER})
    renamed = DEARER.replace('"property"', '"our-property"')
    taken = elsewhere.post(DRAFTS, key="draft-us", json={"document": renamed})
    kept = own.post(DRAFTS, key="draft-it", json={"document": DEARER})

    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/definition-refused")
    assert "property is charged by another company too" in refused.json()["detail"]
    assert (taken.status_code, kept.status_code) == (201, 201)
