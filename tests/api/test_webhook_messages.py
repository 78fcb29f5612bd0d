"""What the document says that webhooks tell is what they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete
from told import body_told

from api.schemas.webhook_messages import BillIssued, PaymentPosted, RunBlocked
from billing import tables
from billing.delivery.event import OUTWARD, Kind

if TYPE_CHECKING:
    from conftest import House
    from fastapi import FastAPI
    from pydantic import BaseModel


def assert_is_described(body: dict[str, Any], model: type[BaseModel]) -> None:
    """Assert that `model` takes `body` and knows each key of it."""
    read = model.model_validate(body).model_dump(mode="json")
    assert read["data"].keys() == body["data"].keys()


def test_the_document_has_every_message_with_its_signature(app: FastAPI) -> None:
    document = app.openapi()["webhooks"]

    assert set(document) == {kind.value for kind in OUTWARD}
    for told_of in document.values():
        names = {each["name"] for each in told_of["post"]["parameters"]}
        assert names == {"webhook-id", "webhook-timestamp", "webhook-signature"}


def test_an_issued_bill_is_told_as_described(billed: House) -> None:
    assert_is_described(body_told(billed.database, Kind.BILL_ISSUED), BillIssued)


def test_a_posted_payment_is_told_as_described(billed: House) -> None:
    code = billed.caller("li").get("/v1/payables").json()["items"][0]["payment_code"]
    slip = {"payment_code": code, "channel": "cash", "amount": "4000.00", "document": "slip 1"}
    paid = billed.caller("clerk").post("/v1/payments", key="cash-0001", json=slip)
    assert paid.status_code == 201

    body = body_told(billed.database, Kind.PAYMENT_POSTED)

    assert_is_described(body, PaymentPosted)
    assert body["data"]["amount"] == "4000.00"


def test_a_blocked_run_is_told_as_described(house: House) -> None:
    with house.database.transaction() as connection:
        connection.execute(delete(tables.unit_attribute))
    clerk = house.caller("clerk")
    run = {"period": "2026-10", "communities": ["osmanthus"]}
    made = clerk.post("/v1/runs", key="run-create", json=run).json()["id"]
    computed = clerk.post(f"/v1/runs/{made}/compute", key="run-compute").json()
    assert computed["state"] == "blocked"

    assert_is_described(body_told(house.database, Kind.RUN_BLOCKED), RunBlocked)
