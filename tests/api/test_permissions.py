"""Who may do what: every operation × every role × own, a neighbour's and another project's.

`permissions.toml` is the table.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
    from conftest import House

PASSWORD = "correct-horse-battery"  # noqa: S105  a password of this test's own database
ELSEWHERE = " elsewhere"
"""What the names of another project's people and programs end in (`strangers`)."""
TABLE = tomllib.loads(Path(__file__).with_name("permissions.toml").read_text("utf-8"))
OWN = "osmanthus-2026-10-0002"
OWN_CODE = "100000000287"
CALLERS = (
    *("nobody", "li", "tenant", "committee", "clerk", "approver", "engineer", "auditor", "admin"),
    *("payments", "gw-1"),
)

REPORT: dict[str, Any] = {
    "gateway": "gw-1",
    "sent_at": "2026-11-15T07:59:00Z",
    "version": "0.1.0",
    "tally": {"received": 0, "stored": 0, "duplicate": 0, "quarantined": 0, "spooled": 0},
}

BODIES: dict[str, Any] = {
    "createRun": {"period": "2026-10", "communities": ["osmanthus"]},
    "approveRun": {"digest": "of what was seen"},
    "withdrawRun": {"reason": "The tariff was wrong"},
    "holdInRun": {"community": "osmanthus", "unit": "1-201", "reason": "Moves out"},
    "releaseInRun": {"community": "osmanthus", "unit": "1-201"},
    "decideReview": {
        "community": "osmanthus",
        "period": "2026-10",
        "point": "nowhere",
        "register_name": "import_energy",
        "decision": "withdraw",
        "reason": "Nothing is there",
    },
    "checkStatement": {"word": "held", "reason": "The lift's meter stands"},
    "createCorrection": {"community": "osmanthus", "first": "2026-10"},
    "draftTariff": {"document": 'kind = "tariff"'},
    "openDispute": {"reason": "We were away"},
    "answerDispute": {"text": "We look at it"},
    "replyToDispute": {"text": "The meter is new"},
    "acceptDispute": {"text": "You are right"},
    "rejectDispute": {"text": "It counted right"},
    "reportGateway": REPORT,
    "enrolGateway": {"token": "tg_enrol_that-nobody-made"},
    "answerGatewayRequest": {"done": True},
    "addGateway": {"gateway": "new"},
    "putBus": {"host": "10.0.0.7"},
    "putMeter": {"type": "eastron-sdm120", "bus": "b1", "unit": 1},
    "adoptMeter": {"gateway": "x", "topic": "t", "meter": "m", "type": "wmbusmeters-water"},
    "putMeterType": {"document": 'kind = "meter-type"'},
    "recordExchange": {
        "at": "2026-11-10T08:00:00Z",
        "last": {"volume": "1"},
        "new": "n",
        "new_type": "wmbusmeters-water",
        "first": {"volume": "0"},
    },
    "answerQuestion": {
        "meter": "m",
        "register": "volume",
        "cause": "reset",
        "reason": "I looked",
    },
    "setNotification": {"address": "li@example.com", "events": ["bill.issued"]},
    "addWebhook": {"url": "https://client.example.com/", "events": ["bill.issued"]},
    "changeWebhook": {"url": "https://client.example.com/", "events": ["bill.issued"]},
    "rotateWebhookSecret": {},
    "replayDeliveries": {"since": "2026-11-01T00:00:00Z"},
    "openPaymentOrder": {"payment_code": OWN_CODE, "pays": [{"claim": f"bill:{OWN}"}]},
    "enterPayment": {
        "payment_code": OWN_CODE,
        "channel": "cash",
        "amount": "1.00",
        "document": "slip 1",
    },
    "reversePayment": {"kind": "mistaken", "reason": "another account"},
    "requestRefund": {"amount": "1.00", "reason": "paid twice"},
    "addLogin": {"name": "clerk", "role": "clerk"},
    "addKey": {"name": "reports", "scopes": ["bills:read"]},
    "openSession": {"name": "li", "password": PASSWORD},
    "getToken": {"name": "li", "password": PASSWORD},
}

OF_THE_HOUSE = ("osmanthus", "A-1-201", "E-1-201")
"""Names that nobody of another project may read."""


def test_every_operation_answers_every_caller_as_the_table_says(strangers: House) -> None:
    found, leaked = {}, []
    for name, row in TABLE.items():
        method, path = row["call"].split()
        here = [call(strangers, name, method, path, caller).status_code for caller in CALLERS]
        elsewhere = []
        for caller in CALLERS[1:]:
            answer = call(strangers, name, method, path, caller + ELSEWHERE)
            elsewhere.append(answer.status_code)
            if answer.is_success and any(each in answer.text for each in OF_THE_HOUSE):
                leaked.append((name, caller, answer.text))
        found[name] = {"call": row["call"], "here": here, "elsewhere": elsewhere}
    assert found == TABLE
    assert leaked == []


def call(house: House, name: str, method: str, path: str, caller: str) -> httpx.Response:
    headers = {"Idempotency-Key": f"{name}-{caller}-1"}
    if caller != "nobody":
        headers["Authorization"] = f"Bearer {house.caller(caller).token}"
    body = BODIES.get(name.partition(" ")[0])
    return house.call(method, path, json=body, headers=headers)


def test_an_operation_without_a_row_fails(billed: House) -> None:
    document = billed.call("GET", "/openapi.json").json()
    operations = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert operations == {name.partition(" ")[0] for name in TABLE}
