"""Calls made up from the API's own document, as every caller: answered as the document says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

if TYPE_CHECKING:
    from conftest import Caller, House
    from schemathesis import Case
    from schemathesis.schemas import APIOperation

CALLERS = (
    *("li", "tenant", "committee", "clerk", "approver", "engineer", "auditor", "admin"),
    *("payments", "gw-1"),
)
EXAMPLES = 4
"""Calls of each operation by each caller."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def make_calls(caller: Caller, operation: APIOperation) -> None:
    """Call `operation` with what its schemas allow; the first wrong answer raises."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def one(case: Case) -> None:
        arguments = case.as_transport_kwargs(base_url="http://court")
        arguments["headers"] = dict(arguments.get("headers") or {})
        named = {name: arguments[name] for name in arguments.keys() - {"method", "url", "cookies"}}
        answer = caller.call(arguments["method"], arguments["url"], **named)
        case.validate_response(Response.from_any(answer), checks=CHECKS)

    one()


@pytest.mark.parametrize("name", CALLERS)
def test_made_up_calls_are_answered_as_the_document_says(patient: House, name: str) -> None:
    document = patient.call("GET", "/openapi.json").json()
    del document["paths"]["/v1/sessions/current"]  # would end the session that calls
    caller = patient.caller(name)
    for each in schemathesis.openapi.from_dict(document).get_all_operations():
        make_calls(caller, each.ok())
