"""Use by month and by day, for owners and the programs that act for them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import consumption, etag, problems
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.routes.answers import held
from api.schemas.consumption import UseByDay, UseByMonth
from api.schemas.values import Month
from api.security import Requires

router = APIRouter(prefix="/v1/usage", tags=["portal"])

UsageReader = Annotated[Principal, Depends(Requires(Permission.USAGE_READ))]
Code = Annotated[
    str | None,
    Query(
        max_length=40,
        description="The payment code of the account; the first own one unless said.",
        examples=["100000000287"],
    ),
]
Medium = Annotated[
    str | None,
    Query(
        max_length=40,
        description="The first of the unit's unless said.",
        examples=["electricity"],
    ),
]


@router.get(
    "/months",
    operation_id="getUsageByMonth",
    summary="Get the use of twelve months",
    response_model=UseByMonth,
    responses=held(problems.NOT_FOUND),
)
async def get_usage_by_month(
    *,
    request: Request,
    caller: UsageReader,
    known: etag.Known,
    code: Code = None,
    medium: Medium = None,
    until: Annotated[
        Month | None, Query(description="The last of the months; the newest unless said.")
    ] = None,
) -> Response:
    """As it was billed, beside the year before and the median of similar households."""
    work = partial(consumption.by_month, of(request), caller, code=code, medium=medium, until=until)
    return etag.answer(UseByMonth.whole(await anyio.to_thread.run_sync(work)), known)


@router.get(
    "/days",
    operation_id="getUsageByDay",
    summary="Get the use of the days of a month",
    response_model=UseByDay,
    responses=held(problems.NOT_FOUND, problems.ARCHIVE_AWAY),
)
async def get_usage_by_day(
    *,
    request: Request,
    caller: UsageReader,
    known: etag.Known,
    code: Code = None,
    medium: Medium = None,
    month: Annotated[Month | None, Query(description="The newest unless said.")] = None,
) -> Response:
    """As the meters were read at midnight, beside the same days of the year before.

    The days of a month that is issued sum to what it counts, unless some are not known.
    """
    work = partial(consumption.by_day, of(request), caller, code=code, medium=medium, month=month)
    return etag.answer(UseByDay.whole(await anyio.to_thread.run_sync(work)), known)
