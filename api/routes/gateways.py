"""What gateways send."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Request

from api import problems
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import Resources, of
from api.routes.answers import failing
from api.schemas.metering import GatewayReport, ReportReceived
from api.security import Requires
from api.store import gateways

if TYPE_CHECKING:
    from api.gateway_report import Report

router = APIRouter(prefix="/v1", tags=["gateways"])

Reporter = Annotated[Principal, Depends(Requires(Permission.GATEWAY_REPORT))]


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
            f"the key is for gateway {caller.gateway!r}, the report is of {body.gateway!r}",
        )
    resources = of(request)
    upto = await anyio.to_thread.run_sync(partial(_record, resources, body.report()))
    return ReportReceived(quarantine_upto=upto)


def _record(resources: Resources, report: Report) -> int | None:
    with resources.database.transaction() as connection:
        return gateways.record(connection, report, now=resources.now())
