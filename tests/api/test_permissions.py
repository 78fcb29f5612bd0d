"""Who may do what: every operation × every role × own and foreign, against one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.permission import ROLE_PERMISSIONS, Permission, Role

if TYPE_CHECKING:
    from conftest import House

OWN, FOREIGN = "osmanthus-2026-10-0002", "osmanthus-2026-10-0001"
OWN_CODE, FOREIGN_CODE = "100000000287", "100000000190"
PASSWORD = "correct-horse-battery"  # noqa: S105  a password of this test's own database
LIFT, LIGHTS = 2_000_001, 2_000_002
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

# Operation → method, address, and the status for each of CALLERS in order.
#                           nobody li  tena comm cler appr engi audi admi paym gw-1
EXPECTED: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "listBills": ("GET", "/v1/bills", (401, 200, 200, 403, 200, 200, 403, 200, 403, 200, 403)),
    "getBill": ("GET", f"/v1/bills/{OWN}", (401, 200, 200, 403, 200, 200, 403, 200, 403, 200, 403)),
    "getBill foreign": (
        "GET",
        f"/v1/bills/{FOREIGN}",
        (401, 404, 404, 403, 200, 200, 403, 200, 403, 200, 403),
    ),
    "explainLine": (
        "GET",
        f"/v1/bills/{OWN}/lines/1",
        (401, 200, 200, 403, 200, 200, 403, 200, 403, 200, 403),
    ),
    "explainLine foreign": (
        "GET",
        f"/v1/bills/{FOREIGN}/lines/1",
        (401, 404, 404, 403, 200, 200, 403, 200, 403, 200, 403),
    ),
    "listUsage": ("GET", "/v1/usage", (401, 200, 200, 403, 200, 200, 403, 200, 403, 403, 403)),
    "getStatement": (
        "GET",
        f"/v1/statements/{LIFT}",
        (401, 200, 200, 200, 200, 200, 403, 200, 403, 403, 403),
    ),
    "listRuns": ("GET", "/v1/runs", (401, 403, 403, 403, 200, 200, 403, 200, 403, 403, 403)),
    "getRun": ("GET", "/v1/runs/2", (401, 403, 403, 403, 200, 200, 403, 200, 403, 403, 403)),
    "getJob": ("GET", "/v1/jobs/1", (401, 403, 403, 403, 404, 404, 403, 404, 403, 403, 403)),
    "createRun": ("POST", "/v1/runs", (401, 403, 403, 403, 409, 409, 403, 403, 403, 403, 403)),
    "computeRun": (
        "POST",
        "/v1/runs/2/compute",
        (401, 403, 403, 403, 409, 409, 403, 403, 403, 403, 403),
    ),
    "reviewRun": (
        "POST",
        "/v1/runs/2/review",
        (401, 403, 403, 403, 409, 409, 403, 403, 403, 403, 403),
    ),
    "approveRun": (
        "POST",
        "/v1/runs/2/approve",
        (401, 403, 403, 403, 403, 409, 403, 403, 403, 403, 403),
    ),
    "issueRun": (
        "POST",
        "/v1/runs/2/issue",
        (401, 403, 403, 403, 403, 409, 403, 403, 403, 403, 403),
    ),
    "withdrawRun": (
        "POST",
        "/v1/runs/2/withdraw",
        (401, 403, 403, 403, 409, 409, 403, 403, 403, 403, 403),
    ),
    "holdInRun": (
        "POST",
        "/v1/runs/2/hold",
        (401, 403, 403, 403, 409, 409, 403, 403, 403, 403, 403),
    ),
    "releaseInRun": (
        "POST",
        "/v1/runs/2/release",
        (401, 403, 403, 403, 409, 409, 403, 403, 403, 403, 403),
    ),
    "listAnomalies": (
        "GET",
        "/v1/runs/2/anomalies",
        (401, 403, 403, 403, 200, 200, 403, 200, 403, 403, 403),
    ),
    "listReviews": ("GET", "/v1/reviews", (401, 403, 403, 403, 200, 200, 403, 200, 403, 403, 403)),
    "decideReview": (
        "POST",
        "/v1/reviews",
        (401, 403, 403, 403, 422, 422, 403, 403, 403, 403, 403),
    ),
    "listMeters": ("GET", "/v1/meters", (401, 403, 403, 403, 403, 403, 200, 200, 403, 403, 403)),
    "listReadings": (
        "GET",
        "/v1/meters/E-1-201/readings",
        (401, 403, 403, 403, 403, 403, 200, 200, 403, 403, 403),
    ),
    "listGateways": (
        "GET",
        "/v1/gateways",
        (401, 403, 403, 403, 403, 403, 200, 200, 403, 403, 403),
    ),
    "listQuarantine": (
        "GET",
        "/v1/quarantine",
        (401, 403, 403, 403, 403, 403, 200, 200, 403, 403, 403),
    ),
    "reportGateway": (
        "POST",
        "/v1/gateway/report",
        (401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 200),
    ),
    "getDeviceList": (
        "GET",
        "/v1/gateway/devices",
        (401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 200),
    ),
    "listGatewayRequests": (
        "GET",
        "/v1/gateway/requests",
        (401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 200),
    ),
    "answerGatewayRequest": (
        "POST",
        "/v1/gateway/requests/9/answer",
        (401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 404),
    ),
    "enrolGateway": (
        "POST",
        "/v1/gateway/enrolment",
        (403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403),
    ),
    "addGateway": ("POST", "/v1/gateways", (401, 403, 403, 403, 403, 403, 201, 403, 403, 403, 403)),
    "offerEnrolment": (
        "POST",
        "/v1/gateways/x/enrolments",
        (401, 403, 403, 403, 403, 403, 404, 403, 403, 403, 403),
    ),
    "showDeviceList": (
        "GET",
        "/v1/gateways/x/devices",
        (401, 403, 403, 403, 403, 403, 404, 404, 403, 403, 403),
    ),
    "putBus": (
        "PUT",
        "/v1/gateways/x/buses/b1",
        (401, 403, 403, 403, 403, 403, 404, 403, 403, 403, 403),
    ),
    "dropBus": (
        "DELETE",
        "/v1/gateways/x/buses/b1",
        (401, 403, 403, 403, 403, 403, 404, 403, 403, 403, 403),
    ),
    "putMeter": (
        "PUT",
        "/v1/gateways/x/meters/m",
        (401, 403, 403, 403, 403, 403, 404, 403, 403, 403, 403),
    ),
    "dropMeter": (
        "DELETE",
        "/v1/gateways/x/meters/m",
        (401, 403, 403, 403, 403, 403, 404, 403, 403, 403, 403),
    ),
    "listUnknownMeters": (
        "GET",
        "/v1/unknown-meters",
        (401, 403, 403, 403, 403, 403, 200, 200, 403, 403, 403),
    ),
    "adoptMeter": (
        "POST",
        "/v1/unknown-meters/adoptions",
        (401, 403, 403, 403, 403, 403, 404, 403, 403, 403, 403),
    ),
    "listMeterTypes": (
        "GET",
        "/v1/meter-types",
        (401, 403, 403, 403, 403, 403, 200, 200, 403, 403, 403),
    ),
    "putMeterType": (
        "POST",
        "/v1/meter-types",
        (401, 403, 403, 403, 403, 403, 422, 403, 403, 403, 403),
    ),
    "readMeterNow": (
        "POST",
        "/v1/meters/m/read-requests",
        (401, 403, 403, 403, 403, 403, 409, 403, 403, 403, 403),
    ),
    "getReadRequest": (
        "GET",
        "/v1/read-requests/9",
        (401, 403, 403, 403, 403, 403, 404, 404, 403, 403, 403),
    ),
    "recordExchange": (
        "POST",
        "/v1/meters/m/exchange",
        (401, 403, 403, 403, 403, 403, 422, 403, 403, 403, 403),
    ),
    "listQuestions": (
        "GET",
        "/v1/questions",
        (401, 403, 403, 403, 403, 403, 200, 200, 403, 403, 403),
    ),
    "answerQuestion": (
        "POST",
        "/v1/questions/answers",
        (401, 403, 403, 403, 403, 403, 409, 403, 403, 403, 403),
    ),
    "listDisputes": (
        "GET",
        "/v1/disputes",
        (401, 200, 200, 403, 200, 200, 403, 200, 403, 403, 403),
    ),
    "openDispute": (
        "POST",
        f"/v1/bills/{OWN}/lines/1/disputes",
        (401, 201, 409, 403, 403, 403, 403, 403, 403, 403, 403),
    ),
    "openDispute foreign": (
        "POST",
        f"/v1/bills/{FOREIGN}/lines/1/disputes",
        (401, 404, 404, 403, 403, 403, 403, 403, 403, 403, 403),
    ),
    "getDispute": (
        "GET",
        "/v1/disputes/1",
        (401, 200, 200, 403, 200, 200, 403, 200, 403, 403, 403),
    ),
    "getDispute foreign": (
        "GET",
        "/v1/disputes/99",
        (401, 404, 404, 403, 404, 404, 403, 404, 403, 403, 403),
    ),
    "answerDispute": (
        "POST",
        "/v1/disputes/1/answer",
        (401, 403, 403, 403, 200, 200, 403, 403, 403, 403, 403),
    ),
    "withdrawDispute": (
        "POST",
        "/v1/disputes/1/withdraw",
        (401, 200, 409, 403, 403, 403, 403, 403, 403, 403, 403),
    ),
    "acceptDispute": (
        "POST",
        "/v1/disputes/1/accept",
        (401, 403, 403, 403, 409, 409, 403, 403, 403, 403, 403),
    ),
    "rejectDispute": (
        "POST",
        "/v1/disputes/1/reject",
        (401, 403, 403, 403, 409, 409, 403, 403, 403, 403, 403),
    ),
    "getPublication": (
        "GET",
        "/v1/publication?community=osmanthus",
        (401, 200, 200, 200, 200, 200, 403, 200, 403, 403, 403),
    ),
    "getPublication foreign": (
        "GET",
        "/v1/publication?community=elsewhere",
        (401, 404, 404, 404, 404, 404, 403, 404, 403, 403, 403),
    ),
    "exportMyData": (
        "GET",
        "/v1/export",
        (401, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403),
    ),
    "listStatements": (
        "GET",
        "/v1/statements",
        (401, 200, 200, 200, 200, 200, 403, 200, 403, 403, 403),
    ),
    "listAudit": ("GET", "/v1/audit", (401, 403, 403, 403, 403, 403, 403, 200, 403, 403, 403)),
    "listLogins": ("GET", "/v1/logins", (401, 403, 403, 403, 403, 403, 403, 403, 200, 403, 403)),
    "addLogin": ("POST", "/v1/logins", (401, 403, 403, 403, 403, 403, 403, 403, 409, 403, 403)),
    "listKeys": ("GET", "/v1/keys", (401, 403, 403, 403, 403, 403, 403, 403, 200, 403, 403)),
    "addKey": ("POST", "/v1/keys", (401, 403, 403, 403, 403, 403, 403, 403, 201, 403, 403)),
    "endKey": ("DELETE", "/v1/keys/999", (401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403)),
    "listWebhooks": (
        "GET",
        "/v1/webhooks",
        (401, 403, 403, 403, 403, 403, 403, 403, 200, 403, 403),
    ),
    "addWebhook": (
        "POST",
        "/v1/webhooks",
        (401, 403, 403, 403, 403, 403, 403, 403, 201, 403, 403),
    ),
    "getWebhook": (
        "GET",
        "/v1/webhooks/99",
        (401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403),
    ),
    "changeWebhook": (
        "PUT",
        "/v1/webhooks/99",
        (401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403),
    ),
    "endWebhook": (
        "DELETE",
        "/v1/webhooks/99",
        (401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403),
    ),
    "rotateWebhookSecret": (
        "POST",
        "/v1/webhooks/99/secret",
        (401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403),
    ),
    "listDeliveries": (
        "GET",
        "/v1/webhooks/99/deliveries",
        (401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403),
    ),
    "getDelivery": (
        "GET",
        "/v1/webhooks/99/deliveries/9",
        (401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403),
    ),
    "replayDelivery": (
        "POST",
        "/v1/webhooks/99/deliveries/9/replay",
        (401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403),
    ),
    "replayDeliveries": (
        "POST",
        "/v1/webhooks/99/replay",
        (401, 403, 403, 403, 403, 403, 403, 403, 404, 403, 403),
    ),
    "listPayables": (
        "GET",
        f"/v1/payables?code={OWN_CODE}",
        (401, 200, 200, 403, 200, 200, 403, 200, 403, 200, 403),
    ),
    "listPayables foreign": (
        "GET",
        f"/v1/payables?code={FOREIGN_CODE}",
        (401, 404, 404, 403, 200, 200, 403, 200, 403, 200, 403),
    ),
    "getAccountStatement": (
        "GET",
        f"/v1/account-statement?code={OWN_CODE}&from=2026-09-01&to=2026-12-31",
        (401, 200, 200, 403, 200, 200, 403, 200, 403, 200, 403),
    ),
    "getAccountStatement foreign": (
        "GET",
        f"/v1/account-statement?code={FOREIGN_CODE}&from=2026-09-01&to=2026-12-31",
        (401, 404, 404, 403, 200, 200, 403, 200, 403, 200, 403),
    ),
    "openPaymentOrder": (
        "POST",
        "/v1/payment-orders",
        (401, 409, 409, 403, 409, 409, 403, 403, 403, 409, 403),
    ),
    "getPaymentOrder": (
        "GET",
        "/v1/payment-orders/P1",
        (401, 404, 404, 403, 404, 404, 403, 404, 403, 404, 403),
    ),
    "closePaymentOrder": (
        "POST",
        "/v1/payment-orders/P1/close",
        (401, 404, 404, 403, 404, 404, 403, 403, 403, 404, 403),
    ),
    "listPayments": (
        "GET",
        f"/v1/payments?code={OWN_CODE}",
        (401, 200, 200, 403, 200, 200, 403, 200, 403, 200, 403),
    ),
    "getPayment": (
        "GET",
        "/v1/payments/99",
        (401, 404, 404, 403, 404, 404, 403, 404, 403, 404, 403),
    ),
    "getReceipt": (
        "GET",
        "/v1/payments/99/receipt",
        (401, 404, 404, 403, 404, 404, 403, 404, 403, 404, 403),
    ),
    "listWaitingPayments": (
        "GET",
        "/v1/waiting-payments?community=osmanthus",
        (401, 403, 403, 403, 200, 200, 403, 403, 403, 403, 403),
    ),
    "enterPayment": (
        "POST",
        "/v1/payments",
        (401, 403, 403, 403, 201, 201, 403, 403, 403, 403, 403),
    ),
    "approvePayment": (
        "POST",
        "/v1/payments/99/approve",
        (401, 403, 403, 403, 403, 404, 403, 403, 403, 403, 403),
    ),
    "rejectPayment": (
        "POST",
        "/v1/payments/99/reject",
        (401, 403, 403, 403, 403, 404, 403, 403, 403, 403, 403),
    ),
    "reversePayment": (
        "POST",
        "/v1/payments/99/reverse",
        (401, 403, 403, 403, 404, 404, 403, 403, 403, 403, 403),
    ),
    "requestRefund": (
        "POST",
        "/v1/payments/99/refunds",
        (401, 403, 403, 403, 404, 404, 403, 403, 403, 403, 403),
    ),
    "getRefund": ("GET", "/v1/refunds/R1", (401, 403, 403, 403, 404, 404, 403, 403, 403, 403, 403)),
    "approveRefund": (
        "POST",
        "/v1/refunds/R1/approve",
        (401, 403, 403, 403, 403, 404, 403, 403, 403, 403, 403),
    ),
    "rejectRefund": (
        "POST",
        "/v1/refunds/R1/reject",
        (401, 403, 403, 403, 403, 404, 403, 403, 403, 403, 403),
    ),
    "executeRefund": (
        "POST",
        "/v1/refunds/R1/execute",
        (401, 403, 403, 403, 404, 404, 403, 403, 403, 403, 403),
    ),
    "tellOfWechatPay": (
        "POST",
        "/v1/callbacks/wechat",
        (404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    ),
    "openSession": (
        "POST",
        "/v1/sessions",
        (201, 201, 201, 201, 201, 201, 201, 201, 201, 201, 201),
    ),
    "closeSession": (
        "DELETE",
        "/v1/sessions/current",
        (401, 204, 204, 204, 204, 204, 204, 204, 204, 204, 204),
    ),
    "getHealth": ("GET", "/health", (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200)),
    "getMetrics": ("GET", "/metrics", (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200)),
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
    "openDispute": {"reason": "We were away"},
    "answerDispute": {"text": "We look at it"},
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
}


def test_every_operation_answers_every_caller_as_the_table_says(billed: House) -> None:
    found = {}
    for name, (method, path, _) in EXPECTED.items():
        statuses = []
        for caller in CALLERS:
            body = BODIES.get(name.partition(" ")[0])
            headers = {"Idempotency-Key": f"{name}-{caller}-1"}
            if caller != "nobody":
                headers["Authorization"] = f"Bearer {billed.caller(caller).token}"
            answer = billed.call(method, path, json=body, headers=headers)
            statuses.append(answer.status_code)
        found[name] = (method, path, tuple(statuses))
    assert found == EXPECTED


def test_an_operation_without_a_row_fails(billed: House) -> None:
    document = billed.call("GET", "/openapi.json").json()
    operations = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert operations == {name.partition(" ")[0] for name in EXPECTED}


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
    assert len(masked["share_list"]) == len(named["share_list"])
    rooms = {share["unit"] for share in named["share_list"]} - {None}
    assert rooms
    assert not rooms & {share["unit"] for share in masked["share_list"]}
    assert not any(share["mine"] for share in masked["share_list"])
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
