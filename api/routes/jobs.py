"""Work in the background: how far it is, and what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from api import etag, problems
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.routes.answers import held
from api.schemas.jobs import Job
from api.security import Requires
from billing.store import jobs

router = APIRouter(prefix="/v1/jobs", tags=["staff"])

RunReader = Annotated[Principal, Depends(Requires(Permission.RUNS_READ))]


@router.get(
    "/{job}",
    operation_id="getJob",
    summary="Get how far a run's computation is",
    response_model=Job,
    responses=held(problems.NOT_FOUND),
)
async def get_job(
    request: Request,
    caller: RunReader,
    job: Annotated[int, Path(ge=1, lt=2**63)],
    known: etag.Known,
) -> Response:
    """Ask again until its `state` is `done` or `failed`; it survives a restart of the server."""
    del caller
    with of(request).database.snapshot() as connection:
        return etag.answer(Job.of(jobs.read(connection, job)), known)
