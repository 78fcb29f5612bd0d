"""My data, as one archive."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from api import exporting, language, problems
from api.pages.rendering import LARGE, TYPE_COOKIE
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import failing
from api.security import Requires
from meters.told import told

router = APIRouter(prefix="/v1", tags=["portal"])

Exporter = Annotated[Principal, Depends(Requires(Permission.DATA_EXPORT))]

MEDIA_TYPE = "application/zip"


@router.get(
    "/export",
    operation_id="exportMyData",
    summary="Export everything about the own accounts",
    response_class=StreamingResponse,
    responses={
        **failing(),
        200: {
            "description": "A ZIP archive of JSON and CSV files with a README in both languages.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
    },
)
async def export_my_data(request: Request, caller: Exporter) -> Response:
    """Login, accounts, bills with their evidence, usage, payments, statements, disputes, settings.

    The audit log notes that it was handed out.
    """
    return await anyio.to_thread.run_sync(archive_of, request, caller)


def archive_of(request: Request, caller: Principal) -> Response:
    """Return the archive of the caller's data as an answer that is made while it is sent."""
    if caller.accounts is None:
        raise ProblemError(
            problems.FORBIDDEN, told("only who holds accounts has data of their own")
        )
    resources = of(request)
    reader = language.of_request(request)
    wish = exporting.Wish(
        caller=caller,
        accounts=caller.accounts,
        now=resources.now(),
        reader=reader,
        settings={
            "language": reader.tag,
            "large_type": request.cookies.get(TYPE_COOKIE) == LARGE,
        },
    )
    exporting.note(resources.database, wish)
    day = wish.now.date().isoformat()
    return StreamingResponse(
        exporting.archive(resources.database, wish),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="tallygate-{day}.zip"'},
    )
