"""Statements of pools: read by whom they concern, tried otherwise and checked by billing staff."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import etag, idempotency, pool_trials, problems
from api.language import of_program
from api.masking import shown_shares
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, paged, read_number_cursor
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import Reader, failing, held, run_of, scope_of
from api.schemas.apportionments import ShareChange, StatementCheck
from api.schemas.runs import Run
from api.schemas.statements import (
    NewCheck,
    ShareInStatement,
    Statement,
    StatementSummary,
    StatementTrial,
)
from api.schemas.values import Fraction
from api.security import Requires
from billing.pool_checking import check_pool
from billing.store import pool_checks
from billing.store.views import shares, statements
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.pools.moved import Moved
    from billing.store.views.statements import StatementView

router = APIRouter(prefix="/v1/statements", tags=["staff"])

StatementReader = Annotated[Principal, Depends(Requires(Permission.STATEMENTS_READ))]
RunReader = Annotated[Principal, Depends(Requires(Permission.RUNS_READ))]
Preparer = Annotated[Principal, Depends(Requires(Permission.RUNS_PREPARE))]
StatementId = Annotated[int, Path(ge=1, lt=2**63)]
Row = TypeVar("Row")
Shown = TypeVar("Shown")


@router.get(
    "",
    operation_id="listStatements",
    summary="List the statements of pools, the newest first",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_statements(
    request: Request, caller: StatementReader, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[StatementSummary]:
    """Every pool's for staff and the owners' committee; for an owner those of own bills."""
    before_id = read_number_cursor(cursor)
    with of(request).database.snapshot() as connection:
        rows = statements.heads(connection, scope_of(caller), limit=limit + 1, before_id=before_id)
        borne = shares.borne(connection, [each.id for each in rows[:limit]])
    return paged(
        rows,
        limit,
        key=lambda row: (str(row.id),),
        shown=lambda row: StatementSummary.of(row, borne[row.id]),
    )


@router.get(
    "/{statement}",
    operation_id="getStatement",
    summary="Get the statement of a pool",
    response_model=Statement,
    responses=held(problems.NOT_FOUND),
)
async def get_statement(
    request: Request, caller: StatementReader, statement: StatementId, known: etag.Known
) -> Response:
    """A shared supply, what it cost and who bears it; an owner sees it if an own bill rests on it.

    The shares are a list of their own (`listShares`).
    """
    with of(request).database.snapshot() as connection:
        found = _found(connection, scope_of(caller), statement)
    return etag.answer(Statement.whole(found, masked=not caller.sees_rooms), known)


@router.get(
    "/{statement}/shares",
    operation_id="listShares",
    summary="List the shares of a statement",
    responses=failing(problems.INVALID_CURSOR, problems.NOT_FOUND),
)
async def list_shares(
    request: Request,
    caller: StatementReader,
    statement: StatementId,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ShareInStatement]:
    """In the order of the statement; for an owner the own ones first and other rooms masked."""
    start = read_number_cursor(cursor) or 0
    with of(request).database.snapshot() as connection:
        if statements.head(connection, scope_of(caller), statement) is None:
            raise ProblemError(problems.NOT_FOUND)
        rows = shown_shares(connection, statement, caller, skipped=start, limit=limit + 1)
    return _part(rows, start, limit, ShareInStatement.of)


@router.get(
    "/{statement}/check",
    operation_id="getStatementCheck",
    summary="Get the check of how a pool was shared",
    response_model=StatementCheck,
    responses=held(problems.NOT_FOUND),
)
async def get_check(
    request: Request,
    caller: RunReader,
    statement: StatementId,
    reader: Reader,
    known: etag.Known,
) -> Response:
    """Inputs with verdicts, the tree of meters, who takes no part, sums, odd cents, last word."""
    del caller
    with of(request).database.snapshot() as connection:
        found = _found(connection, Scope(unissued=True), statement)
        said = pool_checks.of_statement(connection, found.head.run_id, statement)
        odd_cents = statements.odd_cents(connection, found.head, most=1)
    return etag.answer(StatementCheck.whole(found, odd_cents, said, reader), known)


@router.get(
    "/{statement}/changes",
    operation_id="listShareChanges",
    summary="List how shares differ from the month before",
    responses=failing(problems.INVALID_CURSOR, problems.NOT_FOUND),
)
async def list_changes(
    request: Request,
    caller: RunReader,
    statement: StatementId,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ShareChange]:
    """By unit, the largest difference first; none where nothing is issued of the month before."""
    del caller
    start = read_number_cursor(cursor) or 0
    with of(request).database.snapshot() as connection:
        head = statements.head(connection, Scope(unissued=True), statement)
        if head is None:
            raise ProblemError(problems.NOT_FOUND)
        earlier = statements.earlier(connection, head)
        rows: tuple[Moved, ...] = ()
        if earlier is not None:
            both, most = (statement, earlier.id), limit + 1
            rows, _ = shares.changes(connection, *both, skipped=start, limit=most)
    return _part(rows, start, limit, ShareChange.of)


def _found(connection: Connection, scope: Scope, statement: int) -> StatementView:
    """Return a statement in `scope`; raise `ProblemError` where there is none."""
    found = statements.statement(connection, scope, statement)
    if found is None:
        raise ProblemError(problems.NOT_FOUND)
    return found


def _part(
    rows: Sequence[Row], start: int, limit: int, shown: Callable[[Row], Shown]
) -> Page[Shown]:
    """Return a page of `rows`, which stand behind the first `start`; of `limit + 1`."""
    numbered = list(enumerate(rows, start=start + 1))
    return paged(
        numbered, limit, key=lambda each: (str(each[0]),), shown=lambda each: shown(each[1])
    )


@router.get(
    "/{statement}/trial",
    operation_id="tryStatement",
    summary="Ask how a pool would be shared otherwise",
    responses=failing(problems.NOT_FOUND, problems.NO_WHAT_IF),
)
async def try_statement(
    *,
    request: Request,
    caller: RunReader,
    statement: StatementId,
    basis: Annotated[
        str,
        Query(max_length=20, description="`area`, `household` or `persons`; else the pool's own."),
    ] = "",
    company_share: Annotated[
        Fraction | None,
        Query(description="What the company bears, from 0 to 1; else as the pool says."),
    ] = None,
) -> StatementTrial:
    """What each unit bears and would bear. Nothing is stored."""
    del caller
    asked = pool_trials.asked(basis, None if company_share is None else Decimal(company_share))
    with of(request).database.snapshot() as connection:
        found = _found(connection, Scope(unissued=True), statement)
        return StatementTrial.of(pool_trials.trial(connection, found, asked), of_program(request))


@router.post(
    "/{statement}/check",
    operation_id="checkStatement",
    summary="Sign off how a pool was shared, or hold it",
    response_model=Run,
    responses=failing(
        problems.KEY_MISSING,
        problems.KEY_REUSED,
        problems.STILL_WORKING,
        problems.NOT_FOUND,
        problems.REASON_MISSING,
        problems.WRONG_STATE,
    ),
)
async def check_statement(
    request: Request,
    caller: Preparer,
    statement: StatementId,
    said: NewCheck,
    key: idempotency.Key = None,
) -> Response:
    """The last word counts. A run with a pool that is held is not approved."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, Run]:
        run = check_pool(
            database,
            statement_id=statement,
            word=said.word,
            reason=said.reason,
            actor=caller.name,
            now=now,
        )
        with database.snapshot() as connection:
            return 200, run_of(connection, run, of_program(request))

    return await idempotency.once(request, caller, key, work)
