"""Reviewing a run: what is unusual with the line behind it, holds, and withdrawal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from api.pages import changes
from billing import tables
from billing.problem import Problem
from billing.store import holds, runs

if TYPE_CHECKING:
    from conftest import House, Reader

NO_SIGNS = str.maketrans("", "", "+−¥,.")
NEW = {"period": "2026-10", "communities": ["osmanthus"]}


@pytest.fixture
def computed(house: House) -> House:
    """The house with a run of October that is computed and not reviewed."""
    clerk = house.caller("clerk")
    assert clerk.post("/v1/runs", key="given-create", json=NEW).status_code == 201
    assert clerk.post("/v1/runs/2/compute", key="given-compute").status_code == 200
    return house


def test_anomalies_are_listed_by_pages_and_by_kind(computed: House) -> None:
    clerk = computed.caller("clerk")
    first = clerk.get("/v1/runs/2/anomalies?limit=3").json()
    last = clerk.get(f"/v1/runs/2/anomalies?limit=3&cursor={first['next_cursor']}").json()
    assert [each["unit"] for each in first["items"]] == ["1-101", "1-201", "1-202"]
    assert last == {
        "items": [
            {
                "community": "osmanthus",
                "period": "2026-10",
                "unit": "2-101",
                "kind": "negative",
                "subject": "discount",
                "text": "the line is of -5.76",
            }
        ],
        "next_cursor": None,
    }
    assert len(clerk.get("/v1/runs/2/anomalies?kind=negative").json()["items"]) == 4
    assert clerk.get("/v1/runs/2/anomalies?kind=high").json()["items"] == []
    assert clerk.get("/v1/runs/2/anomalies?kind=odd").status_code == 422


def test_the_page_leads_from_an_anomaly_to_its_line(computed: House) -> None:
    reader = computed.reader("clerk")
    text = reader.get("/staff/runs/2").text
    row = text.partition('id="unusual"')[2].partition("<tbody>")[2].partition("</tr>")[0]
    address = row.split('href="', 1)[1].split('"', 1)[0]
    assert address == "/bills/osmanthus-2026-10-0001/lines/6"
    assert "It comes to −¥8.15." in row
    assert "−¥8.15" in reader.get(address).text
    assert "Nothing" not in reader.get("/staff/runs/2?kind=negative").text.partition("<tbody>")[0]
    assert "?kind=negative#unusual" in text
    assert "?kind=high#unusual" not in text


def test_a_held_building_is_left_out_until_it_is_released(computed: House) -> None:
    reader = computed.reader("clerk")
    hold = {"community": "osmanthus", "what": "building:b1", "reason": "Leak searched"}
    _send(reader, "hold", **hold)
    clerk = computed.caller("clerk")
    run = clerk.get("/v1/runs/2").json()
    assert run["state"] == "draft"
    assert [(each["building"], each["reason"], each["held_by"]) for each in run["holds"]] == [
        ("b1", "Leak searched", "clerk")
    ]
    _send(reader, "compute")
    assert clerk.get("/v1/runs/2").json()["communities"][0]["bills"] == 1
    assert "Leak searched" in reader.get("/staff/runs/2").text
    again = reader.post("/staff/runs/2/hold", csrf=reader.csrf("/staff/runs/2"), **hold)
    assert again.status_code == 409
    assert "This cannot be held or released now" in again.text
    _send(reader, "release", community="osmanthus", what="building:b1")
    _send(reader, "compute")
    run = clerk.get("/v1/runs/2").json()
    assert (run["holds"], run["communities"][0]["bills"]) == ([], 4)


def test_a_unit_is_held_by_its_code_and_an_unknown_one_is_refused(computed: House) -> None:
    reader = computed.reader("clerk")
    unit = {"community": "osmanthus", "what": "unit", "reason": "Moves out"}
    csrf = reader.csrf("/staff/runs/2")
    refused = reader.post("/staff/runs/2/hold", csrf=csrf, unit="9-999", **unit)
    assert refused.status_code == 422
    assert "There is no such place in this run" in refused.text
    _send(reader, "hold", unit=" 1-201 ", **unit)
    (held,) = computed.caller("clerk").get("/v1/runs/2").json()["holds"]
    assert (held["unit"], held["building"]) == ("1-201", None)


def test_the_only_community_is_withdrawn_and_not_held(computed: House) -> None:
    reader = computed.reader("clerk")
    refused = reader.post(
        "/staff/runs/2/hold",
        csrf=reader.csrf("/staff/runs/2"),
        community="osmanthus",
        what="community",
        reason="Not yet",
    )
    assert (refused.status_code, "withdraw the run" in refused.text) == (409, True)


def test_a_withdrawn_run_says_why_and_frees_its_month(computed: House) -> None:
    reader = computed.reader("clerk")
    csrf = reader.csrf("/staff/runs/2")
    bare = reader.post("/staff/runs/2/withdraw", csrf=csrf, reason="  ")
    assert (bare.status_code, "There is no reason" in bare.text) == (422, True)
    _send(reader, "withdraw", reason="The tariff was wrong")
    page = reader.get("/staff/runs/2").text
    assert "Withdrawn by clerk. Reason: The tariff was wrong" in page
    assert "/staff/runs/2/compute" not in page
    clerk = computed.caller("clerk")
    run = clerk.get("/v1/runs/2").json()
    assert (run["state"], run["withdrawn_because"]) == ("withdrawn", "The tariff was wrong")
    assert clerk.post("/v1/runs", key="once-more", json=NEW).status_code == 201


def test_holding_after_approval_is_refused_and_the_digest_stays_what_was_seen(
    computed: House,
) -> None:
    clerk, approver = computed.caller("clerk"), computed.caller("approver")
    clerk.post("/v1/runs/2/review", key="step-review")
    seen = computed.seen(2)
    place = {"community": "osmanthus", "unit": "1-201"}
    held = clerk.post("/v1/runs/2/hold", key="hold-one", json={**place, "reason": "Moves out"})
    assert held.json()["state"] == "draft"
    clerk.post("/v1/runs/2/compute", key="step-compute")
    clerk.post("/v1/runs/2/review", key="step-review-2")
    refused = approver.post("/v1/runs/2/approve", key="approve-1", json=seen)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/wrong-state")
    approved = approver.post("/v1/runs/2/approve", key="approve-2", json=computed.seen(2))
    assert approved.status_code == 200
    late = clerk.post("/v1/runs/2/release", key="release-1", json=place)
    assert (late.status_code, late.json()["type"]) == (409, "/problems/wrong-state")


def test_holds_releases_and_withdrawals_stand_in_the_audit_log(computed: House) -> None:
    clerk = computed.caller("clerk")
    place = {"community": "osmanthus", "building": "b1"}
    clerk.post("/v1/runs/2/hold", key="hold-one", json={**place, "reason": "Leak searched"})
    clerk.post("/v1/runs/2/release", key="release-1", json=place)
    why = {"reason": "The tariff was wrong"}
    assert clerk.post("/v1/runs/2/withdraw", key="withdraw-1", json=why).status_code == 200
    log = tables.audit
    with computed.database.snapshot() as connection:
        rows = connection.execute(select(log.c.action, log.c.actor).order_by(log.c.position)).all()
    assert [tuple(row) for row in rows[-3:]] == [
        ("run.hold", "clerk"),
        ("run.release", "clerk"),
        ("run.withdraw", "clerk"),
    ]


def _send(reader: Reader, step: str, **fields: str) -> None:
    csrf = reader.csrf("/staff/runs/2")
    answer = reader.post(f"/staff/runs/2/{step}", csrf=csrf, **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff/runs/2"), answer.text


def test_what_differs_from_the_month_before_comes_with_the_largest_first(computed: House) -> None:
    text = computed.reader("clerk").get("/staff/runs/2").text
    part = text.partition('id="changes"')[2].partition("</section>")[0]
    rows = part.partition("<tbody>")[2].split("<tr>")[1:]
    amounts = [
        abs(int(row.split('class="num">')[3].split("<")[0].translate(NO_SIGNS))) for row in rows
    ]
    assert amounts == sorted(amounts, reverse=True)
    assert len(amounts) > 1
    assert "Lift of building 1" in part
    chinese = computed.reader("clerk", "zh-CN").get("/staff/runs/2").text
    assert "金额为 −¥8.15。" in chinese


def test_a_community_that_was_held_is_released_unless_another_run_has_its_month(
    computed: House,
) -> None:
    with computed.database.transaction() as connection:
        run = runs.read(connection, 2)
        part = run.communities[0]
        holds.hold_part(connection, part.id, Problem("Held", "osmanthus", "wait"))
    reader = computed.reader("clerk")
    text = reader.get("/staff/runs/2").text
    assert "The whole community" in text
    place = {"community": "osmanthus", "what": "community"}
    answer = reader.post("/staff/runs/2/release", csrf=reader.csrf("/staff/runs/2"), **place)
    assert answer.status_code == 303
    with computed.database.snapshot() as connection:
        assert runs.read(connection, 2).communities[0].state == "draft"
    again = reader.post("/staff/runs/2/release", csrf=reader.csrf("/staff/runs/2"), **place)
    assert "This cannot be held or released now" in again.text


def test_more_of_what_differs_is_on_the_next_page(
    computed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SHOWN", 3)
    reader = computed.reader("clerk")
    first = reader.get("/staff/runs/2").text.partition('id="changes"')[2].partition("</section>")[0]
    assert "1 more unit differs less." in first
    assert '<a href="?moved=3#changes">More</a>' in first
    last = reader.get("/staff/runs/2?moved=3").text
    last = last.partition('id="changes"')[2].partition("</section>")[0]
    assert (last.count("<tr>"), "moved=" in last, "From the start" in last) == (2, False, True)
    assert 'id="changes"' not in reader.get("/staff/runs/2?moved=4").text
    assert reader.get("/staff/runs/2?moved=-1").status_code == 422
