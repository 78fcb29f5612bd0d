"""Papers for people: as PDF, a check as a workbook, and the page that says if one is genuine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import etag, language, problems
from api.masking import shown_shares
from api.pages.rendering import page
from api.papers import workbook
from api.papers.account import account_paper
from api.papers.apportionment import check_paper, check_tables
from api.papers.sealing import PAGE
from api.papers.verifying import verified
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of, whole
from api.routes.papers import answer, paper_of_bill, paper_of_receipt, paper_of_statement
from api.routes.payments import (
    AccountCode,
    FirstDay,
    LastDay,
    PaymentId,
    statement_of_account,
)
from api.routes.portal import Number
from api.security import ANYONE, PageRequires
from billing.store import pool_checks
from billing.store.views import statements
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from api.masking import ShownShare
    from billing.store.pool_checks import PoolCheck
    from billing.store.views.statements import WholeStatement

router = APIRouter(include_in_schema=False)

BillReader = Annotated[Principal, Depends(PageRequires(Permission.BILLS_READ))]
PaymentReader = Annotated[Principal, Depends(PageRequires(Permission.PAYMENTS_READ))]
StatementReader = Annotated[Principal, Depends(PageRequires(Permission.STATEMENTS_READ))]
RunReader = Annotated[Principal, Depends(PageRequires(Permission.RUNS_READ))]
StatementId = Annotated[int, Path(ge=1, lt=2**63)]
LONGEST_CODE = 40
"""A code has 16 letters; people put spaces and dashes between them."""


@router.get("/bills/{number}/pdf")
async def show_bill_pdf(request: Request, caller: BillReader, number: Number) -> Response:
    """A bill as PDF in the language of the pages."""
    return await answer(
        paper_of_bill(request, caller, number, language.of_request(request)),
        request.headers.get("if-none-match"),
    )


@router.get("/receipts/{payment}/pdf")
async def show_receipt_pdf(request: Request, caller: PaymentReader, payment: PaymentId) -> Response:
    """A receipt as PDF in the language of the pages."""
    return await answer(
        paper_of_receipt(request, caller, payment, language.of_request(request)),
        request.headers.get("if-none-match"),
    )


@router.get("/statements/{statement}/pdf")
async def show_statement_pdf(
    request: Request, caller: StatementReader, statement: StatementId
) -> Response:
    """A pool's statement as PDF in the language of the pages; an owner sees other rooms masked."""
    return await answer(
        paper_of_statement(request, caller, statement, language.of_request(request)),
        request.headers.get("if-none-match"),
    )


@router.get("/account/pdf")
async def show_account_pdf(
    *, request: Request, caller: PaymentReader, code: AccountCode, first: FirstDay, last: LastDay
) -> Response:
    """The statement of an account as PDF in the language of the pages."""
    found = statement_of_account(request, caller, code, first, last)
    return await answer(
        account_paper(found, language.of_request(request), of(request).seals),
        request.headers.get("if-none-match"),
    )


@router.get("/staff/statements/{statement}/pdf")
async def show_check_pdf(request: Request, caller: RunReader, statement: StatementId) -> Response:
    """The check of an apportionment as PDF, every room by its name."""
    view, shown, said = _checked(request, caller, statement)
    return await answer(
        check_paper(view, shown, said, language.of_request(request)),
        request.headers.get("if-none-match"),
    )


@router.get("/staff/statements/{statement}/xlsx")
async def show_check_workbook(
    request: Request, caller: RunReader, statement: StatementId
) -> Response:
    """The check of an apportionment as a workbook: what the PDF says, its numbers as numbers."""
    view, shown, said = _checked(request, caller, statement)
    reader = language.of_request(request)
    tables = check_tables(view, shown, said, reader)
    return await anyio.to_thread.run_sync(
        partial(
            etag.answer_with_file,
            partial(workbook.workbook_of, tables, reader),
            request.headers.get("if-none-match"),
            tag=workbook.digest_of(tables, reader)[: etag.TAG_LETTERS],
            media_type=workbook.MEDIA_TYPE,
            name=f"{view.head.pool.id}-{view.head.period.key}.xlsx",
            language=reader.tag,
            saved=True,
        )
    )


@router.get(PAGE, dependencies=[ANYONE])
async def verify_typed(
    request: Request,
    number: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=LONGEST_CODE)] = "",
) -> Response:
    """The form for number and code, and what they come to."""
    return _verified(request, number.strip(), code.strip())


@router.get(PAGE + "/{number}/{code}", dependencies=[ANYONE])
async def verify_scanned(
    request: Request,
    number: Number,
    code: Annotated[str, Path(max_length=LONGEST_CODE)],
) -> Response:
    """What the QR code of a paper leads to."""
    return _verified(request, number, code)


def _verified(request: Request, number: str, code: str) -> Response:
    """Return the page; it says number, amount, day and community of a genuine paper, no more."""
    resources, found = whole(request), None
    asked = bool(number and code)
    if asked and resources.seals is not None:
        with resources.database.snapshot() as connection:
            found = verified(connection, resources.seals, number, code)
    return page(request, "verify.html", asked=asked, found=found, number=number, code=code)


def _checked(
    request: Request, caller: Principal, statement: int
) -> tuple[WholeStatement, list[ShownShare], PoolCheck | None]:
    """Return a statement, its shares and the last word about it.

    Raises `ProblemError` where there is none.
    """
    with of(request).database.snapshot() as connection:
        view = statements.whole(connection, Scope(unissued=True), statement)
        if view is None:
            raise ProblemError(problems.NOT_FOUND)
        shown = shown_shares(connection, statement, caller)
        return view, shown, pool_checks.of_statement(connection, view.head.run_id, statement)
