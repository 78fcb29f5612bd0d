"""Tariffs: what is in force, what each version says, and drafts that are tried and published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from api import problems, tariff_words
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from billing.previewing import tariff_tried
from billing.store import tariff_drafts
from billing.store.views import runs as run_views
from billing.store.views import tariffs

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.store.tariff_drafts import Draft
    from billing.what_if.tried import Trial

router = APIRouter(include_in_schema=False, prefix="/staff/tariffs")

RunReader = Annotated[Principal, Depends(PageRequires(Permission.RUNS_READ))]
Preparing = Annotated[Principal, Depends(FormRequires(Permission.RUNS_PREPARE))]
Approving = Annotated[Principal, Depends(FormRequires(Permission.RUNS_APPROVE))]
DraftId = Annotated[int, Path(ge=1, lt=2**63)]
Code = Annotated[str, Query(max_length=200)]

LONGEST = 200_000


@router.get("")
async def list_tariffs(request: Request, caller: RunReader) -> Response:
    """Every tariff with the version that is in force, the drafts, and the form for one."""
    return _list_page(request, caller)


@router.post("")
async def upload(
    request: Request, caller: Preparing, document: Annotated[str, Form(max_length=LONGEST)] = ""
) -> Response:
    """Keep a draft whose examples hold, and lead to it."""
    resources = of(request)
    text = document.replace("\r\n", "\n")

    def keep() -> Draft:
        with resources.database.transaction() as connection:
            return tariff_drafts.add(connection, text, actor=caller.name, now=resources.now())

    try:
        kept = await anyio.to_thread.run_sync(keep)
    except DOMAIN_ERRORS as error:
        return _list_page(request, caller, as_problem(error), text)
    return RedirectResponse(f"/staff/tariffs/drafts/{kept.id}", 303)


@router.get("/drafts/{draft}")
async def show_draft(
    *,
    request: Request,
    caller: RunReader,
    draft: DraftId,
    community: Code = "",
    period: Code = "",
    instead_of: Code = "",
) -> Response:
    """What a draft says; with a community and a month, what it would have changed there."""
    asked = (community, period, instead_of)
    if not community:
        return _draft_page(request, caller, draft, asked)
    database = of(request).database

    def work() -> Trial:
        with database.snapshot() as connection:
            tariff = tariff_drafts.read(connection, draft).tariff
        return tariff_tried(
            database, tariff, community=community, period=period, instead_of=instead_of
        )

    try:
        trial = await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return _draft_page(request, caller, draft, asked, problem=as_problem(error))
    return _draft_page(request, caller, draft, asked, trial=trial)


@router.post("/drafts/{draft}/publish")
async def publish(request: Request, caller: Approving, draft: DraftId) -> Response:
    """Make it a version that is in force from its day on."""
    return await _decide(request, caller, draft, tariff_drafts.publish)


@router.post("/drafts/{draft}/drop")
async def drop(request: Request, caller: Preparing, draft: DraftId) -> Response:
    """Give it up."""
    return await _decide(request, caller, draft, tariff_drafts.drop)


@router.get("/{code}")
async def show_tariff(
    request: Request, caller: RunReader, code: str, version: int | None = None
) -> Response:
    """A tariff's charges in plain words, by the version that is in force or another."""
    with of(request).database.snapshot() as connection:
        today = tariffs.today(connection, of(request).now())
        versions = tariffs.versions(connection, code)
    if not versions or version not in (None, *(each.version for each in versions)):
        raise ProblemError(problems.NOT_FOUND)
    in_force = today.in_force(versions)
    chosen = next((each for each in versions if each.version == version), in_force or versions[0])
    return page(
        request,
        "tariff.html",
        principal=caller,
        tariff=chosen,
        tariff_words=tariff_words,
        versions=versions,
        in_force=in_force,
    )


async def _decide(
    request: Request, caller: Principal, draft: int, step: Callable[..., Draft]
) -> Response:
    resources = of(request)

    def work() -> Draft:
        with resources.database.transaction() as connection:
            return step(connection, draft, actor=caller.name, now=resources.now())

    try:
        decided = await anyio.to_thread.run_sync(work)
    except tariff_drafts.UnknownDraftError:
        raise
    except DOMAIN_ERRORS as error:
        return _draft_page(request, caller, draft, ("", "", ""), problem=as_problem(error))
    if decided.state is tariff_drafts.DraftState.PUBLISHED:
        return RedirectResponse(f"/staff/tariffs/{decided.code}?version={decided.version}", 303)
    return RedirectResponse("/staff/tariffs", 303)


def _list_page(
    request: Request,
    caller: Principal,
    problem: ProblemError | None = None,
    document: str = "",
) -> Response:
    with of(request).database.snapshot() as connection:
        today = tariffs.today(connection, of(request).now())
        known = tariffs.by_code(connection)
        drafts = tariff_drafts.waiting(connection)
    return page(
        request,
        "tariffs.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        document=document,
        tariffs=[
            (versions, today.in_force(versions) or versions[0]) for versions in known.values()
        ],
        today=today,
        drafts=drafts,
    )


def _draft_page(
    request: Request,
    caller: Principal,
    draft: int,
    asked: tuple[str, str, str],
    *,
    trial: Trial | None = None,
    problem: ProblemError | None = None,
) -> Response:
    with of(request).database.snapshot() as connection:
        found = tariff_drafts.read(connection, draft)
        communities = [each for each in run_views.communities(connection) if each.last_issued]
        versions = tariffs.versions(connection, found.code)
    return page(
        request,
        "tariff_draft.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        draft=found,
        tariff=found.tariff,
        tariff_words=tariff_words,
        versions=versions,
        communities=communities,
        asked=asked,
        trial=trial,
        moved=sorted(
            (each for each in trial.changes if each.amount),
            key=lambda each: (-abs(each.amount), each.holder),
        )
        if trial
        else [],
    )
