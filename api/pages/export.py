"""My data: the page that says what is exported, and the archive itself."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.routes.export import archive_of
from api.security import FormRequires, PageRequires

router = APIRouter(include_in_schema=False, prefix="/export")

Reader = Annotated[Principal, Depends(PageRequires(Permission.DATA_EXPORT))]
Exporting = Annotated[Principal, Depends(FormRequires(Permission.DATA_EXPORT))]


@router.get("")
async def show_export(request: Request, caller: Reader) -> Response:
    """What the archive holds, and a button to get it."""
    return page(request, "export.html", principal=caller)


@router.post("")
async def export(request: Request, caller: Exporting) -> Response:
    """The archive, as it is made."""
    return await anyio.to_thread.run_sync(archive_of, request, caller)
