"""The document of the API: each operation says what it is, what it takes, and how it can fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.problems import MEDIA_TYPE, TYPES

if TYPE_CHECKING:
    from fastapi import FastAPI

PROBLEM = {"$ref": "#/components/schemas/ProblemBody"}


@pytest.fixture(scope="session")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


@pytest.fixture(scope="session")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every operation of `/v1` by method and path."""
    return {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/")
    }


def test_every_operation_says_what_it_is(operations: dict[str, dict[str, Any]]) -> None:
    silent = [
        (name, said)
        for name, operation in operations.items()
        for said in ("operationId", "summary", "description", "tags")
        if not operation.get(said)
    ]
    assert len(operations) > 40
    assert silent == []
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(ids) == len(set(ids))


def test_every_schema_has_a_name_of_its_own_so_that_clients_can_be_generated(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]

    assert [name for name in schemas if "__" in name] == []
    titles = [schema["title"] for schema in schemas.values() if "title" in schema]
    assert sorted(titles) == sorted(set(titles))


def test_every_body_has_an_example(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    without = []
    for name, operation in operations.items():
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            body = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            if not body.get("examples"):
                without.append(name)
    assert without == []


def test_every_failure_is_a_problem_with_an_example(
    operations: dict[str, dict[str, Any]],
) -> None:
    for name, operation in operations.items():
        failures = {
            status: response
            for status, response in operation["responses"].items()
            if int(status) >= 400
        }
        assert set(failures) >= {"401", "403", "422", "429"}, name
        for status, response in failures.items():
            assert set(response["content"]) == {MEDIA_TYPE}, (name, status)
            content = response["content"][MEDIA_TYPE]
            assert content["schema"] == PROBLEM
            for kind, example in content["examples"].items():
                assert example["value"]["type"] == TYPES[kind].uri
                assert example["value"]["status"] == int(status)


def test_whatever_may_be_held_already_says_so(operations: dict[str, dict[str, Any]]) -> None:
    tagged = {
        operation["operationId"]
        for operation in operations.values()
        if "304" in operation["responses"]
    }
    assert tagged == {
        "getBill",
        "getBillPdf",
        "explainLine",
        "getStatement",
        "getStatementCheck",
        "getStatementPdf",
        "getRun",
        "getDeviceList",
        "showDeviceList",
        "getReadRequest",
        "getAccountStatement",
        "getAccountStatementPdf",
        "getPaymentOrder",
        "getPayment",
        "getReceipt",
        "getReceiptPdf",
        "getRefund",
        "getWebhook",
        "getNotifications",
        "getDelivery",
        "getDispute",
        "getPublication",
        "getUsageByMonth",
        "getUsageByDay",
        "getJob",
        "getTariff",
        "getTariffDraft",
    }
