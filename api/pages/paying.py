"""The payers' pages: an order with its QR code, a receipt, and the statement of account."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlencode

import anyio.to_thread
import segno
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from api import paying, problems
from api.pages.rendering import page
from api.payers import Naming, own_order, own_payment, payers
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from billing.payments.claim import BILL
from billing.payments.order import OrderState
from billing.store import journal_views, payments_book, payments_due, payments_receipts

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy import Connection

    from billing.store.journal_views import AccountStatement
    from billing.store.payments_due import Payer

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(PageRequires(Permission.PAYMENTS_READ))]
Paying = Annotated[Principal, Depends(FormRequires(Permission.PAYMENTS_ORDER))]

REFRESH_S = 5
"""How often a page asks again whether its order is paid."""
SHOWN = timedelta(days=366)
"""How far back a statement of account goes on its page."""


@router.post("/bills/{number}/pay")
async def pay_bill(request: Request, caller: Paying, number: str) -> Response:
    """Open an order over all that is due of a bill, and lead to it."""
    resources = of(request)
    with resources.database.snapshot() as connection:
        found = payments_due.of_bill(connection, number)
    if found is None or (
        caller.accounts is not None and found[0].account_id not in caller.accounts
    ):
        raise ProblemError(problems.NOT_FOUND)
    account_id, claims = found[0].account_id, {found[1].claim: None}
    opened = await anyio.to_thread.run_sync(
        partial(paying.begin, resources, account_id, claims, actor=caller.name)
    )
    return RedirectResponse(f"/orders/{quote(opened.order.number)}", 303)


@router.get("/orders/{number}")
async def show_order(request: Request, caller: Reader, number: str) -> Response:
    """What an order is paid with; it asks again by itself until it is paid or over."""
    resources = of(request)
    with resources.database.snapshot() as connection:
        order = own_order(connection, caller, number)
        made = payments_book.of_account(connection, order.account_id)
        zone = payments_due.payer(connection, order.account_id).zone
    found = await anyio.to_thread.run_sync(partial(paying.of, resources, order))
    order, prepaid = found.order, found.prepayment
    code = None if prepaid is None else prepaid.code_url
    scan = resources.settings.wechat_scan_page
    return page(
        request,
        "order.html",
        principal=caller,
        order=order,
        zone=zone,
        code=code,
        in_wechat=prepaid is not None and prepaid.in_app_call is not None,
        picture=None if code is None else _picture(code),
        scan=None if code is None or scan is None else f"{scan}?{urlencode({'code': code})}",
        refresh_s=REFRESH_S if order.state is OrderState.OPEN else None,
        payment=next((each for each in made if each.order_id == order.id), None),
        bill_of=_bill_of,
    )


@router.get("/receipts/{payment}")
async def show_receipt(request: Request, caller: Reader, payment: int) -> Response:
    """What a payment has paid, and what of it is credit."""
    with of(request).database.snapshot() as connection:
        paid = own_payment(connection, caller, payment)
        receipt = payments_receipts.receipt_of(connection, payment)
        who = payments_due.payer(connection, paid.account_id)
    if receipt is None:
        raise ProblemError(problems.NOT_FOUND)
    return page(
        request,
        "receipt.html",
        principal=caller,
        paid=paid,
        receipt=receipt,
        zone=who.zone,
        code=who.payment_code,
        bill_of=_bill_of,
    )


@router.get("/account")
async def show_account(request: Request, caller: Reader, code: str | None = None) -> Response:
    """The statements of the own accounts, or of that of a payment code, for a year back."""
    now = of(request).now()
    with of(request).database.snapshot() as connection:
        found = [
            _statement(connection, each, now)
            for each in payers(connection, caller, Naming(code=code))
        ]
        dues = [payments_due.dues(connection, each.payer.account_id) for each in found]
    return page(
        request,
        "account.html",
        principal=caller,
        accounts=list(zip(found, dues, strict=True)),
        bill_of=_bill_of,
    )


def days_shown(who: Payer, now: datetime) -> tuple[date, date]:
    """Return the first and the last day of an account's statement: a year up to its today."""
    today = now.astimezone(who.zone).date()
    return today - SHOWN, today


def _statement(connection: Connection, who: Payer, now: datetime) -> AccountStatement:
    return journal_views.statement_of(connection, who.account_id, *days_shown(who, now))


def _bill_of(claim: str) -> str | None:
    """Return the number of the bill that a claim is of."""
    return claim.removeprefix(BILL) if claim.startswith(BILL) else None


def _picture(code: str) -> Markup:
    """Return the QR code as a picture inside the page; segno makes it of squares alone."""
    drawn = segno.make_qr(code, error="m").svg_inline(
        scale=6, border=4, light="#fff", omitsize=True
    )
    return Markup(drawn)  # noqa: S704  the text is encoded as squares, and stands nowhere in it
