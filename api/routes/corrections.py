"""Corrections: what would change in issued months as things are known now, and the run for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import idempotency, problems
from api.language import of_program
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.routes.answers import Reader, failing, run_of
from api.schemas.corrections import CorrectedMonth, CorrectionPreview, NewCorrection
from api.schemas.runs import Code, Run
from api.schemas.values import Month
from api.security import Requires
from billing import lifecycle, previewing
from billing.computing import Sources

if TYPE_CHECKING:
    from billing.database import Database

router = APIRouter(prefix="/v1/corrections", tags=["staff"])

Preparer = Annotated[Principal, Depends(Requires(Permission.RUNS_PREPARE))]


@router.get(
    "",
    operation_id="previewCorrection",
    summary="Show what a correction would change",
    responses=failing(problems.UNKNOWN_COMMUNITY, problems.NOT_BILLABLE, problems.ARCHIVE_AWAY),
)
def preview_correction(
    request: Request,
    caller: Preparer,
    community: Annotated[Code, Query()],
    first: Annotated[Month, Query()],
    reader: Reader,
) -> CorrectionPreview:
    """Computes the issued months from `first` on anew, with what is known now; stores nothing."""
    del caller
    resources = of(request)
    types = resources.catalogue.current(resources.database)
    sources = Sources(resources.database, resources.archive, types)
    found = previewing.affected(sources, community=community, first=first)
    return CorrectionPreview(months=[CorrectedMonth.of(each, reader) for each in found])


@router.post(
    "",
    operation_id="createCorrection",
    summary="Create the run that corrects issued months",
    status_code=201,
    response_model=Run,
    responses=failing(
        problems.KEY_MISSING,
        problems.KEY_REUSED,
        problems.STILL_WORKING,
        problems.RUN_EXISTS,
        problems.NOT_BILLABLE,
        problems.UNKNOWN_COMMUNITY,
    ),
)
async def create_correction(
    request: Request, caller: Preparer, new: NewCorrection, key: idempotency.Key = None
) -> Response:
    """A draft: of corrections alone, or of the next month with them, as the community has it."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, Run]:
        run = lifecycle.correct(
            database, community=new.community, first=new.first, actor=caller.name, now=now
        )
        with database.snapshot() as connection:
            return 201, run_of(connection, run, of_program(request))

    return await idempotency.once(request, caller, key, work)
