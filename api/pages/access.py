"""The administrator's page: who can sign in, and which keys there are."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.security import PageRequires
from api.store import keys, logins

router = APIRouter(include_in_schema=False)

Keeper = Annotated[Principal, Depends(PageRequires(Permission.LOGINS_MANAGE))]


@router.get("/access")
async def show_access(request: Request, caller: Keeper) -> Response:
    """Logins by name; keys with what they may do, until when, and when they were used."""
    with of(request).database.snapshot() as connection:
        people, held = logins.heads(connection), keys.listed(connection)
    return page(
        request,
        "access.html",
        principal=caller,
        people=people,
        keys=held if caller.may(Permission.KEYS_MANAGE) else [],
        zone=ZoneInfo("UTC"),
    )
