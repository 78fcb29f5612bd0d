"""What engineers ask: meters with their last readings, gateways, and what is in quarantine."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request

from api import freshness, problems
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, paged, read_cursor, read_number_cursor
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import failing
from api.schemas.gateways import GatewayState
from api.schemas.metering import Meter, NewestReading, QuarantineItem
from api.schemas.values import Answer
from api.security import Requires
from api.store import gateways
from billing.store.views import meters
from billing.store.views.meter_times import own_times_of

router = APIRouter(prefix="/v1", tags=["engineering"])

MeterReader = Annotated[Principal, Depends(Requires(Permission.METERS_READ))]
QuarantineReader = Annotated[Principal, Depends(Requires(Permission.QUARANTINE_READ))]


class RecentReadings(Answer):
    """The readings of a meter's billing registers, the newest first."""

    meter: str
    readings: list[NewestReading]


@router.get(
    "/meters",
    operation_id="listMeters",
    summary="List the meters that stand now",
    responses=failing(problems.INVALID_CURSOR, problems.ARCHIVE_AWAY),
)
async def list_meters(
    request: Request, caller: MeterReader, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[Meter]:
    """Each with the newest reading of its billing registers, its age and its verdict."""
    del caller
    resources, after = of(request), read_cursor(cursor, 1)
    now = resources.now()
    with resources.database.snapshot() as connection:
        standing = meters.standing(
            connection, at=now, after=None if after is None else after[0], limit=limit + 1
        )
        types = resources.catalogue.known(connection)
    states = await anyio.to_thread.run_sync(
        partial(freshness.meter_states, resources.archive, types, standing, now=now)
    )
    return paged(states, limit, key=lambda state: (state.standing.meter,), shown=Meter.of)


@router.get(
    "/meters/{meter}/readings",
    operation_id="listReadings",
    summary="List the recent readings of a meter",
    responses=failing(problems.NOT_FOUND, problems.ARCHIVE_AWAY),
)
async def list_readings(
    request: Request,
    caller: MeterReader,
    meter: Annotated[str, Path(max_length=200)],
    hours: Annotated[int, Query(ge=1, le=24 * 31)] = 24,
) -> RecentReadings:
    """With the raw words that each was decoded from, and the verdicts with their reasons.

    None of the time in which the meter belonged to another project.
    """
    resources = of(request)
    with resources.database.snapshot() as connection:
        standing = meters.standing(connection, meter=meter)
        types = resources.catalogue.known(connection)
    if not standing:
        raise ProblemError(problems.NOT_FOUND)
    own = own_times_of(resources.database, caller.project, meter)
    found = await anyio.to_thread.run_sync(
        partial(
            freshness.recent_readings,
            resources.archive,
            types,
            standing[-1],
            back=timedelta(hours=hours),
            now=resources.now(),
            own=own,
        )
    )
    return RecentReadings(meter=meter, readings=[NewestReading.of(each) for each in found])


@router.get(
    "/gateways",
    operation_id="listGateways",
    summary="List the gateways by their latest reports",
    responses=failing(),
)
async def list_gateways(request: Request, caller: MeterReader) -> Page[GatewayState]:
    """With their counts: what was received must be stored, duplicate, quarantined or spooled."""
    del caller
    with of(request).database.snapshot() as connection:
        found = gateways.gateways(connection)
    return Page(items=[GatewayState.of(each) for each in found])


@router.get(
    "/quarantine",
    operation_id="listQuarantine",
    summary="List what could not be understood, the newest first",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_quarantine(
    request: Request, caller: QuarantineReader, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[QuarantineItem]:
    """As it was received, with the reason why it could not become a reading."""
    del caller
    before_id = read_number_cursor(cursor)
    with of(request).database.snapshot() as connection:
        rows = gateways.quarantine(connection, before_id=before_id, limit=limit + 1)
    return paged(rows, limit, key=lambda row: (str(row.id),), shown=QuarantineItem.of)
