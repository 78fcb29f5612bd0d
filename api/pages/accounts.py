"""Accounts as billing staff see them: found by unit, name or code, and all of one on one page."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from api import problems
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from billing.money import to_fen
from billing.payments.claim import BILL
from billing.store import (
    journal_views,
    payments_book,
    payments_desk,
    payments_due,
    payments_receipts,
    payments_refunds,
)
from billing.store.opening_balance import UnknownAccountError
from billing.store.payments_desk import CHANNELS, REVERSALS, DeskError, Handed
from billing.store.views import accounts
from meters.quantity import number_in
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

router = APIRouter(include_in_schema=False, prefix="/staff/accounts")

RunReader = Annotated[Principal, Depends(PageRequires(Permission.RUNS_READ))]
Entering = Annotated[Principal, Depends(FormRequires(Permission.PAYMENTS_ENTER))]
Id = Annotated[int, Path(ge=1, lt=2**63)]
Text = Annotated[str, Field(max_length=200)]

FOUND_SHOWN = 100
SHOWN = timedelta(days=366)
"""How far back the account's page goes."""


class Taken(BaseModel):
    """What a form says of money that came in; an empty day is now."""

    channel: Text = ""
    amount: Text = ""
    document: Text = ""
    rounding: Text = ""
    note: Annotated[str, Field(max_length=1000)] = ""


@router.get("")
async def find(
    request: Request,
    caller: RunReader,
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> Response:
    """Accounts by unit, holder, account code or payment code; all of them for nothing."""
    with of(request).database.snapshot() as connection:
        found = accounts.search(connection, q, limit=FOUND_SHOWN + 1, after=after)
    return page(
        request,
        "accounts.html",
        principal=caller,
        q=q,
        accounts=found[:FOUND_SHOWN],
        next_after=found[FOUND_SHOWN - 1].id if len(found) > FOUND_SHOWN else None,
    )


@router.get("/{account}")
async def show(request: Request, caller: RunReader, account: Id) -> Response:
    """What an account owes, what it has paid, and what can be done about it."""
    return account_page(request, caller, account)


@router.post("/{account}/payments")
async def enter(
    request: Request, caller: Entering, account: Id, said: Annotated[Taken, Form()]
) -> Response:
    """Enter money that came in; above the community's limit it waits for somebody else."""
    now = of(request).now()

    def work() -> None:
        handed = _handed(said, now)
        with of(request).database.transaction() as connection:
            who = _payer(connection, account)
            payments_desk.enter(
                connection, who.community, who.account, handed, actor=caller.name, now=now
            )

    try:
        await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return account_page(request, caller, account, as_problem(error))
    return RedirectResponse(f"/staff/accounts/{account}#payments", 303)


@router.post("/{account}/payments/{payment}/reverse")
async def reverse(
    *,
    request: Request,
    caller: Entering,
    account: Id,
    payment: Id,
    kind: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Undo a payment: what it has paid is due again."""
    now = of(request).now()

    def work() -> None:
        with of(request).database.transaction() as connection:
            _assert_of(connection, account, payment)
            payments_desk.reverse(
                connection, payment, kind=kind, reason=reason, actor=caller.name, now=now
            )

    try:
        await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return account_page(request, caller, account, as_problem(error))
    return RedirectResponse(f"/staff/accounts/{account}#payments", 303)


@router.post("/{account}/payments/{payment}/refunds")
async def ask_refund(
    *,
    request: Request,
    caller: Entering,
    account: Id,
    payment: Id,
    amount: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[str, Form(max_length=1000)] = "",
    reopen: Annotated[bool, Form()] = False,
) -> Response:
    """Ask for money to go back; somebody else approves it."""
    now = of(request).now()

    def work() -> None:
        with of(request).database.transaction() as connection:
            _assert_of(connection, account, payment)
            payments_refunds.request(
                connection,
                payment,
                _fen(amount),
                reason=reason,
                reopen=reopen,
                actor=caller.name,
                now=now,
            )

    try:
        await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return account_page(request, caller, account, as_problem(error))
    return RedirectResponse(f"/staff/accounts/{account}#payments", 303)


def account_page(
    request: Request, caller: Principal, account: int, problem: ProblemError | None = None
) -> Response:
    """Return the page of an account as staff see it."""
    today = of(request).now().date()
    with of(request).database.snapshot() as connection:
        _payer(connection, account)
        dues = payments_due.dues(connection, account)
        last = today + timedelta(days=1)  # it is tomorrow already in some zones
        stated = journal_views.statement_of(connection, account, last - SHOWN, last)
        made = [
            (
                each,
                payments_refunds.of_payment(connection, each.id),
                payments_receipts.receipt_of(connection, each.id),
            )
            for each in payments_book.of_account(connection, account)
        ]
    return page(
        request,
        "staff_account.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        dues=dues,
        who=dues.payer,
        stated=stated,
        made=made,
        channels=CHANNELS,
        reversals=REVERSALS,
        bill_of=partial(_bill_of),
    )


def _bill_of(claim: str) -> str | None:
    """Return the number of the bill that a claim is of."""
    return claim.removeprefix(BILL) if claim.startswith(BILL) else None


def _payer(connection: Connection, account: int) -> payments_due.Payer:
    try:
        return payments_due.payer(connection, account)
    except UnknownAccountError as error:
        raise ProblemError(problems.NOT_FOUND) from error


def _assert_of(connection: Connection, account: int, payment: int) -> None:
    if payments_book.read(connection, payment).account_id != account:
        raise ProblemError(problems.NOT_FOUND)


def _handed(said: Taken, now: datetime) -> Handed:
    return Handed(
        channel=said.channel,
        amount=_fen(said.amount),
        document=said.document.strip(),
        paid_at=now,
        rounding=_fen(said.rounding) if said.rounding.strip() else 0,
        note=said.note.strip() or None,
    )


def _fen(text: str) -> int:
    """Return an amount that a form states, in fen; raise `DeskError`."""
    number = number_in(text.strip().removeprefix("¥"))
    if number is None or not number.is_finite() or number != round(number, 2):
        raise DeskError(told("'{text}' is no amount with two decimals at the most", text=text))
    return to_fen(number)
