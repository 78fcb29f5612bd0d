"""Corrections: what would change in issued months as things are known now, and the run for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.security import FormRequires, PageRequires
from billing import lifecycle, previewing
from billing.computing import Sources
from billing.store.views import runs as views

if TYPE_CHECKING:
    from api.problems import ProblemError
    from billing.correction import Correction
    from billing.previewing import Change

router = APIRouter(include_in_schema=False, prefix="/staff/corrections")

Preparer = Annotated[Principal, Depends(PageRequires(Permission.RUNS_PREPARE))]
Preparing = Annotated[Principal, Depends(FormRequires(Permission.RUNS_PREPARE))]


@router.get("")
async def preview(
    request: Request, caller: Preparer, community: str = "", first: str = ""
) -> Response:
    """The form; with a community and a month, what a correction from it on would change."""
    if not community:
        return _page(request, caller)
    resources = of(request)
    types = resources.catalogue.current(resources.database)
    sources = Sources(resources.database, resources.archive, types)
    work = partial(previewing.affected, sources, community=community, first=first)
    try:
        found = await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return _page(request, caller, (community, first), problem=as_problem(error))
    return _page(request, caller, (community, first), found)


@router.post("")
async def correct(
    request: Request,
    caller: Preparing,
    community: Annotated[str, Form(max_length=64)] = "",
    first: Annotated[str, Form(max_length=7)] = "",
) -> Response:
    """Make the draft run that corrects, where the community has its corrections."""
    resources = of(request)
    work = partial(
        lifecycle.correct,
        resources.database,
        community=community,
        first=first,
        actor=caller.name,
        now=resources.now(),
    )
    try:
        run_id = await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return _page(request, caller, (community, first), problem=as_problem(error))
    return RedirectResponse(f"/staff/runs/{run_id}", 303)


def _page(
    request: Request,
    caller: Principal,
    chosen: tuple[str, str] = ("", ""),
    found: list[Change] | None = None,
    *,
    problem: ProblemError | None = None,
) -> Response:
    with of(request).database.snapshot() as connection:
        communities = [each for each in views.communities(connection) if each.last_issued]
    return page(
        request,
        "corrections.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        communities=communities,
        chosen=chosen,
        found=[(each, _outliers_first(each)) for each in found] if found is not None else None,
        changed=sum(len(each.corrections) for each in found or ()),
        blocked=any(each.problems for each in found or ()),
    )


def _outliers_first(change: Change) -> list[Correction]:
    return sorted(change.corrections, key=lambda each: (-abs(each.total), each.unit.code))
