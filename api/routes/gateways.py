"""What gateways say and ask: enrolment, reports, the device list, and what they are to do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import etag, problems
from api.credentials import new_token
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import Resources, of, whole
from api.routes.answers import failing, held
from api.schemas.devices import DeviceListBody, EnrolmentToken, GatewayKey
from api.schemas.gateways import GatewayReport, ReportReceived
from api.schemas.requests import GatewayAnswer, RequestOfGateway, Requests
from api.security import ANYONE, Requires
from api.store import device_lists, enrolments, gateway_requests, gateways
from meters.told import text_of, told

if TYPE_CHECKING:
    from api.gateway_report import Report

router = APIRouter(prefix="/v1", tags=["gateways"])

Reporter = Annotated[Principal, Depends(Requires(Permission.GATEWAY_REPORT))]

LOOK_AGAIN_S = 0.5
"""How often a waiting gateway's requests are looked for."""
LONGEST_WAIT_S = 25


@router.post(
    "/gateway/enrolment",
    operation_id="enrolGateway",
    summary="Change an enrolment token for the gateway's own key",
    status_code=201,
    dependencies=[ANYONE],
    responses=failing(problems.ENROLMENT_REFUSED),
)
async def enrol_gateway(request: Request, body: EnrolmentToken) -> GatewayKey:
    """A token counts once. Every other key of the gateway ends, so a replaced box is locked out."""
    key = new_token("key")
    gateway = await anyio.to_thread.run_sync(partial(_enrol, whole(request), body.token, key))
    if gateway is None:
        raise ProblemError(problems.ENROLMENT_REFUSED)
    return GatewayKey(gateway=gateway, key=key)


@router.post(
    "/gateway/report",
    operation_id="reportGateway",
    summary="Report as a gateway",
    responses=failing(problems.WRONG_GATEWAY, problems.TOO_LARGE),
)
async def report_gateway(request: Request, caller: Reporter, body: GatewayReport) -> ReportReceived:
    """Counts, devices and quarantine. Sending a report again is always safe, without a key.

    Items of quarantine up to `quarantine_upto` are kept here and need not be sent again.
    """
    if caller.gateway is not None and caller.gateway != body.gateway:
        raise ProblemError(
            problems.WRONG_GATEWAY,
            told(
                "the key is for gateway '{gateway}', the report is of '{reported}'",
                gateway=caller.gateway,
                reported=body.gateway,
            ),
        )
    resources = of(request)
    try:
        upto = await anyio.to_thread.run_sync(partial(_record, resources, body.report()))
    except device_lists.GatewayExistsError as error:
        raise ProblemError(problems.WRONG_GATEWAY, text_of(error)) from error
    return ReportReceived(quarantine_upto=upto, now=resources.now())


@router.get(
    "/gateway/devices",
    operation_id="getDeviceList",
    summary="Get what this gateway is to read",
    response_model=DeviceListBody,
    responses=held(problems.WRONG_GATEWAY),
)
async def get_device_list(request: Request, caller: Reporter, known: etag.Known) -> Response:
    """The tables of a gateway's settings file, as JSON, under an `ETag`."""
    gateway = _gateway(caller)
    with of(request).database.snapshot() as connection:
        tag = device_lists.tag(connection, gateway) or device_lists.EMPTY
        body = DeviceListBody(**device_lists.document(connection, gateway))
    return etag.answer(body, known, tag=tag)


@router.get(
    "/gateway/requests",
    operation_id="listGatewayRequests",
    summary="Wait for something to do",
    responses=failing(problems.WRONG_GATEWAY),
)
async def list_requests(
    request: Request,
    caller: Reporter,
    devices: Annotated[str | None, Query(max_length=200)] = None,
    wait_s: Annotated[int, Query(ge=0, le=LONGEST_WAIT_S)] = 0,
) -> Requests:
    """Answers at once where something waits, or where the list is another than `devices`.

    Otherwise after `wait_s`. A request to read is given out once; one to rebase until it is
    answered.
    """
    gateway, resources = _gateway(caller), of(request)
    until = anyio.current_time() + wait_s
    while True:
        with resources.database.snapshot() as connection:
            tag = device_lists.tag(connection, gateway) or device_lists.EMPTY
            found = gateway_requests.waiting(connection, gateway, now=resources.now())
        if found:
            ids = [each.id for each in found]
            await anyio.to_thread.run_sync(partial(_take, resources, ids))
        elif anyio.current_time() < until and devices in (None, tag):
            await anyio.sleep(LOOK_AGAIN_S)
            continue
        asked = [
            RequestOfGateway(id=each.id, kind=each.kind, meter=each.meter, detail=dict(each.detail))
            for each in found
        ]
        return Requests(devices=tag, requests=asked)


@router.post(
    "/gateway/requests/{number}/answer",
    operation_id="answerGatewayRequest",
    summary="Say what came of a request",
    status_code=204,
    responses=failing(problems.WRONG_GATEWAY, problems.NOT_FOUND),
)
async def answer_request(
    request: Request,
    caller: Reporter,
    number: Annotated[int, Path(ge=1, lt=2**63)],
    body: GatewayAnswer,
) -> None:
    """The first answer counts; sending it again is safe, without a key."""
    work = partial(_answer, of(request), number, _gateway(caller), body)
    if not await anyio.to_thread.run_sync(work):
        raise ProblemError(problems.NOT_FOUND)


def _gateway(caller: Principal) -> str:
    if caller.gateway is None:
        raise ProblemError(problems.WRONG_GATEWAY, told("the key is of no gateway"))
    return caller.gateway


def _enrol(resources: Resources, token: str, key: str) -> str | None:
    with resources.database.transaction() as connection:
        return enrolments.take_up(connection, token, key=key, now=resources.now())


def _record(resources: Resources, report: Report) -> int | None:
    with resources.database.transaction() as connection:
        return gateways.record(connection, report, now=resources.now())


def _take(resources: Resources, ids: list[int]) -> None:
    with resources.database.transaction() as connection:
        gateway_requests.take(connection, ids, now=resources.now())


def _answer(resources: Resources, number: int, gateway: str, body: GatewayAnswer) -> bool:
    text = body.model_dump(mode="json", by_alias=True)
    with resources.database.transaction() as connection:
        return gateway_requests.answer(
            connection, number, gateway=gateway, text=text, now=resources.now()
        )
