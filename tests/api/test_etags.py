"""Which version somebody holds: what is the same is not sent again, what changed is not lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import House

BILL = "/v1/bills/osmanthus-2026-10-0002"
LIFT = 2_000_001
GATEWAY = "/v1/gateways/gw-1/devices"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("li", BILL),
        ("li", f"{BILL}/lines/1"),
        ("li", f"/v1/statements/{LIFT}"),
        ("clerk", f"/v1/statements/{LIFT}"),
        ("clerk", "/v1/runs/2"),
    ],
)
def test_what_is_held_already_is_not_sent_again(billed: House, name: str, path: str) -> None:
    caller = billed.caller(name)
    first = caller.get(path)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = caller.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag
    for known in ('"other"', tag.strip('"')):
        assert caller.get(path, headers={"If-None-Match": known}).content == first.content


def test_a_tag_is_of_what_this_reader_is_told(billed: House) -> None:
    tags = {
        billed.caller(name).get(BILL, headers={"Accept-Language": tag}).headers["ETag"]
        for name, tag in (("li", "en"), ("li", "zh"), ("clerk", "en"))
    }
    assert len(tags) == 2
    statements = {
        billed.caller(name).get(f"/v1/statements/{LIFT}").headers["ETag"]
        for name in ("li", "clerk")
    }
    assert len(statements) == 2


def test_what_is_not_yours_is_not_told_by_its_tag(billed: House) -> None:
    foreign = "/v1/bills/osmanthus-2026-10-0001"
    answer = billed.caller("li").get(foreign, headers={"If-None-Match": "*"})
    assert answer.status_code == 404


def test_a_run_is_changed_only_as_it_was_seen(house: House) -> None:
    clerk = house.caller("clerk")
    body = {"period": "2026-10", "communities": ["osmanthus"]}
    run = clerk.post("/v1/runs", key="october-1", json=body).json()["id"]
    draft = clerk.get(f"/v1/runs/{run}").headers["ETag"]

    def step(name: str, key: str, seen: str) -> int:
        headers = {"Idempotency-Key": key, "If-Match": seen}
        return clerk.call("POST", f"/v1/runs/{run}/{name}", headers=headers).status_code

    assert step("compute", "october-2", f"W/{draft}") == 412
    assert step("compute", "october-2", draft) == 200
    assert step("compute", "october-2", draft) == 200, "the same call gets its first answer"
    assert step("review", "october-3", draft) == 412
    assert clerk.get(f"/v1/runs/{run}").json()["state"] == "computed"
    assert step("review", "october-3", clerk.get(f"/v1/runs/{run}").headers["ETag"]) == 200


def test_a_device_list_is_changed_only_as_it_was_seen(listed: House) -> None:
    engineer = listed.caller("engineer")
    seen = engineer.get(GATEWAY).headers["ETag"]
    assert seen == listed.caller("gw-1").get("/v1/gateway/devices").headers["ETag"]

    def drop(meter: str) -> tuple[int, str]:
        headers = {"Idempotency-Key": f"drop-{meter}", "If-Match": seen}
        answer = engineer.call("DELETE", f"/v1/gateways/gw-1/meters/{meter}", headers=headers)
        return answer.status_code, answer.json().get("type", "")

    assert drop("E-1-201") == (200, "")
    assert drop("W-1-201") == (412, "/problems/changed-since")
    listed_now = engineer.get(GATEWAY).json()
    assert [each["meter"] for each in listed_now["mqtt"]["meter"]] == ["W-1-201"]


def test_what_is_nowhere_matches_nothing(house: House) -> None:
    headers = {"Idempotency-Key": "nowhere-1", "If-Match": "*"}
    answer = house.caller("engineer").call(
        "DELETE", "/v1/gateways/nowhere/buses/b1", headers=headers
    )
    assert answer.status_code == 412
