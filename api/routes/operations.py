"""What those who run Tallygate ask: whether it is well, and its figures."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.metrics import CONTENT_TYPE, Metrics
from api.resources import Resources, whole
from api.schemas.values import Answer
from api.security import ANYONE, ANYONE_AT_ANY_TIME
from api.store import gateways
from meters.archive.protocol import ArchiveUnavailableError

LOG = logging.getLogger(__name__)

router = APIRouter(tags=["operations"])

Part = Annotated[Literal["ok", "unreachable"], "whether a part answers"]


class Health(Answer):
    """Whether the parts that every answer rests on can be reached."""

    status: Literal["ok", "degraded"]
    database: Part
    archive: Part


@router.get(
    "/health",
    operation_id="getHealth",
    summary="Say whether the parts can be reached",
    dependencies=[ANYONE_AT_ANY_TIME],
    responses={503: {"model": Health, "description": "A part cannot be reached"}},
)
async def health(request: Request, response: Response) -> Health:
    """200 if everything answers, 503 if a part does not."""
    found = await anyio.to_thread.run_sync(_health, whole(request))
    if found.status != "ok":
        response.status_code = 503
    return found


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Figures for Prometheus",
    dependencies=[ANYONE],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "The figures"}},
)
async def metrics(request: Request) -> Response:
    """Counts and times of answers, age of gateways' reports. No personal data."""
    resources = whole(request)
    kept: Metrics = request.app.state.metrics
    with resources.database.snapshot() as connection:
        found = gateways.gateways(connection)
        quarantined = gateways.quarantined(connection)
    exposition = kept.exposition(found, quarantined, now=resources.now())
    return Response(exposition, media_type=CONTENT_TYPE)


def _health(resources: Resources) -> Health:
    database: Part = "ok"
    archive: Part = "ok"
    try:
        with resources.database.snapshot() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        LOG.exception("the database cannot be reached")
        database = "unreachable"
    try:
        resources.archive.latest(())
    except ArchiveUnavailableError:
        LOG.exception("the archive cannot be reached")
        archive = "unreachable"
    well = database == archive == "ok"
    return Health(status="ok" if well else "degraded", database=database, archive=archive)
