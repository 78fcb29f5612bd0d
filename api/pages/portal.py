"""The owners' pages: my bills, a bill, how a line comes about, and a pool's statement."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from api import apportionment, explanation, language, problems, wording
from api.masking import shown_shares
from api.pages import parts, picture
from api.pages.parts import Part, Skipped, SkippedRows, part_of
from api.pages.rendering import page
from api.pages.sign_in import HOME
from api.permission import BOUND, Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import scope_of
from api.security import PageRequires
from billing.money import from_price
from billing.store import disputes, payments_due
from billing.store.verification import verify_line
from billing.store.views import bills, shares, statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from billing.pools.moved import Moved
    from billing.store.views.statements import StatementView

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(PageRequires(Permission.BILLS_READ))]
StatementReader = Annotated[Principal, Depends(PageRequires(Permission.STATEMENTS_READ))]
SignedIn = Annotated[Principal, Depends(PageRequires())]

SHOWN = 60
"""Five years of months."""
MOST_WITH_ODD_CENTS = 50
"""Of how many units the odd cents are listed."""


@router.get("/")
async def start(request: Request, caller: SignedIn) -> Response:
    """An owner's bills; everybody else is led to where the own work is."""
    if caller.role is not None and caller.role not in BOUND:
        return RedirectResponse(HOME[caller.role], 303)
    with of(request).database.snapshot() as connection:
        found = bills.heads(connection, scope_of(caller), limit=SHOWN)
        dues = [
            payments_due.dues(connection, each, settled=True)
            for each in sorted(caller.accounts or ())
            if caller.may(Permission.PAYMENTS_READ)
        ]
    return page(
        request,
        "bills.html",
        principal=caller,
        bills=found,
        dues=[each for each in dues if each.due],
        payables={one.number: one for each in dues for one in each.payables if one.number},
        online=bool(of(request).providers.by_account),
    )


@router.get("/statements")
async def list_statements(
    request: Request, caller: StatementReader, before: int | None = None
) -> Response:
    """The statements of all pools that the caller may see, the newest first."""
    with of(request).database.snapshot() as connection:
        found = statements.heads(connection, scope_of(caller), limit=SHOWN + 1, before_id=before)
    more = found[SHOWN - 1].id if len(found) > SHOWN else None
    return page(request, "statements.html", principal=caller, statements=found[:SHOWN], more=more)


@router.get("/bills/{number}")
async def show_bill(request: Request, caller: Reader, number: str) -> Response:
    """A bill with its lines and the registers behind them."""
    with of(request).database.snapshot() as connection:
        bill = bills.bill(connection, scope_of(caller), number)
        if bill is None:
            raise ProblemError(problems.NOT_FOUND)
        owed = asked = None
        if caller.may(Permission.PAYMENTS_READ):
            owed = payments_due.of_bill(connection, number)
        if caller.may(Permission.DISPUTES_READ):
            asked = disputes.of_bill(connection, scope_of(caller), number)
    return page(
        request,
        "bill.html",
        principal=caller,
        bill=bill,
        usages=bill.usages,
        owed=owed,
        disputes=asked or {},
        online=bool(of(request).providers.by_account),
        wording=wording,
    )


@router.get("/bills/{number}/lines/{position}")
async def show_line(
    *, request: Request, caller: Reader, number: str, position: int, check: bool = False
) -> Response:
    """How a line comes about; with `check`, recomputed now from its frozen evidence."""
    return line_page(request, caller, number, position, check=check)


def line_page(
    request: Request,
    caller: Principal,
    number: str,
    position: int,
    *,
    check: bool = False,
    said: str = "",
    problem: ProblemError | None = None,
) -> Response:
    """Return the page of a line; `said` and `problem` are of a question that was not taken."""
    with of(request).database.snapshot() as connection:
        bill = bills.bill(connection, scope_of(caller), number)
        line = None if bill is None else bill.line(position)
        if bill is None or line is None:
            raise ProblemError(problems.NOT_FOUND)
        found = verify_line(connection, number, position) if check else None
        asked = disputes.of_bill(connection, scope_of(caller), number)
    share = line.share
    return page(
        request,
        "line.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        dispute=asked.get(position) if caller.may(Permission.DISPUTES_READ) else None,
        said=said,
        problem=problem,
        bill=bill,
        line=line,
        differences=found,
        wording=wording,
        title=wording.title(line, language.of_request(request)),
        parts=explanation.parts(line),
        unrounded=explanation.unrounded(line),
        carried=explanation.carried(line),
        used_before=explanation.used_before(line),
        share_of_use=explanation.share_of_use(line),
        steps=picture.of_steps(line),
        working=None if share is None else explanation.share_working(share),
        share_bar=None if share is None else picture.of_share(share.of_owners),
    )


@router.get("/statements/{statement}")
async def show_statement(
    request: Request,
    caller: StatementReader,
    statement: int,
    shared: Skipped = 0,
    changed: Skipped = 0,
) -> Response:
    """A pool's apportionment; an owner sees other rooms masked."""
    with of(request).database.snapshot() as connection:
        found = statements.statement(connection, scope_of(caller), statement)
        if found is None:
            raise ProblemError(problems.NOT_FOUND)
        return statement_page(request, connection, caller, found, SkippedRows(shared, changed))


def statement_page(
    request: Request,
    connection: Connection,
    caller: Principal,
    found: StatementView,
    skipped: SkippedRows,
    *,
    staff: Mapping[str, object] | None = None,
    problem: ProblemError | None = None,
) -> Response:
    """Return the page of the statement `found` as `caller` may see it.

    `skipped`: rows that pages before have shown; `staff`: what billing staff try of it, and say.
    """
    head, shown = found.head, parts.ROWS_SHOWN
    rows = shown_shares(connection, head.id, caller, skipped=skipped.shares, limit=shown)
    changed: Part[Moved] = part_of((), 0, 0)
    odd_cents = None
    if caller.sees_rooms:
        odd_cents = statements.odd_cents(connection, head, MOST_WITH_ODD_CENTS)
        if found.earlier is not None:
            both, before = (head.id, found.earlier.id), skipped.changes
            moved, units = shares.changes(connection, *both, skipped=before, limit=shown)
            changed = part_of(moved, before, units)
    return page(
        request,
        "statement.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        statement=found,
        shares=part_of(rows, skipped.shares, found.sums.count),
        changes=changed,
        odd_cents=odd_cents,
        masked=not caller.sees_rooms,
        bases=wording.BASES,
        apportionment=apportionment,
        staff=staff,
        charge_title=partial(wording.charge_title, language=language.of_request(request)),
        price=from_price,
    )
