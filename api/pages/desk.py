"""The desk: money that waits for a second pair of eyes, and refunds that wait to be paid out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from api import paying
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.security import FormRequires, PageRequires
from billing.store import payments_book, payments_desk, payments_due, payments_refunds, registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.problems import ProblemError

router = APIRouter(include_in_schema=False, prefix="/staff/desk")

RunReader = Annotated[Principal, Depends(PageRequires(Permission.RUNS_READ))]
Entering = Annotated[Principal, Depends(FormRequires(Permission.PAYMENTS_ENTER))]
Approving = Annotated[Principal, Depends(FormRequires(Permission.PAYMENTS_APPROVE))]
Word: TypeAlias = Literal["approve", "reject"]


@router.get("")
async def show_desk(request: Request, caller: RunReader) -> Response:
    """All that waits for somebody, the oldest first."""
    return _page(request, caller)


@router.post("/payments/{payment}/{word}")
async def decide_payment(
    request: Request, caller: Approving, payment: Annotated[int, Path(ge=1, lt=2**63)], word: Word
) -> Response:
    """Post what somebody else has entered, or reject it."""
    now = of(request).now()

    def work() -> None:
        with of(request).database.transaction() as connection:
            payments_desk.decide(
                connection, payment, approve=word == "approve", actor=caller.name, now=now
            )

    return await _done(request, caller, work)


@router.post("/refunds/{number}/execute")
async def execute_refund(request: Request, caller: Entering, number: str) -> Response:
    """Have an approved refund sent back, or keep that it was handed out."""
    work = partial(paying.give_back, of(request), number, actor=caller.name)
    return await _done(request, caller, work)


@router.post("/refunds/{number}/{word}")
async def decide_refund(request: Request, caller: Approving, number: str, word: Word) -> Response:
    """Approve the refund that somebody else has asked for, or reject it."""
    now = of(request).now()

    def work() -> None:
        with of(request).database.transaction() as connection:
            payments_refunds.decide(
                connection, number, approve=word == "approve", actor=caller.name, now=now
            )

    return await _done(request, caller, work)


async def _done(request: Request, caller: Principal, work: Callable[[], object]) -> Response:
    try:
        await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return _page(request, caller, as_problem(error))
    return RedirectResponse("/staff/desk", 303)


def _page(request: Request, caller: Principal, problem: ProblemError | None = None) -> Response:
    with of(request).database.snapshot() as connection:
        waiting = [
            (each, payments_due.payer(connection, each.account_id))
            for community_id in registry.community_ids(connection).values()
            for each in payments_book.waiting(connection, community_id)
        ]
        refunds = [
            (each, payments_due.payer(connection, each.account_id))
            for each in payments_refunds.under_way(connection)
        ]
    return page(
        request,
        "desk.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        waiting=waiting,
        refunds=refunds,
    )
