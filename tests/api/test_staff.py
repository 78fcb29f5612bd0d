"""Bill runs through the API: four eyes, states, and problems in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from billing import tables
from billing.store import audit

if TYPE_CHECKING:
    from conftest import House

NEW = {"period": "2026-10", "communities": ["osmanthus"]}


def test_a_run_goes_from_draft_to_issued_under_four_eyes(house: House) -> None:
    clerk, approver = house.caller("clerk"), house.caller("approver")
    created = clerk.post("/v1/runs", key="step-create", json=NEW).json()
    assert (created["state"], created["created_by"]) == ("draft", "clerk")
    computed = clerk.post("/v1/runs/2/compute", key="step-compute").json()
    assert computed["state"] == "computed"
    assert computed["communities"][0]["bills"] == 4
    assert computed["communities"][0]["total"] == "1408.71"
    assert {each["pool"] for each in computed["statements"]} == {"b1-lift", "lights"}
    reviewed = clerk.post("/v1/runs/2/review", key="step-review").json()
    assert (reviewed["state"], reviewed["reviewed_by"]) == ("reviewed", "clerk")
    approved = approver.post("/v1/runs/2/approve", key="step-approve", json=house.seen(2)).json()
    assert (approved["state"], approved["approved_by"]) == ("approved", "approver")
    issued = approver.post("/v1/runs/2/issue", key="step-issue").json()
    assert (issued["state"], issued["issued_by"]) == ("issued", "approver")
    assert issued["digest"] == computed["digest"]
    listed = clerk.get("/v1/runs").json()["items"]
    assert [(each["id"], each["state"], each["total"]) for each in listed] == [
        (2, "issued", "1408.71"),
        (1, "issued", "1367.57"),
    ]


def test_who_made_a_run_cannot_approve_it(house: House) -> None:
    approver, second = house.caller("approver"), house.caller("second-approver")
    approver.post("/v1/runs", key="step-create", json=NEW)
    approver.post("/v1/runs/2/compute", key="step-compute")
    approver.post("/v1/runs/2/review", key="step-review")
    seen = house.seen(2)
    refused = approver.post("/v1/runs/2/approve", key="step-approve", json=seen)
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/four-eyes"
    assert refused.json()["title"] == "Somebody else must approve this"
    answer = second.post("/v1/runs/2/approve", key="step-approve", json=seen)
    assert answer.status_code == 200


def test_what_was_computed_again_since_it_was_seen_cannot_be_approved(house: House) -> None:
    clerk, approver = house.caller("clerk"), house.caller("approver")
    clerk.post("/v1/runs", key="step-create", json=NEW)
    clerk.post("/v1/runs/2/compute", key="step-compute")
    clerk.post("/v1/runs/2/review", key="step-review")
    refused = approver.post("/v1/runs/2/approve", key="step-approve", json={"digest": "of another"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/wrong-state")


def test_computing_anothers_draft_does_not_let_them_approve(house: House) -> None:
    house.caller("clerk").post("/v1/runs", key="step-create", json=NEW)
    approver = house.caller("approver")
    approver.post("/v1/runs/2/compute", key="step-compute")
    approver.post("/v1/runs/2/review", key="step-review")
    refused = approver.post("/v1/runs/2/approve", key="step-approve", json=house.seen(2))
    assert refused.json()["type"] == "/problems/four-eyes"


def test_steps_out_of_order_are_refused(house: House) -> None:
    clerk, approver = house.caller("clerk"), house.caller("approver")
    clerk.post("/v1/runs", key="step-create", json=NEW)
    for step, body in (("review", None), ("approve", house.seen(2)), ("issue", None)):
        answer = approver.post(f"/v1/runs/2/{step}", key=f"early-{step}", json=body)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-state")
    clerk.post("/v1/runs/2/compute", key="step-compute")
    clerk.post("/v1/runs/2/review", key="step-review")
    approver.post("/v1/runs/2/approve", key="step-approve", json=house.seen(2))
    answer = clerk.post("/v1/runs/2/compute", key="late-compute")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-state")


def test_a_month_is_billed_once_and_in_order(house: House) -> None:
    clerk = house.caller("clerk")
    found = {
        period: clerk.post("/v1/runs", key=f"run-{period}", json={**NEW, "period": period}).json()
        for period in ("2026-09", "2026-11", "2027-01")
    }
    assert {period: answer["type"] for period, answer in found.items()} == {
        "2026-09": "/problems/run-exists",
        "2026-11": "/problems/period-not-billable",
        "2027-01": "/problems/period-not-billable",
    }


def test_an_unknown_community_or_key_is_refused(house: House) -> None:
    clerk = house.caller("clerk")
    unknown = clerk.post("/v1/runs", key="unknown-1", json={**NEW, "communities": ["elsewhere"]})
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/unknown-community")
    typo = clerk.post("/v1/runs", key="unknown-2", json={**NEW, "comunities": []})
    assert typo.status_code == 422
    assert typo.json()["errors"][0]["where"] == "body.comunities"
    for run in ("999", "0", "x", "99999999999999999999"):
        assert clerk.get(f"/v1/runs/{run}").status_code in (404, 422)


def test_a_blocked_run_says_what_to_do(house: House) -> None:
    with house.database.transaction() as connection:
        unit, fact = tables.unit, tables.unit_attribute
        mine = select(unit.c.id).where(unit.c.code == "2-101").scalar_subquery()
        connection.execute(fact.delete().where(fact.c.unit_id == mine, fact.c.name == "area"))
    clerk = house.caller("clerk")
    clerk.post("/v1/runs", key="step-create", json=NEW)
    run = clerk.post("/v1/runs/2/compute", key="step-compute").json()
    assert run["state"] == "blocked"
    (community,) = run["communities"]
    assert [(each["kind"], each["subject"]) for each in community["problems"]] == [
        ("NoArea", "2-101")
    ]
    page = house.reader("clerk", "zh-CN").get("/staff/runs/2").text
    assert "房号 2-101 缺少面积，而价格按平方米计收。请补录面积。" in page
    refused = house.caller("clerk").post("/v1/runs/2/review", key="step-review")
    assert refused.json()["type"] == "/problems/wrong-state"


def test_every_step_is_in_the_audit_log_with_its_person(billed: House) -> None:
    with billed.database.snapshot() as connection:
        assert audit.verify(connection) >= 8
        actors = connection.execute(
            select(tables.audit.c.action, tables.audit.c.actor).order_by(tables.audit.c.position)
        ).all()
    steps = [("run.create", "clerk"), ("run.compute", "clerk"), ("run.review", "clerk")]
    steps += [("run.approve", "approver"), ("run.issue", "approver")]
    assert [tuple(row) for row in actors if row.action.startswith("run.")] == steps * 2
