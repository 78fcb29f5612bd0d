"""What staff do with money: enter it, approve it, undo it, and give it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import etag, idempotency, paying, problems
from api.paging import Page
from api.payers import payer_by_code
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import failing, held
from api.routes.payments import CHANGING, ONLINE, PaymentId
from api.schemas.payments import (
    NewPayment,
    NewRefund,
    PaymentShown,
    RefundShown,
    Reversal,
    fen,
)
from api.security import Requires
from billing.store import payments_book, payments_desk, payments_refunds, registry

if TYPE_CHECKING:
    from billing.database import Database

router = APIRouter(prefix="/v1", tags=["payments"])

Clerk = Annotated[Principal, Depends(Requires(Permission.PAYMENTS_ENTER))]
Approver = Annotated[Principal, Depends(Requires(Permission.PAYMENTS_APPROVE))]
RefundNumber = Annotated[str, Path(max_length=32)]


@router.get(
    "/waiting-payments",
    operation_id="listWaitingPayments",
    summary="List the payments that wait for approval",
    responses=failing(problems.UNKNOWN_COMMUNITY),
)
async def list_waiting_payments(
    request: Request, caller: Clerk, community: Annotated[str, Query(max_length=200)]
) -> Page[PaymentShown]:
    """Of one community, the oldest first: they are above what one person may enter alone."""
    del caller
    with of(request).database.snapshot() as connection:
        community_id = registry.community_ids(connection).get(community)
        if community_id is None:
            raise ProblemError(problems.UNKNOWN_COMMUNITY)
        found = payments_book.waiting(connection, community_id)
    return Page(items=[PaymentShown.of(each, people=True) for each in found])


@router.post(
    "/payments",
    operation_id="enterPayment",
    summary="Enter a payment",
    status_code=201,
    response_model=PaymentShown,
    responses=failing(*CHANGING),
)
async def enter_payment(
    request: Request, caller: Clerk, new: NewPayment, key: idempotency.Key = None
) -> Response:
    """Cash, a transfer or a kiosk's takings. Above the community's limit it waits for approval.

    The same document again is the same payment.
    """
    now = of(request).now()

    def work(database: Database) -> tuple[int, PaymentShown]:
        with database.transaction() as connection:
            who = payer_by_code(connection, caller, new.payment_code)
            made = payments_desk.enter(
                connection,
                who.community,
                who.account,
                new.handed(now),
                actor=caller.name,
                now=now,
            )
            return 201, PaymentShown.of(made, people=True)

    return await idempotency.once(request, caller, key, work)


@router.post(
    "/payments/{payment}/approve",
    operation_id="approvePayment",
    summary="Approve a payment",
    response_model=PaymentShown,
    responses=failing(*CHANGING, problems.FOUR_EYES),
)
async def approve_payment(
    request: Request, caller: Approver, payment: PaymentId, key: idempotency.Key = None
) -> Response:
    """Post what somebody else has entered."""
    return await _decide_payment(request, caller, payment, key, approve=True)


@router.post(
    "/payments/{payment}/reject",
    operation_id="rejectPayment",
    summary="Reject a payment",
    response_model=PaymentShown,
    responses=failing(*CHANGING, problems.FOUR_EYES),
)
async def reject_payment(
    request: Request, caller: Approver, payment: PaymentId, key: idempotency.Key = None
) -> Response:
    """It is never posted, and stays to be seen."""
    return await _decide_payment(request, caller, payment, key, approve=False)


@router.post(
    "/payments/{payment}/reverse",
    operation_id="reversePayment",
    summary="Undo a payment",
    response_model=PaymentShown,
    responses=failing(*CHANGING, problems.FOUR_EYES),
)
async def reverse_payment(
    request: Request,
    caller: Clerk,
    payment: PaymentId,
    why: Reversal,
    key: idempotency.Key = None,
) -> Response:
    """What it has paid is due again. Nobody undoes what they entered."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, PaymentShown]:
        with database.transaction() as connection:
            undone = payments_desk.reverse(
                connection, payment, kind=why.kind, reason=why.reason, actor=caller.name, now=now
            )
            return 200, PaymentShown.of(undone, people=True)

    return await idempotency.once(request, caller, key, work)


@router.post(
    "/payments/{payment}/refunds",
    operation_id="requestRefund",
    summary="Ask for a refund",
    status_code=201,
    response_model=RefundShown,
    responses=failing(*CHANGING),
)
async def request_refund(
    request: Request,
    caller: Clerk,
    payment: PaymentId,
    new: NewRefund,
    key: idempotency.Key = None,
) -> Response:
    """Its money is set aside at once, and goes back when somebody else has approved it."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, RefundShown]:
        with database.transaction() as connection:
            asked = payments_refunds.request(
                connection,
                payment,
                fen(new.amount),
                reason=new.reason,
                reopen=new.reopen,
                actor=caller.name,
                now=now,
            )
            return 201, RefundShown.of(asked)

    return await idempotency.once(request, caller, key, work)


@router.get(
    "/refunds/{number}",
    operation_id="getRefund",
    summary="Get a refund",
    response_model=RefundShown,
    responses=held(problems.NOT_FOUND),
)
async def get_refund(
    request: Request, caller: Clerk, number: RefundNumber, known: etag.Known
) -> Response:
    """Where it stands."""
    del caller
    with of(request).database.snapshot() as connection:
        return etag.answer(RefundShown.of(payments_refunds.read(connection, number)), known)


@router.post(
    "/refunds/{number}/approve",
    operation_id="approveRefund",
    summary="Approve a refund",
    response_model=RefundShown,
    responses=failing(*CHANGING, problems.FOUR_EYES),
)
async def approve_refund(
    request: Request, caller: Approver, number: RefundNumber, key: idempotency.Key = None
) -> Response:
    """Approve what somebody else has asked for; then it can be executed."""
    return await _decide_refund(request, caller, number, key, approve=True)


@router.post(
    "/refunds/{number}/reject",
    operation_id="rejectRefund",
    summary="Reject a refund",
    response_model=RefundShown,
    responses=failing(*CHANGING, problems.FOUR_EYES),
)
async def reject_refund(
    request: Request, caller: Approver, number: RefundNumber, key: idempotency.Key = None
) -> Response:
    """Its money is the account's credit again."""
    return await _decide_refund(request, caller, number, key, approve=False)


@router.post(
    "/refunds/{number}/execute",
    operation_id="executeRefund",
    summary="Send an approved refund back",
    response_model=RefundShown,
    responses=failing(*CHANGING, *ONLINE[1:]),
)
async def execute_refund(
    request: Request, caller: Clerk, number: RefundNumber, key: idempotency.Key = None
) -> Response:
    """What was paid online goes back there, and is executed when the provider says so.

    Of other payments it records that the money was handed out.
    """
    resources = of(request)

    def work(_: Database) -> tuple[int, RefundShown]:
        return 200, RefundShown.of(paying.give_back(resources, number, actor=caller.name))

    return await idempotency.repeatable(request, caller, key, work)


async def _decide_payment(
    request: Request, caller: Principal, payment: int, key: str | None, *, approve: bool
) -> Response:
    now = of(request).now()

    def work(database: Database) -> tuple[int, PaymentShown]:
        with database.transaction() as connection:
            decided = payments_desk.decide(
                connection, payment, approve=approve, actor=caller.name, now=now
            )
            return 200, PaymentShown.of(decided, people=True)

    return await idempotency.once(request, caller, key, work)


async def _decide_refund(
    request: Request, caller: Principal, number: str, key: str | None, *, approve: bool
) -> Response:
    now = of(request).now()

    def work(database: Database) -> tuple[int, RefundShown]:
        with database.transaction() as connection:
            decided = payments_refunds.decide(
                connection, number, approve=approve, actor=caller.name, now=now
            )
            return 200, RefundShown.of(decided)

    return await idempotency.once(request, caller, key, work)
