"""The billing staff's pages: runs from draft to issued, and how each pool was shared."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from api import language, problems
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages import anomalies, changes
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from billing import holding, lifecycle, working
from billing.anomalies import AnomalyKind
from billing.computing import COMPUTABLE
from billing.store import holds, jobs, pool_checks
from billing.store import runs as run_store
from billing.store.views import bills, charge_titles, runs, shares, statements
from billing.store.views.scope import Scope
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.store.views.runs import CommunityView

router = APIRouter(include_in_schema=False, prefix="/staff")

RunReader = Annotated[Principal, Depends(PageRequires(Permission.RUNS_READ))]
Preparing = Annotated[Principal, Depends(FormRequires(Permission.RUNS_PREPARE))]
Approving = Annotated[Principal, Depends(FormRequires(Permission.RUNS_APPROVE))]
Issuing = Annotated[Principal, Depends(FormRequires(Permission.RUNS_ISSUE))]
Reason = Annotated[str, Form(max_length=1000)]
Code = Annotated[str, Form(max_length=80)]
Skipped = Annotated[int, Query(ge=0, le=10**9)]

RUNS_SHOWN = 100
BILLS_SHOWN = 200
MONTHS_OFFERED = 12
AT_ONCE = 500
"""A run of more units is computed in the background; fewer take a moment."""


@router.get("/runs")
async def list_runs(request: Request, caller: RunReader) -> Response:
    """All runs, and the form for the next one."""
    return _runs_page(request, caller)


@router.post("/runs")
async def create_run(
    request: Request,
    caller: Preparing,
    period: Annotated[str, Form(max_length=7)] = "",
    community: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Create a draft and lead to it."""
    resources = of(request)
    work = partial(
        lifecycle.create_run,
        resources.database,
        period=period,
        communities=list(dict.fromkeys(community or ())),
        actor=caller.name,
        now=resources.now(),
    )
    if not community:
        return _runs_page(request, caller, ProblemError(problems.NO_COMMUNITY))
    try:
        run_id = await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return _runs_page(request, caller, as_problem(error))
    return RedirectResponse(f"/staff/runs/{run_id}", 303)


@router.get("/runs/{run}")
async def show_run(  # noqa: PLR0917 - what part of the lists is shown
    request: Request,
    caller: RunReader,
    run: int,
    after: int = 0,
    kind: AnomalyKind | None = None,
    moved: Skipped = 0,
) -> Response:
    """A run with everything that it made, and what can be done with it now."""
    return _run_page(request, caller, run, after=after, kind=kind, moved=moved)


@router.post("/runs/{run}/compute")
async def compute(request: Request, caller: Preparing, run: int) -> Response:
    """Compute a run and show what came out; a large one in the background, with its progress."""
    resources = of(request)

    def work(database: Database, **given: Any) -> None:
        with database.snapshot() as connection:
            is_large = run_store.units(connection, run) > AT_ONCE
        if is_large:
            working.ask(database, **given)
            return
        types = resources.catalogue.current(database)
        lifecycle.compute_run(database, resources.archive, types, **given)

    return await _change(request, caller, run, work)


@router.post("/runs/{run}/review")
async def review(request: Request, caller: Preparing, run: int) -> Response:
    """Say that what came out was looked at."""
    return await _change(request, caller, run, lifecycle.review_run)


@router.post("/runs/{run}/approve")
async def approve(
    request: Request,
    caller: Approving,
    run: int,
    digest: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Approve a run, as the page showed it, with a second pair of eyes."""
    step = partial(lifecycle.approve_run, digest=digest)
    return await _change(request, caller, run, step)


@router.post("/runs/{run}/issue")
async def issue(request: Request, caller: Issuing, run: int) -> Response:
    """Issue a run to the owners."""
    return await _change(request, caller, run, lifecycle.issue_run)


@router.post("/runs/{run}/withdraw")
async def withdraw(request: Request, caller: Preparing, run: int, reason: Reason = "") -> Response:
    """End a run that is not issued."""
    step = partial(lifecycle.withdraw_run, reason=reason)
    return await _change(request, caller, run, step)


@router.post("/runs/{run}/hold")
async def hold(
    *,
    request: Request,
    caller: Preparing,
    run: int,
    community: Code = "",
    what: Code = "",
    unit: Code = "",
    reason: Reason = "",
) -> Response:
    """Leave a community, a building or a unit out; `what` says which, `unit` its code."""
    building, one = _place(what, unit)
    step = partial(holding.hold, community=community, building=building, unit=one, reason=reason)
    return await _change(request, caller, run, step)


@router.post("/runs/{run}/release")
async def release(
    *,
    request: Request,
    caller: Preparing,
    run: int,
    community: Code = "",
    what: Code = "",
    unit: Code = "",
) -> Response:
    """Let a run bill a building or a unit that it held."""
    building, one = _place(what, unit)
    step = partial(holding.release, community=community, building=building, unit=one)
    return await _change(request, caller, run, step)


def _place(what: str, unit: str) -> tuple[str | None, str | None]:
    """Return the building or unit that a form names: neither for the whole community."""
    kind, _, code = what.partition(":")
    match kind:
        case "community":
            return None, None
        case "building":
            return code, None
        case _:
            return None, unit.strip()


async def _change(
    request: Request, caller: Principal, run: int, step: Callable[..., object]
) -> Response:
    resources = of(request)
    now = resources.now()
    work = partial(step, resources.database, run_id=run, actor=caller.name, now=now)
    try:
        await anyio.to_thread.run_sync(work)
    except run_store.UnknownRunError:
        raise
    except DOMAIN_ERRORS as error:
        return _run_page(request, caller, run, problem=as_problem(error))
    return RedirectResponse(f"/staff/runs/{run}", 303)


def _runs_page(
    request: Request, caller: Principal, problem: ProblemError | None = None
) -> Response:
    resources = of(request)
    with resources.database.snapshot() as connection:
        found = runs.heads(connection, limit=RUNS_SHOWN)
        communities = runs.communities(connection)
    months = _months(communities, resources.now())
    return page(
        request,
        "runs.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        runs=[(head, Period.month(head.period, ZoneInfo("UTC"))) for head in found],
        communities=[(each, _billed_up_to(each)) for each in communities],
        months=months,
        next_month=_next_month(communities, months),
        problem=problem,
    )


def _billed_up_to(community: CommunityView) -> Period | None:
    if community.last_issued is None:
        return None
    return Period.month(community.last_issued, ZoneInfo(community.zone))


def _next_month(communities: Sequence[CommunityView], months: Sequence[Period]) -> Period | None:
    """Return which of `months` is billed next, the newest at first; None where all are billed."""
    billed = [_billed_up_to(each) for each in communities]
    last = min((each.key for each in billed if each is not None), default=None)
    if last is None:
        return months[0]
    return min((each for each in months if each.key > last), key=lambda m: m.key, default=None)


def _months(communities: Sequence[CommunityView], now: datetime) -> list[Period]:
    """Return the months that may be billed, the last full one first."""
    zone = ZoneInfo(communities[0].zone) if communities else ZoneInfo("UTC")
    month = Period.last_full_month(now, zone)
    found = [month]
    while len(found) < MONTHS_OFFERED:
        found.append(found[-1].previous)
    return found


def _run_page(
    request: Request,
    caller: Principal,
    run: int,
    *,
    after: int = 0,
    kind: AnomalyKind | None = None,
    moved: int = 0,
    problem: ProblemError | None = None,
) -> Response:
    with of(request).database.snapshot() as connection:
        found = run_store.read(connection, run)
        period = Period.month(found.period, ZoneInfo("UTC"))
        past = bills.After(found.period, after) if after else None
        listed = bills.heads(
            connection, Scope(unissued=True), limit=BILLS_SHOWN + 1, after=past, run_id=run
        )
        pools = statements.heads_of_run(connection, run)
        borne = shares.borne(connection, [each.id for each in pools])
        communities = {each.code: each for each in runs.communities(connection)}
        reviewed = _to_review(connection, found, kind, moved)
        buildings = runs.buildings(connection, {part.community_id for part in found.communities})
    return page(
        request,
        "run.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        run=found,
        period=period,
        communities=communities,
        total=sum(part.total for part in found.communities),
        count=sum(part.bills for part in found.communities),
        problem_count=sum(len(part.problems) for part in found.communities),
        zone=ZoneInfo(communities[found.communities[0].community].zone),
        bills=listed[:BILLS_SHOWN],
        next_after=listed[BILLS_SHOWN - 1].id if len(listed) > BILLS_SHOWN else None,
        after=after,
        statements=[(each, borne[each.id]) for each in pools],
        **reviewed,
        anomaly_text=partial(anomalies.sentence, language=language.of_request(request)),
        billed={
            part.community: buildings[part.community_id]
            for part in found.communities
            if part.state not in run_store.LEFT
        },
        left_out=sorted({part.community for part in found.communities if part.state == "held"}),
        changeable=found.state in COMPUTABLE,
        problem=problem,
        made_by_me=caller.name in (found.created_by, found.computed_by),
    )


def _to_review(
    connection: Connection, run: run_store.Run, kind: AnomalyKind | None, skipped: int
) -> dict[str, object]:
    """Return what a reviewer looks at, by the names that the page has for it.

    The first `skipped` units that move most are left out.
    """
    return {
        "unusual": anomalies.of_run(connection, run, kind),
        "moved": changes.of_run(connection, run, skipped),
        "titles": {
            part.community: charge_titles.of_community(connection, part.community_id)
            for part in run.communities
        },
        "checks": {each.statement_id: each for each in pool_checks.of_run(connection, run.id)},
        "held": holds.of_run(connection, run.id),
        "job": jobs.newest(connection, run.id),
    }
