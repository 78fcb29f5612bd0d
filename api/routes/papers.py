"""Bills, receipts and statements as PDF, for whoever may read them as JSON."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api import etag, problems
from api.masking import shown_shares
from api.papers.account import account_paper
from api.papers.bill import bill_paper
from api.papers.receipt import receipt_paper
from api.papers.statement import statement_paper
from api.papers.typesetting import MEDIA_TYPE, digest_of, typeset
from api.payers import own_payment
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import Reader, held, scope_of
from api.routes.payments import (
    AccountCode,
    FirstDay,
    LastDay,
    PaymentId,
    statement_of_account,
)
from api.routes.payments import Reader as PaymentReader
from api.routes.portal import BillReader, Number
from api.routes.statements import StatementId, StatementReader
from billing.store import payments_due, payments_receipts
from billing.store.views import bills, statements

if TYPE_CHECKING:
    from api.language import Language
    from api.papers.paper import Paper
    from api.principal import Principal

router = APIRouter(prefix="/v1")

PDF: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A PDF/A-2a document; the same content gives the same bytes.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""The OpenAPI response of a paper."""


@router.get(
    "/bills/{number}/pdf",
    operation_id="getBillPdf",
    summary="Get a bill as PDF",
    tags=["portal"],
    response_class=Response,
    responses={**held(problems.NOT_FOUND), **PDF},
)
async def get_bill_pdf(
    request: Request, caller: BillReader, number: Number, reader: Reader, known: etag.Known
) -> Response:
    """In the language of `Accept-Language`. Where papers are sealed, with a code that verifies."""
    return await answer(paper_of_bill(request, caller, number, reader), known)


@router.get(
    "/payments/{payment}/receipt/pdf",
    operation_id="getReceiptPdf",
    summary="Get the receipt of a payment as PDF",
    tags=["payments"],
    response_class=Response,
    responses={**held(problems.NOT_FOUND), **PDF},
)
async def get_receipt_pdf(
    request: Request, caller: PaymentReader, payment: PaymentId, reader: Reader, known: etag.Known
) -> Response:
    """As the receipt says, in the language of `Accept-Language`. None before it is posted."""
    return await answer(paper_of_receipt(request, caller, payment, reader), known)


@router.get(
    "/statements/{statement}/pdf",
    operation_id="getStatementPdf",
    summary="Get the statement of a pool as PDF",
    tags=["portal"],
    response_class=Response,
    responses={**held(problems.NOT_FOUND), **PDF},
)
async def get_statement_pdf(
    request: Request,
    caller: StatementReader,
    statement: StatementId,
    reader: Reader,
    known: etag.Known,
) -> Response:
    """As the statement is answered: for an owner, and the owners' committee, rooms are masked.

    Where papers are sealed, with a code that verifies, once it is issued.
    """
    return await answer(paper_of_statement(request, caller, statement, reader), known)


@router.get(
    "/account-statement/pdf",
    operation_id="getAccountStatementPdf",
    summary="Get the statement of an account as PDF",
    tags=["payments"],
    response_class=Response,
    responses={**held(problems.NOT_FOUND), **PDF},
)
async def get_account_statement_pdf(
    *,
    request: Request,
    caller: PaymentReader,
    code: AccountCode,
    first: FirstDay,
    last: LastDay,
    reader: Reader,
    known: etag.Known,
) -> Response:
    """The same days as of the statement, in the language of `Accept-Language`.

    Where papers are sealed, with a code that verifies.
    """
    found = statement_of_account(request, caller, code, first, last)
    return await answer(account_paper(found, reader, of(request).seals), known)


def paper_of_bill(request: Request, caller: Principal, number: str, reader: Language) -> Paper:
    """Return a bill on paper; raise `ProblemError` if it is not the caller's, or not there."""
    resources = of(request)
    with resources.database.snapshot() as connection:
        found = bills.bill(connection, scope_of(caller), number)
    if found is None:
        raise ProblemError(problems.NOT_FOUND)
    return bill_paper(found, reader, resources.seals)


def paper_of_receipt(request: Request, caller: Principal, payment: int, reader: Language) -> Paper:
    """Return a receipt on paper; raise `ProblemError` as `paper_of_bill`."""
    resources = of(request)
    with resources.database.snapshot() as connection:
        paid = own_payment(connection, caller, payment)
        found = payments_receipts.receipt_of(connection, payment)
        who = payments_due.payer(connection, paid.account_id)
    if found is None:
        raise ProblemError(problems.NOT_FOUND)
    return receipt_paper(found, paid, who, reader, resources.seals)


def paper_of_statement(
    request: Request, caller: Principal, statement: int, reader: Language
) -> Paper:
    """Return a pool's statement on paper; raise `ProblemError` as `paper_of_bill`."""
    resources = of(request)
    with resources.database.snapshot() as connection:
        found = statements.whole(connection, scope_of(caller), statement)
        if found is None:
            raise ProblemError(problems.NOT_FOUND)
        shown = shown_shares(connection, statement, caller)
    return statement_paper(found, shown, reader, resources.seals, masked=not caller.sees_rooms)


async def answer(paper: Paper, known: str | None) -> Response:
    """Answer with `paper` as PDF; it is set in a thread, since that takes tens of milliseconds."""
    return await anyio.to_thread.run_sync(
        partial(
            etag.answer_with_file,
            partial(typeset, paper),
            known,
            tag=digest_of(paper)[: etag.TAG_LETTERS],
            media_type=MEDIA_TYPE,
            name=f"{paper.number}.pdf",
            language=paper.tag,
        )
    )
