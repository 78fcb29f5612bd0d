"""What payers and payment clients ask: what is due, orders, payments, receipts, statements."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import etag, idempotency, paying, problems
from api.paging import Page
from api.payers import Named, own_order, own_payment, payer_by_code, payers
from api.paying import Paying
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import failing, held
from api.schemas.payment_orders import SCENES, NewOrder, OrderShown
from api.schemas.payments import (
    AccountStatementShown,
    DuesShown,
    PaymentShown,
    ReceiptShown,
    fen,
    parts,
)
from api.security import Requires
from billing.store import (
    journal_views,
    payments_book,
    payments_due,
    payments_receipts,
)

if TYPE_CHECKING:
    from billing.database import Database
    from billing.store.journal_views import AccountStatement

router = APIRouter(prefix="/v1", tags=["payments"])

Reader = Annotated[Principal, Depends(Requires(Permission.PAYMENTS_READ))]
Orderer = Annotated[Principal, Depends(Requires(Permission.PAYMENTS_ORDER))]
OrderNumber = Annotated[str, Path(max_length=32)]
AccountCode = Annotated[str, Query(max_length=40, description="The payment code of the account.")]
FirstDay = Annotated[date, Query(alias="from")]
LastDay = Annotated[date, Query(alias="to")]
PaymentId = Annotated[int, Path(ge=1, lt=2**63)]

CHANGING = (
    problems.KEY_MISSING,
    problems.KEY_REUSED,
    problems.STILL_WORKING,
    problems.NOT_FOUND,
    problems.NOT_PAYABLE,
)
ONLINE = (problems.NO_PROVIDER, problems.PROVIDER_REFUSED, problems.PROVIDER_AWAY)
LONGEST_STATEMENT = timedelta(days=3660)


@router.get(
    "/payables",
    operation_id="listPayables",
    summary="List what is due",
    responses=failing(problems.NOT_FOUND),
)
async def list_payables(request: Request, caller: Reader, named: Named) -> Page[DuesShown]:
    """Of a payment code, an account or a unit; of the own accounts where nothing is named."""
    with of(request).database.snapshot() as connection:
        found = [
            payments_due.dues(connection, each.account_id)
            for each in payers(connection, caller, named)
        ]
    return Page(items=[DuesShown.of(each) for each in found])


@router.get(
    "/account-statement",
    operation_id="getAccountStatement",
    summary="Get the statement of an account",
    response_model=AccountStatementShown,
    responses=held(problems.NOT_FOUND),
)
async def get_account_statement(
    *,
    request: Request,
    caller: Reader,
    code: AccountCode,
    first: FirstDay,
    last: LastDay,
    known: etag.Known,
) -> Response:
    """Charges, payments, refunds and adjustments from day to day, both included."""
    found = statement_of_account(request, caller, code, first, last)
    return etag.answer(AccountStatementShown.of(found), known)


def statement_of_account(
    request: Request, caller: Principal, code: str, first: date, last: date
) -> AccountStatement:
    """Return a statement; raise `ProblemError` for another's account, or for days out of order."""
    if not timedelta(0) <= last - first <= LONGEST_STATEMENT:
        what = "is before `from`, or more than ten years after it"
        raise ProblemError(problems.INVALID, errors=[{"where": "query.to", "what": what}])
    with of(request).database.snapshot() as connection:
        who = payer_by_code(connection, caller, code)
        return journal_views.statement_of(connection, who.account_id, first, last)


@router.post(
    "/payment-orders",
    operation_id="openPaymentOrder",
    summary="Open an order to pay online",
    status_code=201,
    response_model=OrderShown,
    responses=failing(*CHANGING, *ONLINE),
)
async def open_payment_order(
    request: Request, caller: Orderer, new: NewOrder, key: idempotency.Key = None
) -> Response:
    """Over one or many claims of an account, in part or whole. It is open for half an hour.

    For the same claims and amounts, to be paid in the same way, the order that is open is answered
    again. A program that knows who pays inside WeChat orders by `jsapi`, and calls WeChat with what
    is answered as `jsapi`.
    """
    resources = of(request)

    def work(database: Database) -> tuple[int, OrderShown]:
        with database.snapshot() as connection:
            who = payer_by_code(connection, caller, new.payment_code)
        found = paying.begin(
            resources,
            who.account_id,
            parts(new.pays),
            in_advance=0 if new.in_advance is None else fen(new.in_advance),
            scene=SCENES[new.scene],
            payer=new.payer_openid,
            actor=caller.name,
        )
        return 201, OrderShown.of(found)

    return await idempotency.repeatable(request, caller, key, work)


@router.get(
    "/payment-orders/{number}",
    operation_id="getPaymentOrder",
    summary="Get an order",
    response_model=OrderShown,
    responses=held(problems.NOT_FOUND, *ONLINE[1:]),
)
async def get_payment_order(
    request: Request, caller: Reader, number: OrderNumber, known: etag.Known
) -> Response:
    """Whether it is paid, and what it is paid with until then."""
    resources = of(request)
    with resources.database.snapshot() as connection:
        order = own_order(connection, caller, number)
    found = await anyio.to_thread.run_sync(partial(paying.of, resources, order))
    return etag.answer(OrderShown.of(found), known)


@router.post(
    "/payment-orders/{number}/close",
    operation_id="closePaymentOrder",
    summary="Close an order",
    response_model=OrderShown,
    responses=failing(*CHANGING, *ONLINE[1:]),
)
async def close_payment_order(
    request: Request, caller: Orderer, number: OrderNumber, key: idempotency.Key = None
) -> Response:
    """Nobody is to pay it any more. One that was paid meanwhile is refused."""
    resources = of(request)

    def work(database: Database) -> tuple[int, OrderShown]:
        with database.snapshot() as connection:
            own_order(connection, caller, number)
        return 200, OrderShown.of(Paying(paying.end(resources, number, actor=caller.name), None))

    return await idempotency.repeatable(request, caller, key, work)


@router.get(
    "/payments",
    operation_id="listPayments",
    summary="List payments, the newest first",
    responses=failing(problems.NOT_FOUND),
)
async def list_payments(request: Request, caller: Reader, named: Named) -> Page[PaymentShown]:
    """Of a payment code, an account or a unit; of the own accounts where nothing is named."""
    with of(request).database.snapshot() as connection:
        found = [
            paid
            for each in payers(connection, caller, named)
            for paid in payments_book.of_account(connection, each.account_id)
        ]
    found.sort(key=lambda paid: (paid.paid_at, paid.id), reverse=True)
    return Page(items=[PaymentShown.of(each, people=caller.accounts is None) for each in found])


@router.get(
    "/payments/{payment}",
    operation_id="getPayment",
    summary="Get a payment",
    response_model=PaymentShown,
    responses=held(problems.NOT_FOUND),
)
async def get_payment(
    request: Request, caller: Reader, payment: PaymentId, known: etag.Known
) -> Response:
    """Where it stands: whether it waits for approval, is posted, or was undone."""
    with of(request).database.snapshot() as connection:
        paid = own_payment(connection, caller, payment)
    return etag.answer(PaymentShown.of(paid, people=caller.accounts is None), known)


@router.get(
    "/payments/{payment}/receipt",
    operation_id="getReceipt",
    summary="Get the receipt of a payment",
    response_model=ReceiptShown,
    responses=held(problems.NOT_FOUND),
)
async def get_receipt(
    request: Request, caller: Reader, payment: PaymentId, known: etag.Known
) -> Response:
    """What it has paid, and what of it is credit. There is none before it is posted."""
    with of(request).database.snapshot() as connection:
        own_payment(connection, caller, payment)
        found = payments_receipts.receipt_of(connection, payment)
    if found is None:
        raise ProblemError(problems.NOT_FOUND)
    return etag.answer(ReceiptShown.of(found), known)
