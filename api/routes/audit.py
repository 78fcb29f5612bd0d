"""What auditors ask: who did what when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api import problems
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, paged, read_number_cursor
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.routes.answers import failing
from api.schemas.audit import AuditEntry
from api.schemas.values import Instant
from api.security import Requires
from billing.store import audit

router = APIRouter(prefix="/v1", tags=["audit"])

Text = Annotated[str | None, Query(max_length=200)]
Moment = Annotated[Instant | None, Query(examples=["2026-11-01T00:00:00Z"])]


def _wanted(
    actor: Text = None,
    action: Text = None,
    subject: Text = None,
    since: Moment = None,
    until: Moment = None,
) -> audit.Wanted:
    return audit.Wanted(actor=actor, action=action, subject=subject, since=since, until=until)


@router.get(
    "/audit",
    operation_id="listAudit",
    summary="List the audit log, the newest entry first",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_audit(
    request: Request,
    caller: Annotated[Principal, Depends(Requires(Permission.AUDIT_READ))],
    wanted: Annotated[audit.Wanted, Depends(_wanted)],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[AuditEntry]:
    """By who, what and about what, exactly; `since` is included, `until` is not.

    `tallygate audit verify` says whether the log is whole.
    """
    del caller
    before = read_number_cursor(cursor)
    with of(request).database.snapshot() as connection:
        rows = audit.entries(connection, wanted, limit=limit + 1, before=before)
    return paged(rows, limit, key=lambda row: (str(row.position),), shown=AuditEntry.of)
