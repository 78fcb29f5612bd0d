"""The publication of a community: what everybody there may know of tariffs and shared costs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import etag, problems
from api.permission import Permission
from api.principal import Principal
from api.publishing import publication
from api.resources import of
from api.routes.answers import Reader, held
from api.schemas.publication import PublicationShown
from api.security import Requires

router = APIRouter(prefix="/v1", tags=["portal"])

StatementReader = Annotated[Principal, Depends(Requires(Permission.STATEMENTS_READ))]


@router.get(
    "/publication",
    operation_id="getPublication",
    summary="Get what a community charges and shares",
    response_model=PublicationShown,
    responses=held(problems.NOT_FOUND),
)
async def get_publication(
    request: Request,
    caller: StatementReader,
    reader: Reader,
    known: etag.Known,
    community: Annotated[
        str | None, Query(max_length=200, description="The first of the own ones unless said.")
    ] = None,
) -> Response:
    """Tariffs and pools in force today, what is to follow, and the newest statements."""
    resources = of(request)
    with resources.database.snapshot() as connection:
        found = publication(connection, caller, community, now=resources.now())
    return etag.answer(PublicationShown.of(found, reader), known)
