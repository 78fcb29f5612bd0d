"""The auditors' page: who did what when."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.security import PageRequires
from billing.store import audit

router = APIRouter(include_in_schema=False)

SHOWN = 100
Text = Annotated[str, Query(max_length=200)]


@router.get("/audit")
async def show_audit(  # noqa: PLR0917 - who did what about what, and from where on
    request: Request,
    caller: Annotated[Principal, Depends(PageRequires(Permission.AUDIT_READ))],
    actor: Text = "",
    action: Text = "",
    subject: Text = "",
    before: int | None = None,
) -> Response:
    """The newest entries first, narrowed by what the reader writes."""
    fields = {"actor": actor.strip(), "action": action.strip(), "subject": subject.strip()}
    wanted = audit.Wanted(
        actor=fields["actor"] or None,
        action=fields["action"] or None,
        subject=fields["subject"] or None,
    )
    with of(request).database.snapshot() as connection:
        found = audit.entries(connection, wanted, limit=SHOWN + 1, before=before)
    more = None
    if len(found) > SHOWN:
        asked = {name: value for name, value in fields.items() if value}
        more = urlencode({**asked, "before": found[SHOWN - 1].position})
    return page(
        request,
        "audit.html",
        principal=caller,
        entries=found[:SHOWN],
        asked=fields,
        more=more,
        zone=ZoneInfo("UTC"),
    )
