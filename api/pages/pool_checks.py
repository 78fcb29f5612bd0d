"""Checking a pool's apportionment on one page: what if it were shared otherwise, and the word."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from api import pool_trials, problems
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.parts import ROWS_SHOWN, Skipped, SkippedRows, part_of
from api.pages.portal import statement_page
from api.permission import Permission
from api.pool_trials import WhatIfError
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from billing.pool_checking import check_pool
from billing.store import pool_checks
from billing.store.pool_checks import CHECKABLE, Word
from billing.store.views import statements
from billing.store.views.scope import Scope
from billing.what_if.otherwise import BASES
from meters.quantity import number_in
from meters.told import told

if TYPE_CHECKING:
    from api.pool_trials import Trial

StatementId = Annotated[int, Path(ge=1, lt=2**63)]

router = APIRouter(include_in_schema=False, prefix="/staff/statements")

RunReader = Annotated[Principal, Depends(PageRequires(Permission.RUNS_READ))]
Preparing = Annotated[Principal, Depends(FormRequires(Permission.RUNS_PREPARE))]


@router.get("/{statement}")
async def show_statement(
    *,
    request: Request,
    caller: RunReader,
    statement: StatementId,
    basis: Annotated[str, Query(max_length=20)] = "",
    company: Annotated[str, Query(max_length=12)] = "",
    shared: Skipped = 0,
    changed: Skipped = 0,
) -> Response:
    """A pool's apportionment, every room by its name; with what is asked, how it would be then."""
    skipped = SkippedRows(shared, changed)
    return _page(request, caller, statement, skipped, basis=basis, company=company)


@router.post("/{statement}/check")
async def check(
    *,
    request: Request,
    caller: Preparing,
    statement: StatementId,
    word: Annotated[Word, Form()],
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Sign the apportionment off, or hold it."""
    resources = of(request)
    work = partial(
        check_pool,
        resources.database,
        statement_id=statement,
        word=word,
        reason=reason,
        actor=caller.name,
        now=resources.now(),
    )
    try:
        await anyio.to_thread.run_sync(work)
    except pool_checks.UnknownStatementError:
        raise
    except DOMAIN_ERRORS as error:
        return _page(request, caller, statement, SkippedRows(), problem=as_problem(error))
    return RedirectResponse(f"/staff/statements/{statement}#check", 303)


def _page(
    request: Request,
    caller: Principal,
    statement: int,
    skipped: SkippedRows,
    *,
    basis: str = "",
    company: str = "",
    problem: ProblemError | None = None,
) -> Response:
    trial: Trial | None = None
    with of(request).database.snapshot() as connection:
        found = statements.statement(connection, Scope(unissued=True), statement)
        if found is None:
            raise ProblemError(problems.NOT_FOUND)
        said = pool_checks.of_statement(connection, found.head.run_id, statement)
        if basis or company.strip():
            try:
                asked = pool_trials.asked(basis, _share(company))
                trial = pool_trials.trial(connection, found, asked)
            except WhatIfError as error:
                problem = as_problem(error)
        staff = {
            "check": said,
            "checkable": found.head.run_state in CHECKABLE,
            "trial": trial,
            "moved": trial and part_of(trial.moved[:ROWS_SHOWN], 0, len(trial.moved)),
            "basis": basis,
            "company": company,
            "bases": BASES,
        }
        return statement_page(
            request, connection, caller, found, skipped, staff=staff, problem=problem
        )


def _share(percent: str) -> Decimal | None:
    """Return the share that a form states in percent, None for nothing."""
    if not percent.strip():
        return None
    number = number_in(percent.strip().removesuffix("%"))
    if number is None or not number.is_finite():
        raise WhatIfError(told("'{percent}' is no percentage", percent=percent))
    return number / Decimal(100)
