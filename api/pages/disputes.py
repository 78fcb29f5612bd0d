"""Disputes on pages: an owner asks on a line and reads the answer, a clerk answers."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from api import language, problems, wording
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages import around
from api.pages.portal import line_page
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import scope_of
from api.security import FormRequires, PageRequires
from billing.disputes import OF_STAFF, DisputeError, DisputeState
from billing.store import disputes, payments_due
from billing.store.verification import verify_line
from billing.store.views import bills
from meters.told import told

if TYPE_CHECKING:
    from billing.store.views.bills import LineView

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(PageRequires(Permission.DISPUTES_READ))]
Staff = Annotated[Principal, Depends(PageRequires(Permission.RUNS_READ))]
Asking = Annotated[Principal, Depends(FormRequires(Permission.DISPUTES_OPEN))]
Answering = Annotated[Principal, Depends(FormRequires(Permission.DISPUTES_ANSWER))]
DisputeId = Annotated[int, Path(ge=1, lt=2**63)]

SHOWN = 50
LONGEST = 4000
"""How much of a text a form takes at all: what is too long is told, not cut."""


class Said(BaseModel):
    """What a clerk's form says."""

    text: Annotated[str, Field(max_length=LONGEST)] = ""
    step: Annotated[str, Field(max_length=20)] = ""
    run: Annotated[str, Field(max_length=18)] = ""


@router.get("/disputes")
async def show_own(request: Request, caller: Reader, before: int | None = None) -> Response:
    """What the caller has asked, with the answers; staff have a list of their own."""
    if caller.accounts is None:
        return RedirectResponse("/staff/disputes", 303)
    return _list(request, caller, "disputes.html", before=before)


@router.post("/bills/{number}/lines/{position}/dispute")
async def ask(
    request: Request,
    caller: Asking,
    number: str,
    position: Annotated[int, Path(ge=1, le=10_000)],
    reason: Annotated[str, Form(max_length=LONGEST)] = "",
) -> Response:
    """Dispute a line, and lead back to it."""
    now = of(request).now()

    def work() -> None:
        with of(request).database.transaction() as connection:
            disputes.open_dispute(
                connection,
                scope_of(caller),
                number,
                position,
                reason=reason,
                actor=caller.name,
                now=now,
            )

    try:
        await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return line_page(request, caller, number, position, said=reason, problem=as_problem(error))
    return RedirectResponse(f"/bills/{quote(number)}/lines/{position}#dispute", 303)


@router.post("/disputes/{dispute}/reply")
async def reply(
    request: Request,
    caller: Asking,
    dispute: DisputeId,
    text: Annotated[str, Form(max_length=LONGEST)] = "",
) -> Response:
    """Say more to a dispute, and lead back to its line."""
    with of(request).database.snapshot() as connection:
        found = disputes.read(connection, scope_of(caller), dispute)
    try:
        await _step(request, caller, dispute, DisputeState.OPEN, text=text)
    except DOMAIN_ERRORS as error:
        problem = as_problem(error)
        return line_page(request, caller, found.bill, found.position, said=text, problem=problem)
    return RedirectResponse(f"/bills/{quote(found.bill)}/lines/{found.position}#dispute", 303)


@router.post("/disputes/{dispute}/withdraw")
async def withdraw(request: Request, caller: Asking, dispute: DisputeId) -> Response:
    """Take a question back."""
    await _step(request, caller, dispute, DisputeState.WITHDRAWN)
    return RedirectResponse("/disputes", 303)


@router.get("/staff/disputes")
async def show_list(
    request: Request, caller: Staff, *, ended: bool = False, before: int | None = None
) -> Response:
    """What waits for an answer, or what has ended, the newest first."""
    return _list(request, caller, "staff_disputes.html", before=before, ended=ended)


@router.get("/staff/disputes/{dispute}")
async def show_dispute(request: Request, caller: Staff, dispute: DisputeId) -> Response:
    """A dispute with the line's evidence, what it recomputes to, and the readings beside it."""
    return await _dispute_page(request, caller, dispute, Said())


@router.post("/staff/disputes/{dispute}")
async def answer(
    request: Request, caller: Answering, dispute: DisputeId, said: Annotated[Said, Form()]
) -> Response:
    """Answer a dispute; accept or reject it."""
    try:
        to = next((each for each in OF_STAFF if each == said.step), None)
        if to is None:
            raise DisputeError(told("choose what becomes of it"))
        run = int(said.run) if said.run.isdecimal() else None
        await _step(request, caller, dispute, to, text=said.text, run_id=run)
    except DOMAIN_ERRORS as error:
        return await _dispute_page(request, caller, dispute, said, as_problem(error))
    return RedirectResponse(f"/staff/disputes/{dispute}", 303)


async def _step(
    request: Request,
    caller: Principal,
    dispute: int,
    to: DisputeState,
    *,
    text: str = "",
    run_id: int | None = None,
) -> None:
    now = of(request).now()

    def work() -> None:
        with of(request).database.transaction() as connection:
            disputes.take_step(
                connection,
                scope_of(caller),
                dispute,
                to,
                text=text,
                actor=caller.name,
                now=now,
                run_id=run_id,
            )

    await anyio.to_thread.run_sync(work)


def _list(
    request: Request, caller: Principal, template: str, *, before: int | None, **values: Any
) -> Response:
    ended = values.get("ended")
    with of(request).database.snapshot() as connection:
        found = disputes.listed(
            connection,
            scope_of(caller),
            limit=SHOWN + 1,
            pending=None if ended is None else not ended,
            before_id=before,
        )
    return page(
        request,
        template,
        principal=caller,
        disputes=found[:SHOWN],
        more=found[SHOWN - 1].id if len(found) > SHOWN else None,
        zone=ZoneInfo,
        month=_first_day,
        **values,
    )


def _first_day(period: str) -> date:
    return date.fromisoformat(f"{period}-01")


async def _dispute_page(
    request: Request,
    caller: Principal,
    dispute: int,
    said: Said,
    problem: ProblemError | None = None,
) -> Response:
    with of(request).database.snapshot() as connection:
        found = disputes.read(connection, scope_of(caller), dispute)
        bill = bills.bill(connection, scope_of(caller), found.bill)
        line = None if bill is None else bill.line(found.position)
        if bill is None or line is None:
            raise ProblemError(problems.NOT_FOUND)
        differences = verify_line(connection, found.bill, found.position)
        corrections = disputes.corrections(connection, found.account_id)
        community = payments_due.payer(connection, found.account_id).community
    read = partial(_ends, request, line)
    return page(
        request,
        "staff_dispute.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        said=said,
        dispute=found,
        bill=bill,
        line=line,
        title=wording.title(line, language.of_request(request)),
        wording=wording,
        differences=differences,
        corrections=corrections,
        community=community,
        ends=await anyio.to_thread.run_sync(read),
    )


def _ends(request: Request, line: LineView) -> Any:
    """Return the readings around both ends of what a line counts; none for what counts nothing."""
    usage = line.usage
    if usage is None:
        return []
    meters = dict.fromkeys(each["opening"]["meter"] for each in usage.evidence["segments"])
    return around.ends(of(request).archive, meters, usage.register, (usage.start, usage.end))
