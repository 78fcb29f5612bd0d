"""Every operation that changes something: twenty times at once and once more, it is done once.

The same steps are taken in two houses: in one each call is made once, in the other with the same
`Idempotency-Key` by twenty callers at once and again afterwards. Both must come to the same rows.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
from sqlalchemy import text

from billing.tables import metadata
from meters.catalog import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from conftest import House

AT_ONCE = 20
CODE = "100000000287"
LINES = "/v1/bills/osmanthus-2026-09-0002/lines"
RUN = "/v1/runs/{createRun[id]}"
OCTOBER = {"period": "2026-10", "communities": ["osmanthus"]}
PLACE = {"community": "osmanthus", "unit": "1-201"}
REVIEW = {
    "community": "osmanthus",
    "period": "2026-10",
    "point": "1-201-e",
    "register_name": "import_energy",
    "decision": "override",
    "use": "213.7",
    "reason": "Display broken",
}
TELEGRAM = b'{"id": "71234567", "total_m3": 12.345, "timestamp": "2026-11-15T07:49:00Z"}'
REPORT: dict[str, Any] = {
    "gateway": "gw-1",
    "sent_at": "2026-11-15T07:59:00Z",
    "version": "0.1.0",
    "tally": {"received": 3, "stored": 0, "duplicate": 0, "quarantined": 3, "spooled": 0},
    "device_list": {"tag": "t-1"},
    "quarantine": [
        {
            "id": 1,
            "received_at": "2026-11-15T07:50:00+00:00",
            "source": "mqtt:wm/cellar",
            "reason": "unknown-meter",
            "detail": "no meter of the settings reports here",
            "content_base64": base64.b64encode(TELEGRAM).decode(),
        }
    ],
    "questions": [
        {
            "meter": "W-1-201",
            "register": "volume",
            "unit": "m3",
            "likely": "reset",
            "known": "790.1",
            "known_at": "2026-11-15T06:00:00Z",
            "first": "0.4",
            "since": "2026-11-15T06:15:00Z",
            "value": "1.2",
            "time": "2026-11-15T07:45:00Z",
            "readings": 7,
        }
    ],
}
ADOPTION = {
    "gateway": "gw-1",
    "topic": "wm/cellar",
    "meter": "W-cellar",
    "type": "wmbusmeters-water",
    "identity": "71234567",
}
EXCHANGE = {
    "at": "2026-10-10T02:30:00Z",
    "last": {"import_energy": "5500"},
    "new": "E-new",
    "new_type": "eastron-sdm120",
    "first": {"import_energy": "0.1"},
}
OUR_TYPE = (
    (FOLDER / "eastron-sdm120.toml").read_text("utf-8").replace("eastron-sdm120", "our-sdm120")
)
TARIFF = """
kind = "tariff"
id = "cleaning-{0}"
version = 1
title = {{ zh = "保洁费", en = "Cleaning" }}
currency = "CNY"
valid_from = 2027-01-01

[[charge]]
kind = "per-area"
name = "cleaning"
title = {{ zh = "保洁费", en = "Cleaning" }}
price = "0.50"

[[example]]
area = "100"
expect = "50.00"
"""
WEBHOOK = {
    "url": "https://client.example.com/hook",
    "title": "Client",
    "events": ["bill.issued", "run.blocked"],
}

Answers = dict[str, Any]
"""What was answered, by operation: the last of each."""


class Step(NamedTuple):
    """A call. In `path`, {operation[field]} is what an earlier one answered; so `body` may be."""

    operation: str
    caller: str
    path: str
    body: Any = None
    method: str = "POST"


def seen(house: House, answers: Answers) -> dict[str, str]:
    return house.seen(answers["createRun"]["id"])


def paid(amount: str, document: str) -> dict[str, str]:
    return {"payment_code": CODE, "channel": "cash", "amount": amount, "document": document}


def steps() -> Iterator[Step]:
    yield from of_runs()
    yield from of_disputes()
    yield from of_money()
    yield from of_meters()
    yield from of_webhooks()


def of_runs() -> Iterator[Step]:
    yield Step("createRun", "clerk", "/v1/runs", OCTOBER)
    yield Step("withdrawRun", "clerk", f"{RUN}/withdraw", {"reason": "Too early"})
    yield Step("createRun", "clerk", "/v1/runs", OCTOBER)
    yield Step("holdInRun", "clerk", f"{RUN}/hold", {**PLACE, "reason": "Moves out"})
    yield Step("releaseInRun", "clerk", f"{RUN}/release", PLACE)
    yield Step("decideReview", "clerk", "/v1/reviews", REVIEW)
    yield Step("computeRun", "clerk", f"{RUN}/compute")
    check = "/v1/statements/{computeRun[statements][0][id]}/check"
    yield Step("checkStatement", "clerk", check, {"word": "held", "reason": "Twice last month's"})
    yield Step("checkStatement", "clerk", check, {"word": "signed-off"})
    yield Step("reviewRun", "clerk", f"{RUN}/review")
    yield Step("approveRun", "approver", f"{RUN}/approve", seen)
    yield Step("issueRun", "approver", f"{RUN}/issue")
    first = {"community": "osmanthus", "first": "2026-10"}
    yield Step("createCorrection", "clerk", "/v1/corrections", first)

    for end, who in ("publish", "approver"), ("drop", "clerk"):
        yield Step("draftTariff", "clerk", "/v1/tariff-drafts", {"document": TARIFF.format(end)})
        yield Step(f"{end}TariffDraft", who, f"/v1/tariff-drafts/{{draftTariff[id]}}/{end}")


def of_disputes() -> Iterator[Step]:
    for position, end in (1, "reject"), (2, "accept"):
        yield Step("openDispute", "li", f"{LINES}/{position}/disputes", {"reason": "We were away"})
        about = "/v1/disputes/{openDispute[id]}"
        yield Step("answerDispute", "clerk", f"{about}/answer", {"text": "We look at it"})
        yield Step("replyToDispute", "li", f"{about}/reply", {"text": "The meter is new"})
        yield Step(f"{end}Dispute", "clerk", f"{about}/{end}", {"text": "It was looked at"})
    yield Step("openDispute", "li", f"{LINES}/3/disputes", {"reason": "We were away"})
    yield Step("withdrawDispute", "li", "/v1/disputes/{openDispute[id]}/withdraw")


def of_money() -> Iterator[Step]:
    payment = "/v1/payments/{enterPayment[id]}"
    refund = "/v1/refunds/{requestRefund[number]}"
    yield Step("enterPayment", "clerk", "/v1/payments", paid("50000.00", "slip 1"))
    yield Step("rejectPayment", "approver", f"{payment}/reject")
    yield Step("enterPayment", "clerk", "/v1/payments", paid("50000.00", "slip 2"))
    yield Step("approvePayment", "approver", f"{payment}/approve")
    for end in "reject", "approve":
        back = {"amount": "20.00", "reason": "Paid too much"}
        yield Step("requestRefund", "clerk", f"{payment}/refunds", back)
        yield Step(f"{end}Refund", "approver", f"{refund}/{end}")
    yield Step("executeRefund", "clerk", f"{refund}/execute")
    yield Step("enterPayment", "clerk", "/v1/payments", paid("1.00", "slip 3"))
    mistaken = {"kind": "mistaken", "reason": "Another account"}
    yield Step("reversePayment", "approver", f"{payment}/reverse", mistaken)


def of_meters() -> Iterator[Step]:
    yield Step("readMeterNow", "engineer", "/v1/meters/E-1-201/read-requests")
    yield Step("recordExchange", "engineer", "/v1/meters/E-1-201/exchange", EXCHANGE)
    yield Step("adoptMeter", "engineer", "/v1/unknown-meters/adoptions", ADOPTION)
    yield Step("putMeterType", "engineer", "/v1/meter-types", {"document": OUR_TYPE})
    yield Step("addGateway", "engineer", "/v1/gateways", {"gateway": "gw-9"})
    bus, meter = "/v1/gateways/gw-9/buses/b1", "/v1/gateways/gw-9/meters/m-9"
    yield Step("putBus", "engineer", bus, {"host": "10.0.0.9"}, "PUT")
    way = {"type": "our-sdm120", "bus": "b1", "unit": 9}
    yield Step("putMeter", "engineer", meter, way, "PUT")
    yield Step("dropMeter", "engineer", meter, method="DELETE")
    yield Step("dropBus", "engineer", bus, method="DELETE")
    cause = {"meter": "W-1-201", "register": "volume", "cause": "reset", "reason": "By them"}
    yield Step("answerQuestion", "engineer", "/v1/questions/answers", cause)


def of_webhooks() -> Iterator[Step]:
    webhook = "/v1/webhooks/{addWebhook[id]}"
    yield Step("addWebhook", "admin", "/v1/webhooks", WEBHOOK)
    yield Step("changeWebhook", "admin", webhook, WEBHOOK, "PUT")
    yield Step("rotateWebhookSecret", "admin", f"{webhook}/secret", {"overlap_hours": 1})
    since = {"since": "2026-11-01T00:00:00Z"}
    yield Step("replayDeliveries", "admin", f"{webhook}/replay", since)
    yield Step("dropNotification", "li", "/v1/notifications/email", method="DELETE")
    yield Step("endWebhook", "admin", webhook, method="DELETE")


ELSEWHERE = {
    "openPaymentOrder": "test_paying, with a provider",
    "closePaymentOrder": "test_paying, with a provider",
    "setNotification": "test_notifications, with a channel",
    "replayDelivery": "test_webhooks, with a delivery",
}
"""The operations that need more than a house."""


def keyed(house: House) -> set[str]:
    """Return the operations that take an `Idempotency-Key`."""
    document = house.call("GET", "/openapi.json").json()
    return {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", []))
    }


def at_once(house: House, method: str, path: str, **arguments: Any) -> list[httpx.Response]:
    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(house.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://court") as client:
            calls = (client.request(method, path, **arguments) for _ in range(AT_ONCE))
            return await asyncio.gather(*calls)

    return house.runner.run(all_of_them())


def take_steps(house: House, *, often: bool) -> dict[str, int]:
    """Take all steps and return how many rows each table has then."""
    told = house.caller("gw-1").post("/v1/gateway/report", json=REPORT)
    assert told.is_success, told.text
    answers: Answers = {}
    for number, step in enumerate(steps()):
        body: Mapping[str, Any] | Callable[..., Any] | None = step.body
        arguments = {
            "headers": {
                "Idempotency-Key": f"step-{number:04}",
                "Authorization": f"Bearer {house.caller(step.caller).token}",
            },
            "json": body(house, answers) if callable(body) else body,
        }
        path = step.path.format(**answers)
        came = at_once(house, step.method, path, **arguments) if often else []
        came.append(house.call(step.method, path, **arguments))
        came = [each for each in came if "still-working" not in each.text]
        texts = {(each.status_code, each.text) for each in came}
        assert len(texts) == 1, (step, texts)
        assert came[0].is_success, (step, came[0].text)
        answers[step.operation] = came[0].json()
    with house.database.snapshot() as connection:
        return {
            name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())  # noqa: S608  of our tables
            for name in metadata.tables
        }


def test_twenty_calls_at_once_and_one_more_come_to_what_one_comes_to(
    another_listed: Callable[[str], AbstractContextManager[House]],
) -> None:
    with another_listed("once") as house:
        once = take_steps(house, often=False)
    with another_listed("often") as house:
        assert take_steps(house, often=True) == once


def test_every_operation_with_a_key_is_among_the_steps(house: House) -> None:
    assert {step.operation for step in steps()} | ELSEWHERE.keys() == keyed(house)
