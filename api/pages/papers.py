"""Bills and receipts as PDF for people, and the page on which anybody has a paper checked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import language
from api.pages.rendering import page
from api.papers.sealing import PAGE
from api.papers.verifying import verified
from api.permission import Permission
from api.principal import Principal
from api.resources import whole
from api.routes.papers import answer, paper_of_bill, paper_of_receipt
from api.routes.payments import PaymentId
from api.routes.portal import Number
from api.security import ANYONE, PageRequires

router = APIRouter(include_in_schema=False)

BillReader = Annotated[Principal, Depends(PageRequires(Permission.BILLS_READ))]
PaymentReader = Annotated[Principal, Depends(PageRequires(Permission.PAYMENTS_READ))]
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
