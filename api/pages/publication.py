"""The publication of a community: its tariffs, charges and pools, in words and tables."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import tariff_words, wording
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.publishing import publication
from api.resources import of
from api.security import PageRequires

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(PageRequires(Permission.STATEMENTS_READ))]


@router.get("/publication")
async def show_publication(
    request: Request,
    caller: Reader,
    community: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """What is charged by which rule, what is shared and how, and every statement of it."""
    resources = of(request)
    with resources.database.snapshot() as connection:
        found = publication(connection, caller, community, now=resources.now())
    return page(
        request,
        "publication.html",
        principal=caller,
        published=found.published,
        statements=found.statements,
        choice=found.choice,
        tariff_words=tariff_words,
        bases=wording.BASES,
    )
