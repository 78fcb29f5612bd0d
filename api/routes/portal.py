"""What owners and payment clients ask: bills, why each line is what it is, and usage."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import etag, problems
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, paged, read_cursor
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import Reader, failing, held, scope_of
from api.schemas.bills import Bill, BillSummary, LineExplained, UsageOfBill
from api.schemas.values import Month
from api.security import Requires
from billing.store.verification import verify_line
from billing.store.views import bills, usages

router = APIRouter(prefix="/v1", tags=["portal"])

BillReader = Annotated[Principal, Depends(Requires(Permission.BILLS_READ))]
UsageReader = Annotated[Principal, Depends(Requires(Permission.USAGE_READ))]
Number = Annotated[str, Path(max_length=200, examples=["osmanthus-2026-10-0007"])]

LONGEST_ID = 18
"""How many digits an id has at most, that a database can hold."""


@router.get(
    "/bills",
    operation_id="listBills",
    summary="List bills, the newest period first",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_bills(
    request: Request,
    caller: BillReader,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
    period: Annotated[Month | None, Query()] = None,
) -> Page[BillSummary]:
    """Own bills for an owner, every bill for staff. Owners see bills that are issued."""
    after = _after(cursor, 2)
    with of(request).database.snapshot() as connection:
        rows = bills.heads(
            connection,
            scope_of(caller),
            limit=limit + 1,
            after=None if after is None else bills.After(after[0], *after[1]),
            period=period,
        )
    return paged(rows, limit, key=lambda row: (row.period.key, str(row.id)), shown=BillSummary.of)


@router.get(
    "/bills/{number}",
    operation_id="getBill",
    summary="Get a bill with its lines",
    response_model=Bill,
    responses=held(problems.NOT_FOUND),
)
async def get_bill(
    request: Request, caller: BillReader, number: Number, reader: Reader, known: etag.Known
) -> Response:
    """Each line carries one sentence that says why it is what it is."""
    with of(request).database.snapshot() as connection:
        bill = bills.bill(connection, scope_of(caller), number)
    if bill is None:
        raise ProblemError(problems.NOT_FOUND)
    return etag.answer(Bill.whole(bill, reader), known)


@router.get(
    "/bills/{number}/lines/{position}",
    operation_id="explainLine",
    summary="Explain a line and check it",
    response_model=LineExplained,
    responses=held(problems.NOT_FOUND),
)
async def explain_line(  # noqa: PLR0917 - which line, for whom, in which language and version
    request: Request,
    caller: BillReader,
    number: Number,
    position: Annotated[int, Path(ge=1, le=10_000)],
    reader: Reader,
    known: etag.Known,
) -> Response:
    """Everything that the line rests on, and what recomputing it from that gives just now."""
    with of(request).database.snapshot() as connection:
        bill = bills.bill(connection, scope_of(caller), number)
        line = None if bill is None else bill.line(position)
        if bill is None or line is None:
            raise ProblemError(problems.NOT_FOUND)
        found = verify_line(connection, number, position)
    return etag.answer(LineExplained.whole(bill, line, found, reader), known)


@router.get(
    "/usage",
    operation_id="listUsage",
    summary="List billed usage, the newest period first",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_usage(
    request: Request,
    caller: UsageReader,
    reader: Reader,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[UsageOfBill]:
    """What was consumed, with the registers, readings and raw words behind it.

    What lines rest on, each once. Usages of a register overlap where its tariffs are cut at
    different days; the months' use is under `/v1/usage/months`.
    """
    after = _after(cursor, 3)
    with of(request).database.snapshot() as connection:
        rows = usages.billed(
            connection,
            scope_of(caller),
            limit=limit + 1,
            after=None if after is None else usages.After(after[0], *after[1]),
        )
    return paged(
        rows,
        limit,
        key=lambda row: (row.period, str(row.bill_id), str(row.id)),
        shown=partial(UsageOfBill.of, language=reader),
    )


def _after(cursor: str | None, parts: int) -> tuple[str, list[int]] | None:
    """Return the period and the ids that a cursor of so many `parts` holds."""
    held = read_cursor(cursor, parts)
    if held is None:
        return None
    period, *numbers = held
    if not all(each.isdecimal() and len(each) <= LONGEST_ID for each in numbers):
        raise ProblemError(problems.INVALID_CURSOR)
    return period, [int(each) for each in numbers]
