"""Disputes: who pays asks about a line, staff answer, accept or reject."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import etag, idempotency, problems
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, paged, read_number_cursor
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.routes.answers import failing, held, scope_of
from api.schemas.disputes import DisputeAccepted, DisputeAnswer, DisputeShown, NewDispute
from api.security import Requires
from billing.disputes import DisputeState
from billing.store import disputes

if TYPE_CHECKING:
    from billing.database import Database

router = APIRouter(prefix="/v1", tags=["disputes"])

DisputeReader = Annotated[Principal, Depends(Requires(Permission.DISPUTES_READ))]
Opener = Annotated[Principal, Depends(Requires(Permission.DISPUTES_OPEN))]
Answerer = Annotated[Principal, Depends(Requires(Permission.DISPUTES_ANSWER))]
DisputeId = Annotated[int, Path(ge=1, lt=2**63)]

STEPPING = (
    *(problems.KEY_MISSING, problems.KEY_REUSED, problems.STILL_WORKING, problems.NOT_FOUND),
    *(problems.NOT_DISPUTABLE, problems.CHANGED_SINCE),
)


@router.get(
    "/disputes",
    operation_id="listDisputes",
    summary="List disputes, the newest first",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_disputes(
    *,
    request: Request,
    caller: DisputeReader,
    pending: Annotated[
        bool | None, Query(description="Only those that have not ended, or only those that have.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[DisputeShown]:
    """Own ones for an owner, every one for staff."""
    with of(request).database.snapshot() as connection:
        rows = disputes.listed(
            connection,
            scope_of(caller),
            limit=limit + 1,
            pending=pending,
            before_id=read_number_cursor(cursor),
        )
    return paged(
        rows, limit, key=lambda row: (str(row.id),), shown=lambda row: DisputeShown.of(row, caller)
    )


@router.get(
    "/disputes/{dispute}",
    operation_id="getDispute",
    summary="Get a dispute",
    response_model=DisputeShown,
    responses=held(problems.NOT_FOUND),
)
async def get_dispute(
    request: Request, caller: DisputeReader, dispute: DisputeId, known: etag.Known
) -> Response:
    """Where it stands, everything that was said, and what has corrected its line."""
    return etag.answer(_shown(of(request).database, caller, dispute), known)


@router.post(
    "/bills/{number}/lines/{position}/disputes",
    operation_id="openDispute",
    summary="Dispute a line",
    status_code=201,
    response_model=DisputeShown,
    responses=failing(
        problems.KEY_MISSING,
        problems.KEY_REUSED,
        problems.STILL_WORKING,
        problems.NOT_FOUND,
        problems.NOT_DISPUTABLE,
    ),
)
async def open_dispute(  # noqa: PLR0917 - which line, by whom, why, under which key
    request: Request,
    caller: Opener,
    number: Annotated[str, Path(max_length=200, examples=["osmanthus-2026-10-0007"])],
    position: Annotated[int, Path(ge=1, le=10_000)],
    new: NewDispute,
    key: idempotency.Key = None,
) -> Response:
    """The line can still be paid; until the dispute has ended nobody is reminded of it.

    A line has one dispute at a time.
    """

    def work(database: Database) -> tuple[int, DisputeShown]:
        with database.transaction() as connection:
            made = disputes.open_dispute(
                connection,
                scope_of(caller),
                number,
                position,
                reason=new.reason,
                actor=caller.name,
                now=of(request).now(),
            )
        return 201, _shown(database, caller, made)

    return await idempotency.once(request, caller, key, work)


@router.post(
    "/disputes/{dispute}/answer",
    operation_id="answerDispute",
    summary="Answer a dispute",
    response_model=DisputeShown,
    responses=failing(*STEPPING),
    dependencies=[etag.EXPECTING],
)
async def answer_dispute(
    request: Request,
    caller: Answerer,
    dispute: DisputeId,
    said: DisputeAnswer,
    key: idempotency.Key = None,
) -> Response:
    """The owner sees it on the line. It does not end the dispute; another answer may follow."""
    step = partial(_step, request, caller, dispute, DisputeState.ANSWERED, said.text, None)
    return await idempotency.once(request, caller, key, step)


@router.post(
    "/disputes/{dispute}/accept",
    operation_id="acceptDispute",
    summary="Accept a dispute",
    response_model=DisputeShown,
    responses=failing(*STEPPING),
    dependencies=[etag.EXPECTING],
)
async def accept_dispute(
    request: Request,
    caller: Answerer,
    dispute: DisputeId,
    said: DisputeAccepted,
    key: idempotency.Key = None,
) -> Response:
    """The owner is right. What mends the line is a correction run, which can be named."""
    step = partial(_step, request, caller, dispute, DisputeState.ACCEPTED, said.text, said.run)
    return await idempotency.once(request, caller, key, step)


@router.post(
    "/disputes/{dispute}/reject",
    operation_id="rejectDispute",
    summary="Reject a dispute",
    response_model=DisputeShown,
    responses=failing(*STEPPING),
    dependencies=[etag.EXPECTING],
)
async def reject_dispute(
    request: Request,
    caller: Answerer,
    dispute: DisputeId,
    said: DisputeAnswer,
    key: idempotency.Key = None,
) -> Response:
    """The line is right, and the text says why."""
    step = partial(_step, request, caller, dispute, DisputeState.REJECTED, said.text, None)
    return await idempotency.once(request, caller, key, step)


@router.post(
    "/disputes/{dispute}/reply",
    operation_id="replyToDispute",
    summary="Say more to a dispute",
    response_model=DisputeShown,
    responses=failing(*STEPPING),
    dependencies=[etag.EXPECTING],
)
async def reply_to_dispute(
    request: Request,
    caller: Opener,
    dispute: DisputeId,
    said: DisputeAnswer,
    key: idempotency.Key = None,
) -> Response:
    """Whoever pays the bill says more, or replies to an answer: it waits for staff again."""
    step = partial(_step, request, caller, dispute, DisputeState.OPEN, said.text, None)
    return await idempotency.once(request, caller, key, step)


@router.post(
    "/disputes/{dispute}/withdraw",
    operation_id="withdrawDispute",
    summary="Withdraw a dispute",
    response_model=DisputeShown,
    responses=failing(*STEPPING),
    dependencies=[etag.EXPECTING],
)
async def withdraw_dispute(
    request: Request, caller: Opener, dispute: DisputeId, key: idempotency.Key = None
) -> Response:
    """Whoever pays the bill takes the question back."""
    step = partial(_step, request, caller, dispute, DisputeState.WITHDRAWN, "", None)
    return await idempotency.once(request, caller, key, step)


def _step(  # noqa: PLR0917 - bound one by one, and called with the database alone
    request: Request,
    caller: Principal,
    dispute: int,
    to: DisputeState,
    text: str,
    run: int | None,
    database: Database,
) -> tuple[int, DisputeShown]:
    etag.demand(request, lambda: etag.tag_of(_shown(database, caller, dispute)))
    with database.transaction() as connection:
        disputes.take_step(
            connection,
            scope_of(caller),
            dispute,
            to,
            text=text,
            actor=caller.name,
            now=of(request).now(),
            run_id=run,
        )
    return 200, _shown(database, caller, dispute)


def _shown(database: Database, caller: Principal, dispute: int) -> DisputeShown:
    with database.snapshot() as connection:
        return DisputeShown.of(disputes.read(connection, scope_of(caller), dispute), caller)
